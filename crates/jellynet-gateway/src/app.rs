//! What answers behind all layers: the upstream, a directory, or the welcome page.

use std::convert::Infallible;
use std::future::ready;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::Full;
use hyper::body::Incoming;
use jellynet_access::Decision;
use jellynet_admin::Admin;
use jellynet_tuner::serve::{StreamBody, TunerService};
use jellynet_upstream::{ResponseBody, Upstream};
use pin_project_lite::pin_project;
use tower::ServiceExt;
use tower_http::services::ServeDir;
use tower_http::services::fs::ServeFileSystemResponseBody;
use tower_service::Service;

use crate::welcome::Welcome;

/// What this server has to show.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// A media server behind it.
    Gateway(Upstream),
    /// Files.
    Directory(ServeDir),
    /// What to do next.
    Welcome(Arc<Welcome>),
}

impl Content {
    /// The files below `path`; a compressed variant beside a file (`app.js.gz`, `app.js.br`) goes
    /// to whoever takes it.
    pub(crate) fn directory(path: &Path) -> Self {
        Self::Directory(
            ServeDir::new(path).precompressed_br().precompressed_gzip().precompressed_zstd(),
        )
    }
}

/// As Jellyfin's monitoring page has it: `/health`, answered by the upstream where there is one.
pub(crate) fn is_health<B>(request: &Request<B>) -> bool {
    let path = request.uri().path().trim_end_matches('/');
    matches!(*request.method(), Method::GET | Method::HEAD) && path.eq_ignore_ascii_case("/health")
}

fn health() -> Response<Body> {
    let mut response = Response::new(Body::from("Healthy"));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The innermost service.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) content: Content,
    /// Live TV, where it is switched on.
    pub(crate) tuner: Option<TunerService>,
    /// Who answers for `/metrics` to the LAN, where that is switched on.
    pub(crate) metrics: Option<Admin>,
}

/// The metrics for a client of the LAN; nobody else learns that there are any.
fn metrics<B>(admin: &Admin, request: &Request<B>) -> Response<Body> {
    let local = request.extensions().get::<Decision>().is_some_and(|decision| decision.local);
    let (method, path) = if local { (request.method(), "/metrics") } else { (&Method::GET, "") };
    admin.answer(method, path).map(|inner| Body::Full { inner })
}

/// Device and channel of a path that is a tuner's.
fn tuner_path(path: &str) -> Option<&str> {
    path.strip_prefix("/tuner").filter(|rest| rest.starts_with('/'))
}

impl Service<Request<Incoming>> for App {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        if let Some(admin) = self.metrics.as_ref().filter(|_| request.uri().path() == "/metrics") {
            return Box::pin(ready(Ok(metrics(admin, &request))));
        }
        if let (Some(tuner), Some(rest)) = (&self.tuner, tuner_path(request.uri().path())) {
            let query = request.uri().query().map_or(String::new(), |query| format!("?{query}"));
            let mut asked = Request::new(());
            *asked.method_mut() = request.method().clone();
            if let Ok(uri) = format!("{rest}{query}").parse() {
                *asked.uri_mut() = uri;
            }
            let tuner = tuner.clone();
            return Box::pin(async move {
                let response = tuner.oneshot(asked).await?;
                Ok(response.map(|inner| Body::Tuner { inner }))
            });
        }
        match self.content.clone() {
            Content::Gateway(upstream) => Box::pin(async move {
                Ok(upstream.forward(request).await.map(|inner| Body::Upstream { inner }))
            }),
            _ if is_health(&request) => Box::pin(ready(Ok(health()))),
            Content::Directory(directory) => Box::pin(async move {
                let response = directory.oneshot(request).await?;
                Ok(response.map(|inner| Body::File { inner }))
            }),
            Content::Welcome(welcome) => {
                let response = welcome.answer(&request).map(|inner| Body::Full { inner });
                Box::pin(ready(Ok(response)))
            }
        }
    }
}

pin_project! {
    /// The body of any response of this server.
    #[project = Projected]
    pub(crate) enum Body {
        /// From the upstream, as it comes.
        Upstream { #[pin] inner: ResponseBody },
        /// From a file.
        File { #[pin] inner: ServeFileSystemResponseBody },
        /// A tuner's stream.
        Tuner { #[pin] inner: StreamBody },
        /// Made here.
        Full { #[pin] inner: Full<Bytes> },
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Self::Full { inner: Full::from(text) }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Full { inner: Full::from(bytes) }
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::Full { inner: Full::from(text) }
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::Full { inner: Full::default() }
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.project() {
            Projected::Upstream { inner } => inner.poll_frame(cx).map_err(Into::into),
            Projected::File { inner } => inner.poll_frame(cx).map_err(Into::into),
            Projected::Tuner { inner } => inner.poll_frame(cx).map_err(Into::into),
            Projected::Full { inner } => inner.poll_frame(cx).map_err(|never| match never {}),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Upstream { inner } => inner.is_end_stream(),
            Self::File { inner } => inner.is_end_stream(),
            Self::Tuner { inner } => inner.is_end_stream(),
            Self::Full { inner } => inner.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Upstream { inner } => inner.size_hint(),
            Self::File { inner } => inner.size_hint(),
            Self::Tuner { inner } => inner.size_hint(),
            Self::Full { inner } => inner.size_hint(),
        }
    }
}
