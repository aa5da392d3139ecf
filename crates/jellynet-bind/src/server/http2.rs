//! HTTP/2: many requests at once.

use std::pin::{Pin, pin};

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http2::Connection;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tower_service::Service;

use super::BoxError;
use super::activity::Activity;
use super::drive::{Drive, Http};
use super::http1::closed;
use super::io::Io;
use super::service::Tracked;
use super::serving::{End, Part};

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
pub(super) async fn serve<I, S, B>(part: Part<I, S>) -> End<I>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let (server, facts, mut alarm) = (part.server, part.facts, part.alarm);
    let activity = Activity::new(false);
    let io = TokioIo::new(Io::new(part.stream, part.before, activity.clone()));
    let tracked =
        Tracked { service: part.service, facts: facts.clone(), activity: activity.clone() };
    let connection = pin!(server.http2().serve_connection(io, tracked));
    let limits = server.limits(false);
    let drive = Drive::new(&facts, &activity, &mut alarm, limits, server.crowd());
    End::Closed(closed(drive.run(connection).await))
}
