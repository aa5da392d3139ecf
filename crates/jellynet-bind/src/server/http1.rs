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
use tokio::time::Instant;
use tower_service::Service;

use super::activity::Activity;
use super::alarm::Alarm;
use super::drive::{Drive, Driven, Http, Limits};
use super::error::{ServeError, Served};
use super::io::Io;
use super::service::Tracked;
use super::{BoxError, HttpServer};
use crate::listeners::Facts;

type Connection<I, S> = UpgradeableConnection<TokioIo<Io<I>>, Tracked<S>>;

/// What became of an HTTP/1.1 connection.
pub(super) enum End<I> {
    Closed(Result<Served, ServeError>),
    /// It is idle: only its stream is left, with bytes that came in the last moment.
    Resting {
        stream: I,
        early: Bytes,
        since: Instant,
    },
}

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
pub(super) async fn serve<I, S, B>(
    server: &HttpServer,
    stream: I,
    before: Bytes,
    facts: &Facts,
    service: S,
    alarm: &mut Alarm,
) -> End<I>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>> + Clone,
    S::Error: Into<BoxError>,
    B: Body + 'static,
    B::Error: Into<BoxError>,
{
    let activity = Activity::new(true);
    let io = TokioIo::new(Io::new(stream, before, activity.clone()));
    let tracked = Tracked {
        service,
        facts: facts.clone(),
        activity: activity.clone(),
    };
    let connection = server.http1().serve_connection(io, tracked);
    let mut connection = connection.with_upgrades();
    let options = server.options();
    let limits = Limits {
        headers: options.headers,
        idle: options.idle,
        rest: Some(options.rest),
    };
    let driven = Drive::new(facts, &activity, alarm, limits)
        .run(Pin::new(&mut connection))
        .await;
    let Driven::Resting { since } = driven else {
        return End::Closed(closed(driven));
    };
    activity.set_keep_stream(true);
    Pin::new(&mut connection).graceful_shutdown();
    let ended = poll_fn(|cx| Poll::Ready(Pin::new(&mut connection).poll(cx))).await;
    if ended.is_pending() {
        // The last response has not left the buffers yet: let it, and end after it.
        activity.set_keep_stream(false);
        let limits = Limits {
            rest: None,
            ..limits
        };
        let drive = Drive::new(facts, &activity, alarm, limits);
        return End::Closed(closed(drive.run(Pin::new(&mut connection)).await));
    }
    match connection.into_parts() {
        Some(parts) => End::Resting {
            stream: parts.io.into_inner().into_stream(),
            early: parts.read_buf,
            since,
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
        Driven::Cut => Ok(Served::Cut),
    }
}
