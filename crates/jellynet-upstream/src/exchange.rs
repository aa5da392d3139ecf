//! One request and the head of its response on one connection.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Method, StatusCode};
use tokio::io::AsyncWrite;

use crate::body::upload::{Drive, UploadError, Waiting};
use crate::conn::Conn;
use crate::error::{ForwardError, ResponseError};
use crate::head::decode::{ResponseHead, decode};
use crate::patience::Patience;

/// Most interim responses (1xx) before a final one.
const MAX_INTERIM: usize = 32;
/// How long an upload waits for the word of an upstream that does not know
/// `Expect: 100-continue` (RFC 9110 § 10.1.1: a client must not wait for ever).
const CONTINUE_WAIT: Duration = Duration::from_secs(1);

/// An upload, pinned and of any body.
pub(crate) type BoxUpload = Pin<Box<dyn Drive>>;

/// What one exchange needs besides its connection.
pub(crate) struct Exchange<'r> {
    /// The head of the request.
    pub(crate) head: &'r [u8],
    pub(crate) method: &'r Method,
    pub(crate) upgrade: bool,
    /// Hold the body back until the upstream says 100, or says nothing for a while.
    pub(crate) expects_continue: bool,
    pub(crate) first_byte_timeout: Duration,
    pub(crate) upload_timeout: Duration,
    /// Least bytes per second of an upload.
    pub(crate) min_upload_rate: u64,
}

/// How an exchange failed, and whether the upstream can have seen anything of it.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: ForwardError,
    /// Bytes of the request that the system took.
    pub(crate) wrote: usize,
    /// Whether a byte of a response came.
    pub(crate) answered: bool,
    /// Whether the body was begun.
    pub(crate) uploaded: bool,
}

/// The state of one exchange.
struct Run<'e, 'r> {
    exchange: &'e Exchange<'r>,
    wrote: usize,
    interim: usize,
    /// Set while the body is held back.
    hold: bool,
    /// The upload is over, one way or the other.
    uploaded: bool,
    began: bool,
    /// The first error on the way out; the upstream may have answered all the same.
    write_error: Option<io::Error>,
}

impl Exchange<'_> {
    /// Sends the request and waits for the head of the final response. The upload may be
    /// unfinished then: it is the caller's to drive on or to give up.
    ///
    /// # Cancel safety
    ///
    /// When dropped, the connection is in an unknown state and has to be closed.
    pub(crate) async fn run(
        &self,
        conn: &mut Conn,
        upload: &mut Option<BoxUpload>,
    ) -> Result<ResponseHead, Failure> {
        let mut run = Run {
            exchange: self,
            wrote: 0,
            interim: 0,
            hold: self.expects_continue,
            uploaded: upload.is_none(),
            began: false,
            write_error: None,
        };
        let mut watch = Watch::default();
        let result = std::future::poll_fn(|cx| {
            if let Poll::Ready(result) = run.poll(conn, upload, cx) {
                return Poll::Ready(result);
            }
            loop {
                ready!(watch.poll(&mut run, upload.as_ref(), &mut conn.patience, cx))?;
                // Held back long enough: the body goes now.
                if let Poll::Ready(result) = run.poll(conn, upload, cx) {
                    return Poll::Ready(result);
                }
            }
        })
        .await;
        conn.patience.rest();
        if run.uploaded {
            *upload = None;
        }
        result.map_err(|error| Failure {
            error,
            wrote: run.wrote,
            answered: run.interim > 0 || !conn.buffer.is_empty(),
            uploaded: run.began,
        })
    }
}

