//! The administrator's service: `/live`, `/ready`, `/metrics`, `/status.json`.

use std::convert::Infallible;
use std::fmt;
use std::future::{Ready as ReadyFuture, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use serde::Serialize;
use tower_service::Service;

use crate::metrics::Metrics;
use crate::ready::Ready;

/// What [`Admin`] gives back as a tower service.
pub type AdminFuture = ReadyFuture<Result<Response<Full<Bytes>>, Infallible>>;

/// Answers the administrator; cheap to clone.
///
/// # Security
///
/// Everything here is for the administrator's eyes: serve it on loopback or a Unix socket.
#[derive(Clone)]
pub struct Admin {
    metrics: Metrics,
    ready: Arc<dyn Fn() -> Ready + Send + Sync>,
    status: Arc<dyn Fn() -> String + Send + Sync>,
}

impl Admin {
    /// Both closures are asked at each request, so that the answer is never older than the
    /// question. `status` must give no secret.
    pub fn new<S: Serialize>(
        metrics: Metrics,
        ready: impl Fn() -> Ready + Send + Sync + 'static,
        status: impl Fn() -> S + Send + Sync + 'static,
    ) -> Self {
        let status = move || serde_json::to_string_pretty(&status()).unwrap_or_default();
        Self { metrics, ready: Arc::new(ready), status: Arc::new(status) }
    }

    /// The answer to a request for `path`.
    #[must_use]
    pub fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        if !matches!(*method, Method::GET | Method::HEAD) {
            return text(
                StatusCode::METHOD_NOT_ALLOWED,
                "text/plain; charset=utf-8",
                "GET and HEAD only\n".into(),
            );
        }
        match path {
            "/live" => text(StatusCode::OK, "text/plain; charset=utf-8", "live\n".into()),
            "/ready" => {
                let report = (self.ready)();
                let status =
                    if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
                let body = serde_json::to_string_pretty(&report).unwrap_or_default();
                text(status, "application/json", body)
            }
            "/metrics" => text(
                StatusCode::OK,
                "text/plain; version=0.0.4; charset=utf-8",
                self.metrics.encode(),
            ),
            "/status.json" => text(StatusCode::OK, "application/json", (self.status)()),
            "/" => {
                let list = "/live\n/ready\n/metrics\n/status.json\n";
                text(StatusCode::OK, "text/plain; charset=utf-8", list.into())
            }
            _ => text(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", "not found\n".into()),
        }
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").finish_non_exhaustive()
    }
}

fn text(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, header::HeaderValue::from_static("nosniff"));
    response
}

impl<B> Service<Request<B>> for Admin {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = AdminFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(self.answer(request.method(), request.uri().path())))
    }
}
