//! The body of a response, streamed from the upstream with back-pressure.

pub(crate) mod framing;
mod linger;
pub(crate) mod multiplexed;
pub(crate) mod upload;

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use self::framing::{Framing, FramingError, Step};
use self::linger::linger;
use self::multiplexed::Multiplexed;
use self::upload::UploadError;
use crate::conn::Conn;
use crate::counters::Gauge;
use crate::exchange::BoxUpload;
use crate::pool::Pool;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// Why a response broke off. The client sees an incomplete message, never one that looks whole.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// The upstream closed the connection within the body.
    #[error("the upstream closed the connection within a body")]
    Closed {
        /// What the system says; nothing for an orderly end.
        #[source]
        source: Option<io::Error>,
    },
    /// The upstream fell silent within the body.
    #[error("the upstream sent nothing more of a body within {after:?}")]
    Timeout {
        /// The limit.
        after: Duration,
    },
    /// The client's own body broke off while the response was on its way.
    #[error("the client's body broke off")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The body's framing cannot be read without guessing.
    #[error("the framing of the upstream's body is malformed: {what}")]
    Malformed {
        /// What is wrong with it.
        what: String,
    },
}

impl From<FramingError> for BodyError {
    fn from(error: FramingError) -> Self {
        Self::Malformed { what: error.to_string() }
    }
}

/// The body of a response. Bytes are read from the upstream when they are asked for; dropping it
/// closes the connection and so cancels the upstream's work.
pub struct ResponseBody {
    /// What was read ahead.
    front: Bytes,
    kind: Kind,
    /// What is left of the request's body, where no other holds it.
    upload: Option<BoxUpload>,
    _flight: Option<Gauge>,
}

enum Kind {
    /// Nothing follows `front`.
    Whole,
    Stream(Box<Stream>),
    Multiplexed(Box<Multiplexed>),
    Broken(Option<BodyError>),
}

/// A body that is still on its way.
pub(crate) struct Stream {
    /// `None` once the connection was given back or closed.
    pub(crate) conn: Option<Conn>,
    pub(crate) framing: Framing,
    /// A request body that the upstream answered before it was all sent.
    pub(crate) upload: Option<BoxUpload>,
    pub(crate) keep_alive: bool,
    pub(crate) pool: Arc<Pool>,
    pub(crate) read_timeout: Duration,
}

impl ResponseBody {
    pub(crate) const fn whole(bytes: Bytes, flight: Option<Gauge>) -> Self {
        Self { front: bytes, kind: Kind::Whole, upload: None, _flight: flight }
    }

    pub(crate) fn stream(stream: Stream, flight: Gauge) -> Self {
        Self {
            front: Bytes::new(),
            kind: Kind::Stream(Box::new(stream)),
            upload: None,
            _flight: Some(flight),
        }
    }

    pub(crate) fn multiplexed(body: Multiplexed, flight: Gauge) -> Self {
        Self {
            front: Bytes::new(),
            kind: Kind::Multiplexed(Box::new(body)),
            upload: None,
            _flight: Some(flight),
        }
    }

    /// A body that breaks off behind `front`.
    pub(crate) const fn broken(front: Bytes, error: BodyError) -> Self {
        Self { front, kind: Kind::Broken(Some(error)), upload: None, _flight: None }
    }

    /// Keeps the request's body until this one is over.
    pub(crate) fn holding(mut self, upload: Option<BoxUpload>) -> Self {
        self.upload = upload;
        self
    }

    /// Puts what was read of this body back in front of the rest.
    pub(crate) fn after(mut self, front: Bytes) -> Self {
        self.front = front;
        self
    }
}

impl Default for ResponseBody {
    /// An empty body.
    fn default() -> Self {
        Self::whole(Bytes::new(), None)
    }
}