impl Run<'_, '_> {
    fn poll(
        &mut self,
        conn: &mut Conn,
        upload: &mut Option<BoxUpload>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<ResponseHead, ForwardError>> {
        self.poll_send(conn, upload, cx)?;
        loop {
            if !conn.buffer.is_empty()
                && let Some(head) = self.decode(conn)?
            {
                match head {
                    Head::Final(head) => return Poll::Ready(Ok(head)),
                    Head::Continue => self.poll_send(conn, upload, cx)?,
                    Head::Interim => {}
                }
                continue;
            }
            match ready!(conn.poll_fill(cx)) {
                Ok(0) => {
                    let source = self.write_error.take();
                    return Poll::Ready(Err(ForwardError::Closed { source }));
                }
                Ok(_) => {}
                Err(error) => {
                    let source = Some(self.write_error.take().unwrap_or(error));
                    return Poll::Ready(Err(ForwardError::Closed { source }));
                }
            }
        }
    }

    /// Sends what can be sent; an upstream that takes no more may still answer.
    fn poll_send(
        &mut self,
        conn: &mut Conn,
        upload: &mut Option<BoxUpload>,
        cx: &mut Context<'_>,
    ) -> Result<(), ForwardError> {
        self.poll_write(conn, upload, cx)?;
        // TLS may still hold what it took.
        if self.write_error.is_none()
            && let Poll::Ready(Err(error)) = Pin::new(&mut conn.io).poll_flush(cx)
        {
            self.write_error = Some(error);
        }
        Ok(())
    }

    fn poll_write(
        &mut self,
        conn: &mut Conn,
        upload: &mut Option<BoxUpload>,
        cx: &mut Context<'_>,
    ) -> Result<(), ForwardError> {
        if self.write_error.is_some() {
            return Ok(());
        }
        while let Some(rest) = self.exchange.head.get(self.wrote..).filter(|rest| !rest.is_empty())
        {
            match Pin::new(&mut conn.io).poll_write(cx, rest) {
                Poll::Ready(Ok(count)) if count > 0 => self.wrote += count,
                Poll::Ready(Ok(_)) => self.write_error = Some(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Err(error)) => self.write_error = Some(error),
                Poll::Pending => return Ok(()),
            }
            if self.write_error.is_some() {
                return Ok(());
            }
        }
        if self.uploaded || self.hold {
            return Ok(());
        }
        let Some(body) = upload.as_mut() else {
            return Ok(());
        };
        self.began = true;
        match body.as_mut().poll_drive(&mut conn.io, cx) {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => self.uploaded = true,
            Poll::Ready(Err(UploadError::Client(source))) => {
                return Err(ForwardError::ClientBody(source));
            }
            Poll::Ready(Err(UploadError::Upstream(error))) => self.write_error = Some(error),
        }
        Ok(())
    }

    fn decode(&mut self, conn: &mut Conn) -> Result<Option<Head>, ForwardError> {
        let upgrade = self.exchange.upgrade;
        let head = decode(&mut conn.buffer, self.exchange.method, upgrade);
        let Some(head) = head.map_err(ForwardError::Response)? else {
            return Ok(None);
        };
        if !head.status.is_informational() || head.status == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(Some(Head::Final(head)));
        }
        self.interim += 1;
        if self.interim > MAX_INTERIM {
            return Err(ForwardError::Response(ResponseError::TooManyInterim));
        }
        if head.status == StatusCode::CONTINUE && self.hold {
            self.hold = false;
            return Ok(Some(Head::Continue));
        }
        // Others are for the first hop: HTTP servers in Rust cannot send them on.
        Ok(Some(Head::Interim))
    }
}

enum Head {
    Final(ResponseHead),
    Continue,
    Interim,
}

/// Bytes of the head and of the body that went out, and for whom the rest of the body waits.
type Progress = (usize, u64, Option<Waiting>);

/// Looks after time-outs without touching a timer while bytes flow.
#[derive(Default)]
struct Watch {
    armed: Option<Progress>,
}

impl Watch {
    /// Whether enough happened in the last `limit`: anything at all, and of a client that the
    /// upstream waits for, the least rate.
    fn moved_on(&self, now: Progress, exchange: &Exchange<'_>, limit: Duration) -> bool {
        let Some(armed) = self.armed.filter(|armed| *armed != now) else {
            return false;
        };
        let still_client = (armed.2, now.2) == (Some(Waiting::Client), Some(Waiting::Client));
        let least = exchange.min_upload_rate.saturating_mul(limit.as_secs());
        !still_client || now.1.saturating_sub(armed.1) >= least
    }

    /// Ready with nothing when the body need not be held back any more, or with the time-out.
    fn poll(
        &mut self,
        run: &mut Run<'_, '_>,
        upload: Option<&BoxUpload>,
        patience: &mut Patience,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), ForwardError>> {
        loop {
            let active = upload.filter(|_| !run.uploaded && !run.hold);
            let progress = active.map(|upload| upload.progress());
            let (sent, waiting) = progress.map_or((0, None), |(sent, who)| (sent, Some(who)));
            let state = (run.wrote, sent, waiting);
            let limit = match waiting {
                _ if run.hold => CONTINUE_WAIT,
                Some(Waiting::Client) => run.exchange.upload_timeout,
                _ => run.exchange.first_byte_timeout,
            };
            if self.armed.is_none() {
                self.armed = Some(state);
                patience.rest();
            }
            ready!(patience.poll(limit, cx));
            if run.hold {
                run.hold = false;
                self.armed = None;
                return Poll::Ready(Ok(()));
            }
            // Enough went out since the timer was set: the wait begins anew.
            if self.moved_on(state, run.exchange, limit) {
                self.armed = Some(state);
                patience.rest();
                continue;
            }
            return Poll::Ready(Err(match waiting {
                Some(Waiting::Client) => ForwardError::ClientTimeout { after: limit },
                _ => ForwardError::FirstByteTimeout { after: limit },
            }));
        }
    }
}
