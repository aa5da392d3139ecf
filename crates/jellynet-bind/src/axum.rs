//! `axum::serve` on these listeners.
//!
//! `axum::serve` has no deadlines of its own: a client that sends nothing stays connected for as
//! long as it likes. [`HttpServer`](crate::HttpServer) takes an axum `Router` as well, and has.

use std::future::pending;
use std::io;
use std::task::{Context, Poll};

use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::serve::{IncomingStream, Listener};
use http::Request;
use jellynet_netif::{LocalAddr, PeerAddr};
use tower_layer::Layer;
use tower_service::Service;

use crate::bind::BoundAddr;
use crate::listeners::{Connection, Facts, Listeners};

impl Listener for Listeners {
    type Io = Connection;
    type Addr = Facts;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match Self::accept(self).await {
            Some(connection) => {
                let facts = connection.facts();
                (connection, facts)
            }
            // axum ends by its own signal only.
            None => pending().await,
        }
    }

    /// The first socket's address, with an unspecified peer.
    fn local_addr(&self) -> io::Result<Self::Addr> {
        let first = self.open_addrs().next();
        match first.ok_or(io::ErrorKind::AddrNotAvailable)? {
            BoundAddr::Inet(addr) => {
                let nobody = std::net::SocketAddr::new(addr.ip(), 0);
                Ok(Facts::new(PeerAddr::inet(nobody), Some(LocalAddr::new(*addr))))
            }
            BoundAddr::Unix(_) | BoundAddr::Fd(_) => Ok(Facts::new(PeerAddr::Unix, None)),
        }
    }
}

impl Connected<IncomingStream<'_, Listeners>> for Facts {
    fn connect_info(stream: IncomingStream<'_, Listeners>) -> Self {
        stream.remote_addr().clone()
    }
}

/// Turns axum's connection info into the typed [`PeerAddr`] and [`LocalAddr`] extensions that
/// other layers read.
///
/// Needs `into_make_service_with_connect_info::<Facts>()`; without it, nothing is inserted.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct FactsLayer;

impl FactsLayer {
    /// The layer.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl<S> Layer<S> for FactsLayer {
    type Service = WithFacts<S>;

    fn layer(&self, inner: S) -> Self::Service {
        WithFacts { inner }
    }
}

/// The service of [`FactsLayer`].
#[derive(Clone, Copy, Debug)]
pub struct WithFacts<S> {
    inner: S,
}

impl<S, B> Service<Request<B>> for WithFacts<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let extensions = request.extensions_mut();
        let facts = extensions.get::<ConnectInfo<Facts>>().map(|info| {
            let ConnectInfo(facts) = info;
            (facts.peer_addr(), facts.local_addr())
        });
        if let Some((peer, local)) = facts {
            extensions.insert(peer);
            if let Some(local) = local {
                extensions.insert(local);
            }
        }
        self.inner.call(request)
    }
}
