//! The future of a response.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;
use pin_project_lite::pin_project;

pin_project! {
    /// The response of the inner service, or a refusal.
    #[derive(Debug)]
    pub struct ResponseFuture<F, R> {
        #[pin]
        kind: Kind<F, R>,
    }
}

pin_project! {
    #[project = KindProjection]
    #[derive(Debug)]
    enum Kind<F, R> {
        Passed { #[pin] future: F },
        Refused { response: Option<Response<R>> },
    }
}

impl<F, R> ResponseFuture<F, R> {
    pub(super) const fn passed(future: F) -> Self {
        Self { kind: Kind::Passed { future } }
    }

    pub(super) const fn refused(response: Response<R>) -> Self {
        Self { kind: Kind::Refused { response: Some(response) } }
    }
}

impl<F: Future<Output = Result<Response<R>, E>>, R, E> Future for ResponseFuture<F, R> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        match self.project().kind.project() {
            KindProjection::Passed { future } => future.poll(cx),
            KindProjection::Refused { response } => match response.take() {
                Some(response) => Poll::Ready(Ok(response)),
                // Polled again after it was ready, which a future may answer as it likes.
                None => Poll::Pending,
            },
        }
    }
}
