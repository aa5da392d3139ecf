//! The service half of the layer.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{CACHE_CONTROL, HOST, LOCATION};
use http::uri::{Authority, PathAndQuery};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, Uri};
use tower_service::Service;

use super::future::{Mapping, ResponseFuture};
use super::{BaseUrlAnswer, OriginalTarget, PrefixHeader, Shared};
use crate::route::{RequestClass, Route};

static X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// A service under a base path; made by [`BaseUrlLayer`](super::BaseUrlLayer).
#[derive(Clone, Debug)]
pub struct BaseUrl<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S> BaseUrl<S> {
    pub(super) const fn new(inner: S, shared: Arc<Shared>) -> Self {
        Self { inner, shared }
    }
}

impl<S, B, R> Service<Request<B>> for BaseUrl<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match decide(&self.shared, &request) {
            Decision::Keep => {}
            Decision::Rewrite(target) => rewrite(&mut request, target),
            Decision::Redirect { status, location } => {
                return ResponseFuture::ready(redirect(status, location));
            }
            Decision::NotFound => return ResponseFuture::ready(not_found()),
        }
        match &self.shared.prefix_header {
            None => {}
            Some(PrefixHeader::Told(prefix)) => {
                request.headers_mut().insert(&X_FORWARDED_PREFIX, prefix.clone());
            }
            Some(PrefixHeader::Removed) => {
                request.headers_mut().remove(&X_FORWARDED_PREFIX);
            }
        }
        let mapping = Mapping::new(&self.shared, authority(&request));
        ResponseFuture::inner(self.inner.call(request), mapping)
    }
}

enum Decision {
    Keep,
    Rewrite(PathAndQuery),
    Redirect { status: u16, location: String },
    NotFound,
}

fn decide<B>(shared: &Shared, request: &Request<B>) -> Decision {
    // A `CONNECT` target without a path (RFC 9110 § 9.3.6) is nothing that a prefix could hold.
    let Some(target) = request.uri().path_and_query().map(PathAndQuery::as_str) else {
        return Decision::Keep;
    };
    let class = RequestClass::of(request.method(), request.headers());
    let prefix = request.headers().get(&X_FORWARDED_PREFIX);
    let route = match prefix.and_then(|prefix| prefix.to_str().ok()) {
        Some(prefix) => shared.router.route_stripped(class, target, prefix),
        None => shared.router.route(class, target),
    };
    match route {
        Route::Pass { inner } => {
            let inside = shared.map.inside();
            if inside.is_root() && inner == target {
                return Decision::Keep;
            }
            let target = match (inside.is_root(), inner.starts_with('/')) {
                (true, _) | (_, false) => PathAndQuery::try_from(inner.as_ref()),
                (false, true) => PathAndQuery::try_from(inside.join(&inner)),
            };
            target.map_or(Decision::NotFound, Decision::Rewrite)
        }
        Route::Redirect { status, location } => Decision::Redirect { status, location },
        Route::NotFound => Decision::NotFound,
    }
}

fn rewrite<B>(request: &mut Request<B>, target: PathAndQuery) {
    let original = request.uri().clone();
    let mut parts = original.clone().into_parts();
    parts.path_and_query = Some(target);
    // Scheme and authority are kept as they were, both or neither: the parts fit together.
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
        // The outermost layer has seen what the client really asked for.
        if request.extensions().get::<OriginalTarget>().is_none() {
            request.extensions_mut().insert(OriginalTarget(original));
        }
    }
}

/// The host and port that the client asked, to tell its own URLs from others.
fn authority<B>(request: &Request<B>) -> Option<HostOf> {
    if let Some(authority) = request.uri().authority() {
        return Some(HostOf::Authority(authority.clone()));
    }
    request.headers().get(HOST).cloned().map(HostOf::Header)
}

/// Either place in which a request names its host; cloning both shares the bytes.
#[derive(Debug)]
pub(super) enum HostOf {
    Authority(Authority),
    Header(HeaderValue),
}

impl HostOf {
    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Authority(authority) => Some(authority.as_str()),
            Self::Header(value) => value.to_str().ok(),
        }
    }
}

fn redirect<R: Default>(status: u16, location: String) -> Response<R> {
    let Ok(location) = HeaderValue::try_from(location) else {
        return not_found();
    };
    let mut response = answer(
        StatusCode::from_u16(status).unwrap_or(StatusCode::FOUND),
        BaseUrlAnswer::Redirected,
    );
    response.headers_mut().insert(LOCATION, location);
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(CACHE_CONTROL, no_store);
    response
}

fn not_found<R: Default>() -> Response<R> {
    answer(StatusCode::NOT_FOUND, BaseUrlAnswer::NotFound)
}

fn answer<R: Default>(status: StatusCode, why: BaseUrlAnswer) -> Response<R> {
    let mut response = Response::new(R::default());
    *response.status_mut() = status;
    response.extensions_mut().insert(why);
    response
}
