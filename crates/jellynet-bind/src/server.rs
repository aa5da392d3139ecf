//! HTTP/1.1 and HTTP/2 on accepted connections, each step under a deadline.

mod activity;
mod alarm;
mod drive;
mod error;
mod http1;
mod http2;
mod io;
mod options;
mod pace;
mod service;
mod serving;
mod sniff;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use ::http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tower_service::Service;

use self::drive::{Crowd, Limits};
use self::pace::Pace;
use crate::listeners::{Connection, Facts};

pub use self::error::{ServeError, Served};
pub use self::options::{Protocol, ServeOptions};
pub use self::serving::Serving;

type BoxError = Box<dyn Error + Send + Sync>;

/// Serves HTTP on one connection after the other; cheap to clone.
///
/// hyper alone leaves a client that sends nothing, or half an HTTP/2 preface, connected for ever
/// (hyperium/hyper#3756, #3962). Here the first bytes are read under a deadline before hyper sees
/// the stream, and each later step has one too: see [`ServeOptions`].
///
/// Each request carries [`PeerAddr`](jellynet_netif::PeerAddr) and, but for Unix sockets,
/// [`LocalAddr`](jellynet_netif::LocalAddr) as extensions. Upgrades work.
///
/// # Examples
///
/// ```no_run
/// # async fn serve<S, B>(mut listeners: jellynet_bind::Listeners, app: S)
/// # where
/// #     S: tower_service::Service<http::Request<hyper::body::Incoming>, Response = http::Response<B>>
/// #         + Clone + Send + 'static,
/// #     S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
/// #     S::Future: Send + 'static,
/// #     B: http_body::Body + Send + 'static,
/// #     B::Data: Send,
/// #     B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
/// # {
/// use jellynet_bind::{HttpServer, ServeOptions};
///
/// let server = HttpServer::new(ServeOptions::default());
/// while let Some(connection) = listeners.accept().await {
///     tokio::spawn(server.serve(connection, app.clone()));
/// }
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct HttpServer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    options: ServeOptions,
    http1: hyper::server::conn::http1::Builder,
    http2: hyper::server::conn::http2::Builder<TokioExecutor>,
    crowd: Crowd,
}

impl HttpServer {
    /// A server with these deadlines and limits.
    #[must_use]
    pub fn new(options: ServeOptions) -> Self {
        let mut http1 = hyper::server::conn::http1::Builder::new();
        // The deadlines are ours: hyper's starts anew with each idle time.
        http1.header_read_timeout(None).max_header_size(options.max_head as usize);
        let mut http2 = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .max_concurrent_streams(options.max_streams)
            .max_header_list_size(options.max_head)
            .initial_stream_window_size(options.h2_window)
            .initial_connection_window_size(options.h2_window)
            .keep_alive_interval(options.h2_ping)
            .keep_alive_timeout(Duration::from_secs(20));
        Self(Arc::new(Inner { options, http1, http2, crowd: Crowd::default() }))
    }

    fn options(&self) -> &ServeOptions {
        &self.0.options
    }

    fn http1(&self) -> &hyper::server::conn::http1::Builder {
        &self.0.http1
    }

    fn http2(&self) -> &hyper::server::conn::http2::Builder<TokioExecutor> {
        &self.0.http2
    }

    fn crowd(&self) -> &Crowd {
        &self.0.crowd
    }

    fn limits(&self, rests: bool) -> Limits {
        let options = self.options();
        Limits {
            headers: options.headers,
            idle: options.idle,
            rest: rests.then_some(options.rest),
            pace: Pace {
                patience: options.send,
                crowded: options.send_crowded,
                rate: options.min_send_rate,
            },
        }
    }

    /// Serves an accepted connection until it ends; the future can be spawned as it is.
    ///
    /// What it yields is an error when the client breaks HTTP or goes away in the middle: nothing
    /// to wake anybody for.
    pub fn serve<S, B>(&self, connection: Connection, service: S) -> Serving<Connection, S>
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        let facts = connection.facts();
        self.serve_stream(connection, facts, Protocol::Sniff, service)
    }

    /// Serves any stream until it ends, such as a TLS one around an accepted connection whose
    /// [facts](Connection::facts) were kept.
    ///
    /// What it yields is an error when the client breaks HTTP or goes away in the middle: nothing
    /// to wake anybody for. Dropping it closes the connection at once.
    pub fn serve_stream<I, S, B>(
        &self,
        stream: I,
        facts: Facts,
        protocol: Protocol,
        service: S,
    ) -> Serving<I, S>
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        Serving::new(self.clone(), stream, facts, protocol, service)
    }
}
