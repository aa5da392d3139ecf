//! An encrypted connection, and one whose first octets were read already.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream as Encrypted;

use crate::facts::TlsFacts;

/// An encrypted connection to a client.
#[derive(Debug)]
pub struct TlsStream<IO> {
    encrypted: Encrypted<Rewind<IO>>,
    facts: TlsFacts,
}

impl<IO> TlsStream<IO> {
    pub(super) const fn new(encrypted: Encrypted<Rewind<IO>>, facts: TlsFacts) -> Self {
        Self { encrypted, facts }
    }

    /// Version, suite, host name: for the extensions of the requests.
    #[must_use]
    pub const fn facts(&self) -> &TlsFacts {
        &self.facts
    }

    /// The connection underneath.
    #[must_use]
    pub fn get_ref(&self) -> &IO {
        &self.encrypted.get_ref().0.io
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncRead for TlsStream<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.encrypted).poll_read(context, buffer)
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TlsStream<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.encrypted).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.encrypted).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.encrypted.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.encrypted).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.encrypted).poll_shutdown(context)
    }
}

/// A connection that gives back what was read from it before.
#[derive(Debug)]
pub(super) struct Rewind<IO> {
    /// What is still to be given back, from `start` on; freed when it is gone.
    first: Vec<u8>,
    start: usize,
    io: IO,
}

impl<IO> Rewind<IO> {
    pub(super) const fn new(first: Vec<u8>, io: IO) -> Self {
        Self { first, start: 0, io }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Rewind<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let rest = this.first.get(this.start..).unwrap_or_default();
        if rest.is_empty() {
            return Pin::new(&mut this.io).poll_read(context, buffer);
        }
        let (now, _) = rest.split_at_checked(buffer.remaining()).unwrap_or((rest, &[]));
        buffer.put_slice(now);
        this.start += now.len();
        if this.start == this.first.len() {
            this.first = Vec::new();
            this.start = 0;
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Rewind<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}
