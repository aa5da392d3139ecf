//! What answers now, behind connections that stay: a reload puts another in its place, and the
//! next request of every connection meets it.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use arc_swap::ArcSwap;
use http::Request;
use hyper::body::Incoming;
use jellynet_bind::HttpServer;
use tower_service::Service;

use crate::stack::{Stack, Stacks};

/// All that is made from one configuration and serves connections.
pub(crate) struct Version {
    pub(crate) stacks: Stacks,
    pub(crate) server: HttpServer,
    /// Whether known proxies begin with a PROXY protocol header.
    pub(crate) preamble: bool,
}

/// The version in force; a clone shares it.
#[derive(Clone)]
pub(crate) struct Live(Arc<ArcSwap<Version>>);

impl Live {
    pub(crate) fn new(version: Version) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(version)))
    }

    pub(crate) fn replace(&self, version: Version) {
        self.0.store(Arc::new(version));
    }

    pub(crate) fn version(&self) -> Arc<Version> {
        self.0.load_full()
    }

    /// What answers on the connections of one listener.
    pub(crate) fn service(&self, https: bool) -> Current {
        Current { live: self.clone(), https }
    }
}

impl Version {
    const fn stack(&self, https: bool) -> &Stack {
        if https { &self.stacks.https } else { &self.stacks.http }
    }
}

/// The stack in force, at each request; no request waits for a reload, and none is cut by one.
#[derive(Clone)]
pub(crate) struct Current {
    live: Live,
    https: bool,
}

impl Service<Request<Incoming>> for Current {
    type Response = <Stack as Service<Request<Incoming>>>::Response;
    type Error = Infallible;
    type Future = <Stack as Service<Request<Incoming>>>::Future;

    /// Every layer of ours is ready at once, so that none need be asked.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        let mut stack = self.live.0.load().stack(self.https).clone();
        stack.call(request)
    }
}
