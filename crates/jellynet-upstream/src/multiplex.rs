//! HTTP/2 without TLS, by prior knowledge (RFC 9113 § 3.3): one connection for all requests.

mod request;
mod watch;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{Method, Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::time::Instant;

use self::request::request;
use self::watch::UploadBody;
pub(crate) use self::watch::Watched;
use crate::config::UpstreamConfig;
use crate::connect::connect;
use crate::counters::{Counter, Counters, Gauge};
use crate::error::ForwardError;
use crate::exchange::BoxUpload;
use crate::health::Health;

/// How much of one response is on its way at most while its client does not read.
const STREAM_WINDOW: u32 = 256 * 1024;
/// Never what holds a stream up: each has its own window.
const CONNECTION_WINDOW: u32 = (1 << 31) - 1;
const MAX_HEAD: u32 = 64 * 1024;
const PING: Duration = Duration::from_secs(30);
const PONG: Duration = Duration::from_secs(20);
/// How often a request goes out at most: on a connection that was closing, on one to a server that
/// ended before it read it, and on one to the server that came.
const MOST_SENDS: usize = 3;

/// The connection of an upstream, made when it is needed.
#[derive(Debug, Default)]
pub(crate) struct Multiplex {
    link: Mutex<Option<Link>>,
    streams: Counter,
}

#[derive(Debug)]
struct Link {
    sender: SendRequest<UploadBody>,
    used: Instant,
}

/// Where a request goes, and what is told of it.
pub(crate) struct Way<'u> {
    pub(crate) config: &'u UpstreamConfig,
    pub(crate) counters: &'u Counters,
    pub(crate) health: &'u Health,
}

/// A response whose body is still to come.
pub(crate) struct Answered {
    pub(crate) response: Response<Incoming>,
    /// What of the request is still on its way.
    pub(crate) upload: Watched,
    pub(crate) stream: Gauge,
}

/// An attempt that failed.
struct Attempt {
    error: ForwardError,
    /// The request, if not a byte of it was sent.
    unsent: Option<Box<Request<UploadBody>>>,
}

impl Multiplex {
    /// Sends a request and waits for the head of its response; the upload goes on beside it. What is
    /// left of it when there is no response is given back.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future resets the stream.
    pub(crate) async fn exchange(
        &self,
        way: Way<'_>,
        head: &[u8],
        method: &Method,
        upload: &mut Option<BoxUpload>,
    ) -> Result<Answered, ForwardError> {
        let stream = self.streams.enter();
        let repeatable = upload.is_none() && method.is_idempotent();
        let request = request(head, ())?;
        let (body, watched) = UploadBody::new(upload.take());
        match self.send(&way, request.map(|()| body), &watched, repeatable).await {
            Ok(response) => Ok(Answered { response, upload: watched, stream }),
            Err(error) => {
                *upload = watched.take();
                Err(error)
            }
        }
    }

    /// As with HTTP/1.1: what did not go out, or is harmless to repeat, goes out again.
    async fn send(
        &self,
        way: &Way<'_>,
        mut request: Request<UploadBody>,
        watched: &Watched,
        repeatable: bool,
    ) -> Result<Response<Incoming>, ForwardError> {
        let mut left = MOST_SENDS;
        loop {
            left -= 1;
            let error = match self.sender(way).await {
                Ok(sender) => {
                    let again = (left > 0 && repeatable).then(|| copy(&request));
                    let Attempt { error, unsent } =
                        match send(sender, request, watched, way.config).await {
                            Ok(response) => return Ok(response),
                            Err(attempt) => attempt,
                        };
                    let broke = matches!(error, ForwardError::Multiplex(_));
                    let unsent = unsent.map(|request| *request);
                    request = match unsent.or_else(|| again.filter(|_| broke)) {
                        Some(request) => request,
                        None => return Err(error),
                    };
                    error
                }
                Err(error) => error,
            };
            if left == 0 || !matches!(error, ForwardError::Multiplex(_)) {
                return Err(error);
            }
            self.drop_closed();
            way.counters.retry();
        }
    }

    /// The connection that is there, or a new one.
    async fn sender(&self, way: &Way<'_>) -> Result<SendRequest<UploadBody>, ForwardError> {
        if let Some(sender) = self.kept() {
            return Ok(sender);
        }
        let io = connect(way.config).await.inspect_err(|error| way.health.connect_failed(error))?;
        way.health.connected();
        let (sender, connection) = Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(MAX_HEAD)
            .keep_alive_interval(PING)
            .keep_alive_timeout(PONG)
            .handshake(TokioIo::new(io))
            .await
            .map_err(|error| ForwardError::Multiplex(error.into()))?;
        let open = way.counters.connections.enter();
        tokio::spawn(async move {
            let _open = open;
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection to the upstream broke");
            }
        });
        *self.lock() = Some(Link { sender: sender.clone(), used: Instant::now() });
        Ok(sender)
    }

    fn kept(&self) -> Option<SendRequest<UploadBody>> {
        let mut link = self.lock();
        let link = link.as_mut().filter(|link| !link.sender.is_closed())?;
        link.used = Instant::now();
        Some(link.sender.clone())
    }

    fn drop_closed(&self) {
        let mut link = self.lock();
        if link.as_ref().is_some_and(|link| link.sender.is_closed()) {
            *link = None;
        }
    }

    /// Drops a connection that is of no more use.
    pub(crate) fn prune(&self, timeout: Duration) {
        self.drop_closed();
        let mut link = self.lock();
        if self.streams.count() == 0 && link.as_ref().is_some_and(|l| l.used.elapsed() >= timeout) {
            *link = None;
        }
    }

    /// Closes the connection once it carries nothing.
    pub(crate) fn clear(&self) {
        *self.lock() = None;
    }

    /// How many connections wait for the next request.
    pub(crate) fn idle(&self) -> usize {
        let link = self.lock();
        let open = link.as_ref().is_some_and(|link| !link.sender.is_closed());
        usize::from(open && self.streams.count() == 0)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Link>> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same request, which has no body.
fn copy(request: &Request<UploadBody>) -> Request<UploadBody> {
    let mut copy = Request::new(UploadBody::new(None).0);
    copy.method_mut().clone_from(request.method());
    copy.uri_mut().clone_from(request.uri());
    copy.headers_mut().clone_from(request.headers());
    copy
}

/// Waits for the head, for as long as something moves.
async fn send(
    mut sender: SendRequest<UploadBody>,
    request: Request<UploadBody>,
    watched: &Watched,
    config: &UpstreamConfig,
) -> Result<Response<Incoming>, Attempt> {
    let mut response = std::pin::pin!(sender.try_send_request(request));
    tokio::select! {
        sent = &mut response => sent.map_err(|error| blame(error, watched)),
        error = watched.expire(config) => Err(Attempt { error, unsent: None }),
    }
}

fn blame(mut error: TrySendError<Request<UploadBody>>, watched: &Watched) -> Attempt {
    let unsent = error.take_message().map(Box::new);
    let error = match watched.broken() {
        Some(error) => ForwardError::ClientBody(error),
        None => ForwardError::Multiplex(error.into_error().into()),
    };
    Attempt { error, unsent }
}
