//! One accepted connection.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use jellynet_netif::{LocalAddr, PeerAddr};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::shared::{ConnectionState, Permit, Phase};
use super::wire::Stream;

/// An accepted connection: a stream with both its addresses.
///
/// It counts against the connection limit until it is dropped, wherever it has gone: into a TLS
/// stream, a hyper connection, an upgraded tunnel. When a drain's deadline passes, its reads and
/// writes fail with [`ConnectionAborted`](io::ErrorKind::ConnectionAborted).
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    permit: Permit,
}

/// What is known about a connection besides its bytes; stays valid when the connection has gone
/// into another stream. Cheap to clone.
#[derive(Clone)]
pub struct Facts(Arc<ConnectionState>);

impl Connection {
    pub(super) const fn new(stream: Stream, permit: Permit) -> Self {
        Self { stream, permit }
    }

    /// The other end.
    #[must_use]
    pub fn peer_addr(&self) -> PeerAddr {
        self.permit.state.peer
    }

    /// The address of this host that the peer connected to; `None` for a Unix socket.
    #[must_use]
    pub fn local_addr(&self) -> Option<LocalAddr> {
        self.permit.state.local
    }

    /// The name of the request whose listener took it.
    #[must_use]
    pub fn name(&self) -> &str {
        self.permit.state.name()
    }

    /// What is known about this connection, to keep when the stream is wrapped.
    #[must_use]
    pub fn facts(&self) -> Facts {
        Facts(Arc::clone(&self.permit.state))
    }

    /// Lets the outcome of a read or write through until the connection is cut. The waker is
    /// registered before the phase is read, so that no cut goes unnoticed.
    fn unless_cut<T>(
        &self,
        waker: &AtomicWaker,
        cx: &Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if polled.is_pending() {
            waker.register(cx.waker());
        }
        if self.permit.state.phase() == Phase::Cut {
            return Poll::Ready(Err(aborted()));
        }
        polled
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.stream {
            Stream::Tcp(tcp) => tcp.as_fd(),
            Stream::Unix(unix) => unix.as_fd(),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.permit.state.abort.load(Ordering::Relaxed)
            && let Stream::Tcp(tcp) = &self.stream
        {
            // Where it fails, the connection ends in the ordinary way.
            let _ = socket2::SockRef::from(tcp).set_linger(Some(Duration::ZERO));
        }
    }
}

impl Facts {
    /// Facts about a connection that another listener took.
    #[must_use]
    pub fn new(peer: PeerAddr, local: Option<LocalAddr>) -> Self {
        Self(Arc::new(ConnectionState::new(peer, local, None)))
    }

    /// The other end.
    #[must_use]
    pub fn peer_addr(&self) -> PeerAddr {
        self.0.peer
    }

    /// The address of this host that the peer connected to; `None` for a Unix socket.
    #[must_use]
    pub fn local_addr(&self) -> Option<LocalAddr> {
        self.0.local
    }

    /// The name of the request whose listener took it; empty for another listener's.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// Waits until the listeners drain: finish what is being done, and close.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost. One task at a time is woken.
    pub async fn draining(&self) {
        poll_fn(|cx| match self.watch(cx.waker()) {
            Phase::Serving => Poll::Pending,
            Phase::Draining | Phase::Cut => Poll::Ready(()),
        })
        .await;
    }

    /// Whether connections are scarce.
    #[cfg(feature = "hyper")]
    pub(crate) fn is_crowded(&self) -> bool {
        self.0.home.as_ref().is_some_and(|(shared, _)| shared.is_crowded())
    }

    /// Lets the connection end with a reset when it is dropped, so that the kernel keeps nothing
    /// of what its peer does not take.
    #[cfg(feature = "hyper")]
    pub(crate) fn abort(&self) {
        self.0.abort.store(true, Ordering::Relaxed);
    }

    /// Registers the task that serves this connection, then tells how far a drain has come.
    pub(crate) fn watch(&self, waker: &Waker) -> Phase {
        self.0.watch(waker)
    }
}

impl fmt::Debug for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Facts")
            .field("peer", &self.peer_addr())
            .field("local", &self.local_addr())
            .field("name", &self.name())
            .finish()
    }
}

fn aborted() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the server's time to drain is over")
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.unless_cut(&self.permit.state.reader, cx, polled)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.unless_cut(&self.permit.state.writer, cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.unless_cut(&self.permit.state.writer, cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
