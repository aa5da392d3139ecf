//! HTTP/2: many requests at once.

use std::pin::{Pin, pin};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http2::Connection;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tower_service::Service;

use super::activity::Activity;
use super::alarm::Alarm;
use super::drive::{Drive, Http, Limits};
use super::error::{ServeError, Served};
use super::http1::closed;
use super::io::Io;
use super::service::Tracked;
use super::{BoxError, HttpServer};
use crate::listeners::Facts;

impl<I, S, B> Http for Connection<TokioIo<Io<I>>, Tracked<S>, TokioExecutor>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// Serves requests until the connection ends.
pub(super) async fn serve<I, S, B>(
    server: &HttpServer,
    stream: I,
    before: Bytes,
    facts: &Facts,
    service: S,
    alarm: &mut Alarm,
) -> Result<Served, ServeError>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let activity = Activity::new(false);
    let io = TokioIo::new(Io::new(stream, before, activity.clone()));
    let tracked = Tracked {
        service,
        facts: facts.clone(),
        activity: activity.clone(),
    };
    let connection = pin!(server.http2().serve_connection(io, tracked));
    let options = server.options();
    let limits = Limits {
        headers: options.headers,
        idle: options.idle,
        rest: None,
    };
    let driven = Drive::new(facts, &activity, alarm, limits)
        .run(connection)
        .await;
    closed(driven)
}
