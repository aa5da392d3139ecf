//! Serves descriptions before another service.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::Descriptions;

/// Answers requests for [`Descriptions`] and hands on all others.
///
/// It stands outside the layer that takes a base URL away: televisions ask for the paths that the
/// description names, with the base or without.
#[derive(Clone, Debug)]
pub struct DescribeLayer {
    descriptions: Arc<Descriptions>,
}

impl DescribeLayer {
    /// Serves these.
    #[must_use]
    pub fn new(descriptions: Descriptions) -> Self {
        Self { descriptions: Arc::new(descriptions) }
    }
}

impl<S> Layer<S> for DescribeLayer {
    type Service = DescribeService<S>;

    fn layer(&self, inner: S) -> DescribeService<S> {
        DescribeService { descriptions: Arc::clone(&self.descriptions), inner }
    }
}

/// The service of a [`DescribeLayer`].
#[derive(Clone, Debug)]
pub struct DescribeService<S> {
    descriptions: Arc<Descriptions>,
    inner: S,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for DescribeService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: From<Bytes>,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = DescribeFuture<S::Future, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        match self.descriptions.respond(&request) {
            Some(response) => {
                DescribeFuture { here: Some(response.map(ResBody::from)), inner: None }
            }
            None => DescribeFuture { here: None, inner: Some(self.inner.call(request)) },
        }
    }
}

pin_project_lite::pin_project! {
    /// The response of a [`DescribeService`].
    #[derive(Debug)]
    pub struct DescribeFuture<F, ResBody> {
        // The response that is here already, or else the future of the inner service.
        here: Option<Response<ResBody>>,
        #[pin]
        inner: Option<F>,
    }
}

impl<F, ResBody, E> Future for DescribeFuture<F, ResBody>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
{
    type Output = Result<Response<ResBody>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Some(response) = this.here.take() {
            return Poll::Ready(Ok(response));
        }
        match this.inner.as_pin_mut() {
            Some(inner) => inner.poll(cx),
            None => Poll::Pending,
        }
    }
}
