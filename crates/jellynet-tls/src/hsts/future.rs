use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{HeaderValue, Response, header};
use pin_project_lite::pin_project;

pin_project! {
    /// The answer of [`HstsService`](super::HstsService).
    #[derive(Debug)]
    pub struct HstsFuture<F> {
        #[pin]
        inner: F,
        header: Option<HeaderValue>,
    }
}

impl<F> HstsFuture<F> {
    pub(super) const fn new(inner: F, header: Option<HeaderValue>) -> Self {
        Self { inner, header }
    }
}

impl<F, R, E> Future for HstsFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.inner.poll(context))?;
        if let Some(header) = this.header.take() {
            response.headers_mut().entry(header::STRICT_TRANSPORT_SECURITY).or_insert(header);
        }
        Poll::Ready(Ok(response))
    }
}
