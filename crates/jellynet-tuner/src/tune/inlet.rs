//! The socket that a stream comes in by.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::{debug, trace};

/// Longer than any datagram of a tuner, so that a longer one is seen to be none.
pub(super) const BUFFER: usize = 2048;

/// A receiving socket that does not block, and is not known to the runtime: a stream never stops,
/// so that it is cheaper to look for it now and then than to be woken for each datagram.
///
/// Once the stream is known to come from the port that keepalives go to, the socket is connected
/// to it: only then does the kernel tell when that port is closed.
#[derive(Debug)]
pub(super) struct Inlet {
    socket: UdpSocket,
    connected: AtomicBool,
}

impl Inlet {
    pub(super) const fn new(socket: UdpSocket) -> Self {
        Self { socket, connected: AtomicBool::new(false) }
    }

    pub(super) const fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    /// Takes from `device` only, and what the kernel is told about it.
    pub(super) fn connect(&self, device: SocketAddr) {
        if self.connected.load(Ordering::Relaxed) || !cfg!(unix) {
            return;
        }
        match self.socket.connect(device) {
            Ok(()) => self.connected.store(true, Ordering::Relaxed),
            Err(error) => debug!(%error, %device, "could not connect the receiving socket"),
        }
    }

    /// Takes from anyone again: a device that starts anew may send from another port. The socket
    /// keeps its own address and port, because it was bound to them.
    pub(super) fn disconnect(&self) {
        #[cfg(unix)]
        if self.connected.swap(false, Ordering::Relaxed)
            && let Err(error) = rustix::net::connect_unspec(&self.socket)
        {
            debug!(%error, "could not disconnect the receiving socket");
        }
    }

    /// Sends a keepalive. What the kernel answers is seen when it is received from.
    pub(super) fn keepalive(&self, key: u32, device: SocketAddr) {
        if let Err(error) = self.socket.send_to(&key.to_be_bytes(), device) {
            trace!(%error, %device, "could not send a keepalive");
        }
    }

    /// Throws away what is there: late packets of another channel.
    pub(super) fn discard(&self) {
        let mut buffer = [0; BUFFER];
        while self.socket.recv_from(&mut buffer).is_ok() {}
    }
}

/// Whether an error is the network's answer to a keepalive: nobody takes it (ICMP).
pub(super) fn is_refused(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset)
}
