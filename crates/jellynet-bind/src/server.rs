//! HTTP/1.1 and HTTP/2 on accepted connections, each step under a deadline.

mod activity;
mod alarm;
mod drive;
mod error;
mod http1;
mod http2;
mod io;
mod options;
mod service;
mod sniff;

use std::error::Error;
use std::future::poll_fn;
use std::io::Result as IoResult;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use ::http::{Request, Response};
use bytes::Bytes;
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;
use tower_service::Service;

use self::alarm::Alarm;
use self::http1::End;
use self::sniff::{Verdict, sniff};
use crate::listeners::{Connection, Facts, Phase};

pub use self::error::{ServeError, Served};
pub use self::options::{Protocol, ServeOptions};

type BoxError = Box<dyn Error + Send + Sync>;

/// How many bytes are read to see what they are; what comes is handed on whole.
const FIRST_READ: usize = 4096;
/// How long a new connection may still send its first request when the listeners drain.
const LAST_CALL: Duration = Duration::from_millis(500);

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
///     let (server, app) = (server.clone(), app.clone());
///     tokio::spawn(async move { server.serve(connection, app).await });
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
}

impl HttpServer {
    /// A server with these deadlines and limits.
    #[must_use]
    pub fn new(options: ServeOptions) -> Self {
        let mut http1 = hyper::server::conn::http1::Builder::new();
        // The deadlines are ours: hyper's starts anew with each idle time.
        http1
            .header_read_timeout(None)
            .max_header_size(options.max_head as usize);
        let mut http2 = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .max_concurrent_streams(options.max_streams)
            .max_header_list_size(options.max_head)
            .initial_stream_window_size(options.h2_window)
            .initial_connection_window_size(options.h2_window)
            .keep_alive_interval(options.h2_ping)
            .keep_alive_timeout(Duration::from_secs(20));
        Self(Arc::new(Inner {
            options,
            http1,
            http2,
        }))
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

    /// Serves an accepted connection until it ends.
    ///
    /// # Errors
    ///
    /// When the client breaks HTTP or goes away in the middle; nothing to wake anybody for.
    pub async fn serve<S, B>(
        &self,
        connection: Connection,
        service: S,
    ) -> Result<Served, ServeError>
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
            .await
    }

    /// Serves any stream until it ends, such as a TLS one around an accepted connection whose
    /// [facts](Connection::facts) were kept.
    ///
    /// # Errors
    ///
    /// When the client breaks HTTP or goes away in the middle; nothing to wake anybody for.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection at once.
    pub async fn serve_stream<I, S, B>(
        &self,
        mut stream: I,
        facts: Facts,
        protocol: Protocol,
        service: S,
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
        let options = self.options();
        let mut alarm = Alarm::default();
        let mut deadline = (
            Instant::now() + options.first_byte,
            Served::FirstByteTimeout,
        );
        let mut protocol = protocol;
        let mut early = Bytes::new();
        loop {
            let first =
                self.first_bytes(&mut stream, &facts, protocol, deadline, early, &mut alarm);
            let bytes = match first.await {
                First::Ended(ended) => return ended,
                First::Http2(bytes) => {
                    let served = http2::serve(self, stream, bytes, &facts, service, &mut alarm);
                    return Box::pin(served).await;
                }
                First::Http1(bytes) => bytes,
            };
            let service = service.clone();
            // Boxed, so that a resting connection is as small as what is beside it here.
            let served = Box::pin(http1::serve(
                self, stream, bytes, &facts, service, &mut alarm,
            ));
            match served.await {
                End::Closed(ended) => return ended,
                End::Resting {
                    stream: rested,
                    early: bytes,
                    since,
                } => {
                    stream = rested;
                    early = bytes;
                    deadline = (since + options.idle, Served::IdleTimeout);
                    protocol = Protocol::Http1;
                }
            }
        }
    }

    /// Reads until it is known what to do with the stream.
    async fn first_bytes<I: AsyncRead + Unpin>(
        &self,
        stream: &mut I,
        facts: &Facts,
        protocol: Protocol,
        mut deadline: (Instant, Served),
        early: Bytes,
        alarm: &mut Alarm,
    ) -> First {
        if protocol == Protocol::Http2 {
            return First::Http2(early);
        }
        let mut bytes = early;
        loop {
            if !bytes.is_empty() {
                match (protocol, sniff(&bytes)) {
                    (Protocol::Http1, _) | (_, Verdict::Http1) => return First::Http1(bytes),
                    (_, Verdict::Http2) => return First::Http2(bytes),
                    (_, Verdict::Undecided) => {}
                }
            }
            let more = match read_some(stream, facts, deadline, alarm).await {
                Ok(more) => more,
                Err(ended) => return First::Ended(ended),
            };
            if bytes.is_empty() {
                bytes = more;
                deadline = (
                    Instant::now() + self.options().headers,
                    Served::HeadersTimeout,
                );
            } else {
                bytes = [bytes, more].concat().into();
            }
        }
    }
}

enum First {
    Http1(Bytes),
    Http2(Bytes),
    Ended(Result<Served, ServeError>),
}

/// Reads what is there, at least one byte; `Err` when the connection ends here.
async fn read_some<I: AsyncRead + Unpin>(
    stream: &mut I,
    facts: &Facts,
    (mut at, late): (Instant, Served),
    alarm: &mut Alarm,
) -> Result<Bytes, Result<Served, ServeError>> {
    let mut draining = false;
    poll_fn(|cx| {
        let mut space = [MaybeUninit::uninit(); FIRST_READ];
        let mut buf = ReadBuf::uninit(&mut space);
        let read: Poll<IoResult<()>> = Pin::new(&mut *stream).poll_read(cx, &mut buf);
        if let Poll::Ready(read) = read {
            return Poll::Ready(match read {
                Ok(()) if buf.filled().is_empty() => Err(Ok(match late {
                    Served::FirstByteTimeout => Served::Unused,
                    _ => Served::Finished,
                })),
                Ok(()) => Ok(Bytes::copy_from_slice(buf.filled())),
                Err(error) => Err(Err(ServeError::FirstBytes(error))),
            });
        }
        let phase = facts.watch(cx.waker());
        if phase == Phase::Cut || (phase == Phase::Draining && late == Served::IdleTimeout) {
            return Poll::Ready(Err(Ok(Served::Finished)));
        }
        if phase == Phase::Draining && !std::mem::replace(&mut draining, true) {
            // A request may be under way that was sent before anybody could know.
            at = at.min(Instant::now() + LAST_CALL);
        }
        alarm.poll(cx, at).map(|()| Err(Ok(late)))
    })
    .await
}
