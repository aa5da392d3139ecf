//! The service that the layer makes.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::Request;
use tower_service::Service;

use super::Settings;

/// A service that knows the real client. Made by [`ForwardedLayer`](crate::ForwardedLayer).
#[derive(Clone, Debug)]
pub struct Forwarded<S> {
    inner: S,
    settings: Arc<Settings>,
}

impl<S> Forwarded<S> {
    pub(super) const fn new(inner: S, settings: Arc<Settings>) -> Self {
        Self { inner, settings }
    }
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for Forwarded<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> S::Future {
        let (mut parts, body) = request.into_parts();
        self.settings.apply(&mut parts);
        self.inner.call(Request::from_parts(parts, body))
    }
}
