//! One connection from its first byte to its end, small while it does nothing.

use std::fmt;
use std::future::Future;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;
use tower_service::Service;

use super::alarm::Alarm;
use super::error::{ServeError, Served};
use super::options::Protocol;
use super::sniff::{Verdict, sniff};
use super::{BoxError, HttpServer, http1, http2};
use crate::listeners::{Facts, Phase};

/// How many bytes are read to see what they are; what comes is handed on whole.
const FIRST_READ: usize = 4096;
/// How long a new connection may still send its first request when the listeners drain.
const LAST_CALL: Duration = Duration::from_millis(500);

/// A connection that is being served; see [`HttpServer::serve`].
///
/// While nothing is asked of it, it is little more than its stream: what HTTP needs is made when
/// bytes come.
#[must_use = "nothing is served unless this is polled or spawned"]
pub struct Serving<I, S> {
    server: HttpServer,
    facts: Facts,
    service: S,
    state: State<I>,
}

enum State<I> {
    First(First<I>),
    Http(Pin<Box<dyn Future<Output = End<I>> + Send>>),
    Over,
}

/// A stream of which it is not known yet what it wants.
struct First<I> {
    stream: I,
    bytes: Bytes,
    protocol: Protocol,
    /// When it is too late, and what that is called.
    deadline: (Instant, Served),
    draining: bool,
    alarm: Alarm,
}

/// What serving HTTP takes.
pub(super) struct Part<I, S> {
    pub(super) server: HttpServer,
    pub(super) stream: I,
    pub(super) before: Bytes,
    pub(super) facts: Facts,
    pub(super) service: S,
    pub(super) alarm: Alarm,
}

/// How serving HTTP ended.
pub(super) enum End<I> {
    Closed(Result<Served, ServeError>),
    /// It is idle: only its stream is left, with bytes that came in the last moment.
    Resting {
        stream: I,
        early: Bytes,
        since: Instant,
        alarm: Alarm,
    },
}

impl<I, S> Serving<I, S> {
    pub(super) fn new(
        server: HttpServer,
        stream: I,
        facts: Facts,
        protocol: Protocol,
        service: S,
    ) -> Self {
        let late = Instant::now() + server.options().first_byte;
        Self {
            state: State::First(First {
                stream,
                bytes: Bytes::new(),
                protocol,
                deadline: (late, Served::FirstByteTimeout),
                draining: false,
                alarm: Alarm::default(),
            }),
            server,
            facts,
            service,
        }
    }
}

// Nothing in it is pinned in place: the boxed future is pinned by its box.
impl<I, S> Unpin for Serving<I, S> {}

impl<I, S, B> Future for Serving<I, S>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Output = Result<Served, ServeError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let this = &mut *self;
            match &mut this.state {
                State::First(first) => {
                    let protocol = match ready!(first.poll(&this.server, &this.facts, cx)) {
                        Ok(protocol) => protocol,
                        Err(ended) => {
                            this.state = State::Over;
                            return Poll::Ready(ended);
                        }
                    };
                    let State::First(first) = std::mem::replace(&mut this.state, State::Over)
                    else {
                        return Poll::Pending;
                    };
                    let part = Part {
                        server: this.server.clone(),
                        stream: first.stream,
                        before: first.bytes,
                        facts: this.facts.clone(),
                        service: this.service.clone(),
                        alarm: first.alarm,
                    };
                    this.state = State::Http(match protocol {
                        Protocol::Http2 => Box::pin(http2::serve(part)),
                        Protocol::Http1 | Protocol::Sniff => Box::pin(http1::serve(part)),
                    });
                }
                State::Http(http) => match ready!(http.as_mut().poll(cx)) {
                    End::Closed(ended) => {
                        this.state = State::Over;
                        return Poll::Ready(ended);
                    }
                    End::Resting { stream, early, since, alarm } => {
                        let late = since + this.server.options().idle;
                        this.state = State::First(First {
                            stream,
                            bytes: early,
                            protocol: Protocol::Http1,
                            deadline: (late, Served::IdleTimeout),
                            draining: false,
                            alarm,
                        });
                    }
                },
                // A future that has ended is not polled again.
                State::Over => return Poll::Pending,
            }
        }
    }
}

impl<I: AsyncRead + Unpin> First<I> {
    /// Reads until it is known what to do with the stream; `Err` when it ends before.
    fn poll(
        &mut self,
        server: &HttpServer,
        facts: &Facts,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Protocol, Result<Served, ServeError>>> {
        if self.protocol == Protocol::Http2 {
            return Poll::Ready(Ok(Protocol::Http2));
        }
        loop {
            if !self.bytes.is_empty() {
                match (self.protocol, sniff(&self.bytes)) {
                    (Protocol::Http1, _) | (_, Verdict::Http1) => {
                        return Poll::Ready(Ok(Protocol::Http1));
                    }
                    (_, Verdict::Http2) => return Poll::Ready(Ok(Protocol::Http2)),
                    (_, Verdict::Undecided) => {}
                }
            }
            let more = match ready!(self.poll_read(facts, cx)) {
                Ok(more) => more,
                Err(ended) => return Poll::Ready(Err(ended)),
            };
            if self.bytes.is_empty() {
                self.bytes = more;
                let late = Instant::now() + server.options().headers;
                self.deadline = (late, Served::HeadersTimeout);
            } else {
                self.bytes = [&self.bytes[..], &more].concat().into();
            }
        }
    }

    /// Reads what is there, at least one byte.
    fn poll_read(
        &mut self,
        facts: &Facts,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Bytes, Result<Served, ServeError>>> {
        let mut space = [MaybeUninit::uninit(); FIRST_READ];
        let mut buf = ReadBuf::uninit(&mut space);
        if let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(cx, &mut buf) {
            return Poll::Ready(match read {
                Ok(()) if buf.filled().is_empty() => Err(Ok(self.closed())),
                Ok(()) => Ok(Bytes::copy_from_slice(buf.filled())),
                Err(error) => Err(Err(ServeError::FirstBytes(error))),
            });
        }
        let (at, late) = &mut self.deadline;
        match facts.watch(cx.waker()) {
            Phase::Cut => return Poll::Ready(Err(Ok(Served::Cut))),
            Phase::Draining if *late == Served::IdleTimeout => {
                return Poll::Ready(Err(Ok(Served::Finished)));
            }
            Phase::Draining if !self.draining => {
                // A request may be under way that was sent before anybody could know.
                self.draining = true;
                *at = (*at).min(Instant::now() + LAST_CALL);
            }
            Phase::Draining | Phase::Serving => {}
        }
        self.alarm.poll(cx, *at).map(|()| Err(Ok(*late)))
    }

    /// What it is called when the client closes the stream here.
    const fn closed(&self) -> Served {
        match self.deadline.1 {
            Served::IdleTimeout => Served::Finished,
            _ => Served::Unused,
        }
    }
}

impl<I, S> fmt::Debug for Serving<I, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::First(_) => "waiting for bytes",
            State::Http(_) => "serving",
            State::Over => "over",
        };
        f.debug_struct("Serving")
            .field("facts", &self.facts)
            .field("state", &state)
            .finish_non_exhaustive()
    }
}
