use std::sync::Arc;
use std::task::{Context, Poll};

use http::{HeaderValue, Request, Response, StatusCode, header};
use tower_service::Service;

use super::{HttpsRedirectFuture, NotRedirectable, Policy, RedirectedToHttps, Verdict};
use crate::request::RequestView;

/// The service of [`HttpsRedirectLayer`](super::HttpsRedirectLayer).
#[derive(Clone, Debug)]
pub struct HttpsRedirectService<S> {
    inner: S,
    policy: Arc<Policy>,
}

impl<S> HttpsRedirectService<S> {
    pub(super) const fn new(inner: S, policy: Arc<Policy>) -> Self {
        Self { inner, policy }
    }
}

impl<S, B, R> Service<Request<B>> for HttpsRedirectService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Default,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = HttpsRedirectFuture<S::Future, R>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self.policy.judge(&RequestView::of(&request)) {
            Verdict::Pass => HttpsRedirectFuture::inner(self.inner.call(request)),
            Verdict::Redirect(location) => HttpsRedirectFuture::ready(redirect(location)),
            Verdict::NoHost => HttpsRedirectFuture::ready(no_host()),
        }
    }
}

fn redirect<R: Default>(location: String) -> Response<R> {
    // A host and the target of a request that was parsed are fit for a header.
    let Ok(value) = HeaderValue::try_from(&location) else {
        return no_host();
    };
    let mut response = Response::new(R::default());
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    response.headers_mut().insert(header::LOCATION, value);
    response.extensions_mut().insert(RedirectedToHttps(location));
    response
}

fn no_host<R: Default>() -> Response<R> {
    let mut response = Response::new(R::default());
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response.extensions_mut().insert(NotRedirectable);
    response
}
