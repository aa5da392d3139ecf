use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;
use pin_project_lite::pin_project;

pin_project! {
    /// The answer of [`HttpsRedirectService`](super::HttpsRedirectService).
    #[derive(Debug)]
    pub struct HttpsRedirectFuture<F, R> {
        #[pin]
        state: State<F, R>,
    }
}

pin_project! {
    #[project = StateProjection]
    #[derive(Debug)]
    enum State<F, R> {
        Inner { #[pin] future: F },
        Ready { response: Option<Response<R>> },
    }
}

impl<F, R> HttpsRedirectFuture<F, R> {
    pub(super) const fn inner(future: F) -> Self {
        Self { state: State::Inner { future } }
    }

    pub(super) const fn ready(response: Response<R>) -> Self {
        Self { state: State::Ready { response: Some(response) } }
    }
}

impl<F, R, E> Future for HttpsRedirectFuture<F, R>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Inner { future } => future.poll(context),
            StateProjection::Ready { response } => match response.take() {
                Some(response) => Poll::Ready(Ok(response)),
                // Polled after its end.
                None => Poll::Pending,
            },
        }
    }
}
