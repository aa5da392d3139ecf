//! The body of a request on its way to the upstream.

pub(crate) mod ahead;
mod source;

use std::error::Error as StdError;
use std::io::{self, IoSlice, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame};
use pin_project_lite::pin_project;
use tokio::io::AsyncWrite;

use self::source::Source;
use super::framing::may_trail;
use crate::conn::Io;

/// Why an upload cannot go on.
#[derive(Debug)]
pub(crate) enum UploadError {
    /// The client's body failed, or is not as long as it said.
    Client(BoxError),
    /// The upstream takes no more.
    Upstream(io::Error),
}

/// What an upload waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    Client,
    Upstream,
}

/// An upload, whatever its body.
pub(crate) trait Drive: Send {
    /// Reads ahead: all of a body of known length, or its first `most` bytes; of any other, what
    /// comes first.
    fn poll_ahead(
        self: Pin<&mut Self>,
        most: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), BoxError>>;

    /// How many bytes were read ahead so far.
    fn ahead(&self) -> usize;

    /// Sends what can be sent; ready when all is sent.
    fn poll_drive(
        self: Pin<&mut Self>,
        io: &mut Io,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), UploadError>>;

    /// Reads what is left of the body and forgets it, `limit` bytes at most; ready at its end.
    fn poll_discard(self: Pin<&mut Self>, limit: &mut usize, cx: &mut Context<'_>) -> Poll<()>;

    /// How many bytes the upstream took, and for whom the rest waits.
    fn progress(&self) -> (u64, Waiting);

    /// The next piece of the body as it is, for a protocol with framing of its own; fields that
    /// may not trail are left out.
    fn poll_piece(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>>;

    /// How many bytes are still to come, if that is known.
    fn left(&self) -> Option<u64>;

    /// Whether it is known that no piece follows.
    fn is_over(&self) -> bool;
}

type BoxError = Box<dyn StdError + Send + Sync>;

const LONG: &str = "the body is longer than its content-length";
const SHORT: &str = "the body is shorter than its content-length";

/// How the body is delimited on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UploadLength {
    /// This many bytes are still to come.
    Exact(u64),
    Chunked,
}

pin_project! {
    /// A body with its framing; memory is one frame and what was read ahead, whatever its length.
    pub(crate) struct Upload<B> {
        #[pin]
        source: Source<B>,
        length: UploadLength,
        // Framing that goes out before `data`.
        frame: BytesMut,
        data: Bytes,
        // Framing that goes out after `data`.
        tail: &'static [u8],
        ended: bool,
        sent: u64,
        waiting: Waiting,
    }
}

impl<B> Upload<B> {
    pub(crate) fn new(body: B, length: UploadLength) -> Self {
        Self {
            source: Source::new(body),
            length,
            frame: BytesMut::new(),
            data: Bytes::new(),
            tail: b"",
            ended: false,
            sent: 0,
            waiting: Waiting::Client,
        }
    }
}

impl<B> Drive for Upload<B>
where
    B: Body + Send,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    fn poll_ahead(
        self: Pin<&mut Self>,
        most: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), BoxError>> {
        let this = self.project();
        let (enough, all) = match this.length {
            UploadLength::Exact(left) => match usize::try_from(*left) {
                Ok(left) if left <= most => (left, true),
                _ => (most, false),
            },
            UploadLength::Chunked => (most.min(1), false),
        };
        let count = ready!(this.source.poll_ahead(enough, cx)?);
        Poll::Ready(if all && count < enough { Err(SHORT.into()) } else { Ok(()) })
    }

    fn ahead(&self) -> usize {
        self.source.ahead()
    }

    fn poll_drive(
        mut self: Pin<&mut Self>,
        io: &mut Io,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), UploadError>> {
        loop {
            ready!(self.as_mut().poll_flush(io, cx)).map_err(UploadError::Upstream)?;
            let this = self.as_mut().project();
            // TLS may still hold what it took.
            let flushed = Pin::new(&mut *io).poll_flush(cx).map_err(UploadError::Upstream)?;
            if *this.ended {
                return flushed.map(Ok);
            }
            if this.source.is_over() {
                *this.ended = true;
                finish(this.frame, *this.length, None)?;
                continue;
            }
            *this.waiting = Waiting::Client;
            let frame = match ready!(this.source.poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return Poll::Ready(Err(UploadError::Client(error))),
                None => {
                    *this.ended = true;
                    finish(this.frame, *this.length, None)?;
                    continue;
                }
            };
            match frame.into_data() {
                Ok(data) if data.has_remaining() => {
                    *this.tail = begin(this.frame, this.length, data.len())?;
                    *this.data = data;
                }
                Ok(_) => {}
                Err(frame) => {
                    if let Ok(trailers) = frame.into_trailers() {
                        *this.ended = true;
                        finish(this.frame, *this.length, Some(&trailers))?;
                    }
                }
            }
        }
    }

