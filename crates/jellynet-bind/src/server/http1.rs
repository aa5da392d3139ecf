//! HTTP/1.1: one request after the other, and next to nothing kept in between.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1::UpgradeableConnection;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tower_service::Service;

use super::BoxError;
use super::activity::Activity;
use super::drive::{Drive, Driven, Http};
use super::error::{ServeError, Served};
use super::io::Io;
use super::service::Tracked;
use super::serving::{End, Part};

type Connection<I, S> = UpgradeableConnection<TokioIo<Io<I>>, Tracked<S>>;

impl<I, S, B> Http for Connection<I, S>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>> + Clone,
    S::Error: Into<BoxError>,
    B: Body + 'static,
    B::Error: Into<BoxError>,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// Serves requests until the connection ends or rests.
pub(super) async fn serve<I, S, B>(part: Part<I, S>) -> End<I>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>> + Clone,
    S::Error: Into<BoxError>,
    B: Body + 'static,
    B::Error: Into<BoxError>,
{
    let (server, facts, mut alarm) = (part.server, part.facts, part.alarm);
    let activity = Activity::new(true);
    let io = TokioIo::new(Io::new(part.stream, part.before, activity.clone()));
    let tracked =
        Tracked { service: part.service, facts: facts.clone(), activity: activity.clone() };
    let connection = server.http1().serve_connection(io, tracked);
    let mut connection = connection.with_upgrades();
    let limits = server.limits(true);
    let member = server.crowd().join();
    let driven = Drive::new(&facts, &activity, &mut alarm, limits, server.crowd())
        .run(Pin::new(&mut connection))
        .await;
    let Driven::Resting { since } = driven else {
        return End::Closed(closed(driven));
    };
    drop(member);
    activity.set_keep_stream(true);
    Pin::new(&mut connection).graceful_shutdown();
    let ended = poll_fn(|cx| Poll::Ready(Pin::new(&mut connection).poll(cx))).await;
    if ended.is_pending() {
        // The last response has not left the buffers yet: let it, and end after it.
        activity.set_keep_stream(false);
        let limits = server.limits(false);
        let drive = Drive::new(&facts, &activity, &mut alarm, limits, server.crowd());
        return End::Closed(closed(drive.run(Pin::new(&mut connection)).await));
    }
    match connection.into_parts() {
        Some(parts) => End::Resting {
            stream: parts.io.into_inner().into_stream(),
            // A copy, because even an empty remainder would keep hyper's whole buffer alive.
            early: Bytes::copy_from_slice(&parts.read_buf),
            since,
            alarm,
        },
        None => End::Closed(Ok(Served::Finished)),
    }
}

pub(super) fn closed(driven: Driven) -> Result<Served, ServeError> {
    match driven {
        Driven::Done(Ok(())) | Driven::Resting { .. } => Ok(Served::Finished),
        Driven::Done(Err(error)) => Err(ServeError::Http(Box::new(error))),
        Driven::HeadersTimeout => Ok(Served::HeadersTimeout),
        Driven::IdleTimeout => Ok(Served::IdleTimeout),
        Driven::SendTimeout => Ok(Served::SendTimeout),
        Driven::Cut => Ok(Served::Cut),
    }
}
