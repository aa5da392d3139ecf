use std::fmt;
use std::task::{Context, Poll};

use http::{HeaderValue, Request, Response};
use tower_service::Service;

use super::layer::Trust;
use super::{HstsFuture, applies};
use crate::request::RequestView;

/// The service of [`HstsLayer`](super::HstsLayer).
#[derive(Clone)]
pub struct HstsService<S> {
    inner: S,
    header: HeaderValue,
    is_trustworthy: Trust,
}

impl<S> HstsService<S> {
    pub(super) const fn new(inner: S, header: HeaderValue, is_trustworthy: Trust) -> Self {
        Self { inner, header, is_trustworthy }
    }
}

impl<S: fmt::Debug> fmt::Debug for HstsService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HstsService").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<S, B, R> Service<Request<B>> for HstsService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = HstsFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let applies = applies(&RequestView::of(&request), &*self.is_trustworthy);
        HstsFuture::new(self.inner.call(request), applies.then(|| self.header.clone()))
    }
}