impl From<Bytes> for ResponseBody {
    fn from(bytes: Bytes) -> Self {
        Self::whole(bytes, None)
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.kind {
            Kind::Whole => "whole",
            Kind::Stream(_) | Kind::Multiplexed(_) => "stream",
            Kind::Broken(_) => "broken",
        };
        f.debug_struct("ResponseBody").field("kind", &kind).finish()
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        let upload = match &mut self.kind {
            Kind::Whole => self.upload.take(),
            Kind::Stream(stream) if stream.conn.is_none() => stream.upload.take(),
            Kind::Multiplexed(body) if body.is_end_stream() => body.rest(),
            // Broken off: so is the request.
            Kind::Stream(_) | Kind::Multiplexed(_) | Kind::Broken(_) => None,
        };
        if let Some(upload) = upload {
            linger(upload);
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if !this.front.is_empty() {
            let front = std::mem::take(&mut this.front);
            return Poll::Ready(Some(Ok(Frame::data(front))));
        }
        Poll::Ready(match &mut this.kind {
            Kind::Whole => None,
            Kind::Broken(error) => error.take().map(Err),
            Kind::Multiplexed(body) => ready!(body.poll_frame(cx)),
            Kind::Stream(stream) => {
                let frame = ready!(stream.poll_frame(cx));
                if !matches!(frame, Some(Ok(_))) {
                    stream.finish(frame.is_none());
                }
                frame
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.front.is_empty()
            && match &self.kind {
                Kind::Whole => true,
                Kind::Stream(stream) => stream.conn.is_none(),
                Kind::Multiplexed(body) => body.is_end_stream(),
                Kind::Broken(error) => error.is_none(),
            }
    }

    fn size_hint(&self) -> SizeHint {
        let left = match &self.kind {
            Kind::Whole => Some(0),
            Kind::Stream(stream) => match stream.framing {
                Framing::Length(left) => Some(left),
                _ if stream.conn.is_none() => Some(0),
                Framing::Chunked(_) | Framing::Close => None,
            },
            Kind::Multiplexed(body) => body.size_hint().exact(),
            Kind::Broken(_) => None,
        };
        let front = u64::try_from(self.front.len()).unwrap_or(u64::MAX);
        left.and_then(|left| left.checked_add(front))
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Stream {
    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(conn) = &mut self.conn else {
            return Poll::Ready(None);
        };
        if let Err(error) = poll_upload(&mut self.upload, &mut self.keep_alive, conn, cx) {
            return Poll::Ready(Some(Err(error)));
        }
        loop {
            match self.framing.step(&mut conn.buffer) {
                Ok(Step::Data(data)) => {
                    if matches!(self.framing, Framing::Length(0)) {
                        self.finish(true);
                    }
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Ok(Step::Trailers(trailers)) => {
                    // Nothing follows, and some readers do not ask again.
                    self.finish(true);
                    return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                }
                Ok(Step::End) => return Poll::Ready(None),
                Ok(Step::More) => {}
                Err(error) => return Poll::Ready(Some(Err(error.into()))),
            }
            let read = match conn.poll_fill(cx) {
                Poll::Ready(read) => read,
                Poll::Pending => {
                    ready!(conn.patience.poll(self.read_timeout, cx));
                    let after = self.read_timeout;
                    return Poll::Ready(Some(Err(BodyError::Timeout { after })));
                }
            };
            conn.patience.rest();
            match read {
                Ok(0) if matches!(self.framing, Framing::Close) => return Poll::Ready(None),
                Ok(0) => return Poll::Ready(Some(Err(BodyError::Closed { source: None }))),
                Ok(_) => {}
                Err(source) => {
                    let source = Some(source);
                    return Poll::Ready(Some(Err(BodyError::Closed { source })));
                }
            }
        }
    }

    /// Gives the connection back where it can carry another request, else closes it.
    fn finish(&mut self, whole: bool) {
        if let Some(conn) = self.conn.take()
            && whole
            && self.keep_alive
            && self.upload.is_none()
        {
            self.pool.put(conn);
        }
    }
}

/// Goes on with an upload beside the response. An upstream that takes no more of it answers with
/// what it has, and its connection carries nothing after that; a client that breaks off is gone.
fn poll_upload(
    upload: &mut Option<BoxUpload>,
    keep_alive: &mut bool,
    conn: &mut Conn,
    cx: &mut Context<'_>,
) -> Result<(), BodyError> {
    let Some(body) = upload else {
        return Ok(());
    };
    match body.as_mut().poll_drive(&mut conn.io, cx) {
        Poll::Pending => return Ok(()),
        Poll::Ready(Ok(())) => {}
        Poll::Ready(Err(UploadError::Client(source))) => return Err(BodyError::Client(source)),
        // What is left of it is read behind the response.
        Poll::Ready(Err(UploadError::Upstream(_))) => {
            *keep_alive = false;
            return Ok(());
        }
    }
    *upload = None;
    Ok(())
}
