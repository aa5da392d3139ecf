//! Answers of HTTP-01 (RFC 8555 § 8.3), for whatever listens on port 80.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arc_swap::ArcSwap;
use http::{HeaderValue, Request, Response, header};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

const PREFIX: &str = "/.well-known/acme-challenge/";

/// The answers that are being waited for. A clone shares them.
#[derive(Clone, Default)]
pub struct Http01(Arc<ArcSwap<HashMap<String, String>>>);

impl Http01 {
    /// The body for a path, as `text/plain` or `application/octet-stream`; `None` for any other
    /// path.
    #[must_use]
    pub fn respond(&self, path: &str) -> Option<String> {
        self.0.load().get(path.strip_prefix(PREFIX)?).cloned()
    }

    /// The same as a layer, for bodies that can be made of text.
    #[must_use]
    pub fn layer(&self) -> Http01Layer {
        Http01Layer(self.clone())
    }

    pub(super) fn add(&self, token: &str, answer: &str) {
        self.0.rcu(|answers| {
            let mut answers = (**answers).clone();
            answers.insert(token.to_owned(), answer.to_owned());
            answers
        });
    }

    pub(super) fn remove(&self, token: &str) {
        self.0.rcu(|answers| {
            let mut answers = (**answers).clone();
            answers.remove(token);
            answers
        });
    }
}

impl std::fmt::Debug for Http01 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Http01").field("waiting", &self.0.load().len()).finish()
    }
}

/// Answers challenges and lets everything else pass.
#[derive(Clone, Debug)]
pub struct Http01Layer(Http01);

impl<S> Layer<S> for Http01Layer {
    type Service = Http01Service<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Http01Service { inner, answers: self.0.clone() }
    }
}

/// The service of [`Http01Layer`].
#[derive(Clone, Debug)]
pub struct Http01Service<S> {
    inner: S,
    answers: Http01,
}

impl<S, B, R> Service<Request<B>> for Http01Service<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: From<String>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Http01Future<S::Future, R>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self.answers.respond(request.uri().path()) {
            Some(text) => {
                let mut response = Response::new(R::from(text));
                let kind = HeaderValue::from_static("application/octet-stream");
                response.headers_mut().insert(header::CONTENT_TYPE, kind);
                Http01Future { inner: None, response: Some(response) }
            }
            None => Http01Future { inner: Some(self.inner.call(request)), response: None },
        }
    }
}

pin_project! {
    /// The answer of [`Http01Service`].
    #[derive(Debug)]
    pub struct Http01Future<F, R> {
        #[pin]
        inner: Option<F>,
        response: Option<Response<R>>,
    }
}

impl<F, R, E> Future for Http01Future<F, R>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Some(response) = this.response.take() {
            return Poll::Ready(Ok(response));
        }
        match this.inner.as_pin_mut() {
            Some(inner) => inner.poll(context),
            // Polled after its end.
            None => Poll::Pending,
        }
    }
}
