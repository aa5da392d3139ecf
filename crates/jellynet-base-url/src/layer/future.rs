//! The future of the layer.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::header::{CONTENT_LOCATION, LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Response};
use pin_project_lite::pin_project;

use super::Shared;
use super::service::HostOf;

pin_project! {
    /// The response of a [`BaseUrl`](super::BaseUrl) service.
    #[derive(Debug)]
    pub struct ResponseFuture<F, R> {
        #[pin]
        kind: Kind<F, R>,
    }
}

pin_project! {
    #[project = KindProj]
    #[derive(Debug)]
    enum Kind<F, R> {
        Inner { #[pin] future: F, mapping: Option<Mapping> },
        Ready { response: Option<Response<R>> },
    }
}

impl<F, R> ResponseFuture<F, R> {
    pub(super) const fn inner(future: F, mapping: Option<Mapping>) -> Self {
        Self { kind: Kind::Inner { future, mapping } }
    }

    pub(super) const fn ready(response: Response<R>) -> Self {
        Self { kind: Kind::Ready { response: Some(response) } }
    }
}

impl<F, R, E> Future for ResponseFuture<F, R>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<R>, E>;

    /// # Panics
    ///
    /// When polled again after it was ready.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindProj::Inner { future, mapping } => {
                let mut response = ready!(future.poll(cx))?;
                if let Some(mapping) = mapping {
                    mapping.apply(response.headers_mut());
                }
                Poll::Ready(Ok(response))
            }
            KindProj::Ready { response } => {
                Poll::Ready(Ok(response.take().expect("polled after it was ready")))
            }
        }
    }
}

/// What is needed to map the response of one request.
#[derive(Debug)]
pub(super) struct Mapping {
    shared: Arc<Shared>,
    host: Option<HostOf>,
}

impl Mapping {
    /// `None` where clients and application see the same paths.
    pub(super) fn new(shared: &Arc<Shared>, host: Option<HostOf>) -> Option<Self> {
        let same = shared.map.outside() == shared.map.inside();
        (!same).then(|| Self { shared: Arc::clone(shared), host })
    }

    fn apply(&self, headers: &mut HeaderMap) {
        let host = self.host.as_ref().and_then(HostOf::as_str);
        for name in [LOCATION, CONTENT_LOCATION] {
            if let Some(value) = headers.get_mut(name) {
                replace(value, |text| self.shared.map.location(text, host));
            }
        }
        if let http::header::Entry::Occupied(mut cookies) = headers.entry(SET_COOKIE) {
            for value in cookies.iter_mut() {
                replace(value, |text| self.shared.map.cookie(text));
            }
        }
    }
}

fn replace(value: &mut HeaderValue, map: impl FnOnce(&str) -> Option<String>) {
    let mapped = value.to_str().ok().and_then(map);
    if let Some(Ok(mapped)) = mapped.map(HeaderValue::try_from) {
        *value = mapped;
    }
}