    fn poll_discard(mut self: Pin<&mut Self>, limit: &mut usize, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let this = self.as_mut().project();
            if *this.ended {
                return Poll::Ready(());
            }
            match ready!(this.source.poll_frame(cx)) {
                Some(Ok(frame)) => {
                    let len = frame.data_ref().map_or(0, Bytes::len);
                    *limit = limit.saturating_sub(len);
                    *this.ended = *limit == 0 || frame.is_trailers();
                }
                Some(Err(_)) | None => *this.ended = true,
            }
        }
    }

    fn progress(&self) -> (u64, Waiting) {
        (self.sent, self.waiting)
    }

    fn poll_piece(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.project();
        Poll::Ready(match ready!(this.source.poll_frame(cx)) {
            Some(Ok(frame)) => Some(piece(frame, this.length)),
            Some(Err(error)) => Some(Err(error)),
            None => match this.length {
                UploadLength::Exact(left) if *left > 0 => Some(Err(SHORT.into())),
                UploadLength::Exact(_) | UploadLength::Chunked => None,
            },
        })
    }

    fn left(&self) -> Option<u64> {
        match self.length {
            UploadLength::Exact(left) => Some(left),
            UploadLength::Chunked => None,
        }
    }

    fn is_over(&self) -> bool {
        self.source.is_over() && self.left().is_none_or(|left| left == 0)
    }
}

impl<B> Upload<B> {
    fn poll_flush(self: Pin<&mut Self>, io: &mut Io, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.project();
        *this.waiting = Waiting::Upstream;
        while !(this.frame.is_empty() && this.data.is_empty() && this.tail.is_empty()) {
            let slices = [this.frame.as_ref(), this.data.as_ref(), *this.tail].map(IoSlice::new);
            let mut count = ready!(Pin::new(&mut *io).poll_write_vectored(cx, &slices))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            *this.sent += u64::try_from(count).unwrap_or(u64::MAX);
            let framed = count.min(this.frame.len());
            this.frame.advance(framed);
            count -= framed;
            let written = count.min(this.data.len());
            this.data.advance(written);
            count -= written;
            *this.tail = this.tail.get(count..).unwrap_or_default();
        }
        // An empty rest would keep its buffer alive.
        *this.data = Bytes::new();
        Poll::Ready(Ok(()))
    }
}

/// A frame with nothing in it that may not be passed on.
fn piece(frame: Frame<Bytes>, length: &mut UploadLength) -> Result<Frame<Bytes>, BoxError> {
    match frame.into_trailers() {
        Ok(trailers) => {
            let fields = trailers.iter().filter(|(name, _)| may_trail(name));
            let kept: HeaderMap = fields.map(|(name, v)| (name.clone(), v.clone())).collect();
            Ok(Frame::trailers(kept))
        }
        Err(frame) => {
            let len = frame.data_ref().map_or(0, Bytes::len);
            if let UploadLength::Exact(left) = length {
                let len = u64::try_from(len).unwrap_or(u64::MAX);
                *left = left.checked_sub(len).ok_or(LONG)?;
            }
            Ok(frame)
        }
    }
}

/// Writes what stands before `len` bytes of data, and gives what stands behind.
fn begin(
    frame: &mut BytesMut,
    length: &mut UploadLength,
    len: usize,
) -> Result<&'static [u8], UploadError> {
    match length {
        UploadLength::Exact(left) => {
            let len = u64::try_from(len).unwrap_or(u64::MAX);
            *left = left.checked_sub(len).ok_or_else(|| client(LONG))?;
            Ok(b"")
        }
        UploadLength::Chunked => {
            // Writing to memory does not fail.
            let _ = write!(frame.writer(), "{len:x}\r\n");
            Ok(b"\r\n")
        }
    }
}

/// Writes what stands behind all data.
fn finish(
    frame: &mut BytesMut,
    length: UploadLength,
    trailers: Option<&HeaderMap>,
) -> Result<(), UploadError> {
    match length {
        UploadLength::Exact(0) => Ok(()),
        UploadLength::Exact(_) => Err(client(SHORT)),
        UploadLength::Chunked => {
            frame.extend_from_slice(b"0\r\n");
            for (name, value) in trailers.into_iter().flatten() {
                if may_trail(name) {
                    frame.extend_from_slice(name.as_str().as_bytes());
                    frame.extend_from_slice(b": ");
                    frame.extend_from_slice(value.as_bytes());
                    frame.extend_from_slice(b"\r\n");
                }
            }
            frame.extend_from_slice(b"\r\n");
            Ok(())
        }
    }
}

fn client(what: &'static str) -> UploadError {
    UploadError::Client(what.into())
}
