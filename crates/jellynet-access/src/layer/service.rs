//! The service that the layer makes.

use std::task::{Context, Poll};

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Request, Response, StatusCode};
use jellynet_netif::{ClientAddr, PeerAddr};
use tower_service::Service;

#[cfg(feature = "tracing")]
use super::log;
use super::{AccessLayer, ResponseFuture};
use crate::decision::Decision;

/// What a client reads that may not come in. Why it may not is between us and the operator.
const BODY: &str = "This server does not answer requests from your address.\n";

/// A service that only those reach who may. Made by [`AccessLayer`].
#[derive(Clone, Debug)]
pub struct Access<S> {
    inner: S,
    layer: AccessLayer,
}

impl<S> Access<S> {
    pub(super) const fn new(inner: S, layer: AccessLayer) -> Self {
        Self { inner, layer }
    }
}

impl<S, B, R> Service<Request<B>> for Access<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: From<&'static str>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let client = request.extensions().get::<ClientAddr>().copied();
        let peer = request.extensions().get::<PeerAddr>().copied();
        let decision = self.layer.policy.with(|policy| policy.decide(client, peer));
        self.layer.counters.count(decision.reason);
        if decision.allowed {
            request.extensions_mut().insert(decision);
            return ResponseFuture::passed(self.inner.call(request));
        }
        #[cfg(feature = "tracing")]
        log::refusal(client, peer, decision.reason);
        ResponseFuture::refused(refusal(decision))
    }
}

fn refusal<R: From<&'static str>>(decision: Decision) -> Response<R> {
    let mut response = Response::new(R::from(BODY));
    *response.status_mut() = StatusCode::FORBIDDEN;
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    // The next address may be allowed.
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(CACHE_CONTROL, no_store);
    response.extensions_mut().insert(decision);
    response
}
