//! One open socket.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::UnixListener;
use std::sync::Arc;

use crate::listen::UnixName;
use crate::os::unix::SocketFile;

/// Where a socket really listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BoundAddr {
    /// An address, with the port that the system chose where 0 was asked for.
    Inet(SocketAddr),
    /// A Unix socket.
    Unix(UnixName),
    /// A passed Unix socket without a name.
    Fd(i32),
}

impl BoundAddr {
    /// The port; `None` for a Unix socket.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        match self {
            Self::Inet(addr) => Some(addr.port()),
            Self::Unix(_) | Self::Fd(_) => None,
        }
    }
}

impl fmt::Display for BoundAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(addr) => addr.fmt(f),
            Self::Unix(name) => write!(f, "unix:{name}"),
            Self::Fd(fd) => write!(f, "fd:{fd}"),
        }
    }
}

/// A listening socket of the standard library, non-blocking as tokio wants it.
#[derive(Debug)]
#[non_exhaustive]
pub enum StdListener {
    /// TCP, one family.
    Tcp(TcpListener),
    /// Unix.
    Unix(UnixListener),
}

impl StdListener {
    pub(crate) fn local_addr(&self) -> io::Result<BoundAddr> {
        let unix = match self {
            Self::Tcp(tcp) => return tcp.local_addr().map(BoundAddr::Inet),
            Self::Unix(unix) => unix.local_addr()?,
        };
        if let Some(path) = unix.as_pathname() {
            return Ok(BoundAddr::Unix(UnixName::Path(path.to_owned())));
        }
        let name = unix.as_abstract_name().ok_or(io::ErrorKind::AddrNotAvailable)?;
        let name = String::from_utf8_lossy(name).into_owned();
        Ok(BoundAddr::Unix(UnixName::Abstract(name)))
    }
}

/// An open listening socket and whose it is.
#[derive(Debug)]
#[non_exhaustive]
pub struct BoundSocket {
    /// Which request it serves, as an index.
    pub request: usize,
    /// The request's name.
    pub name: Arc<str>,
    /// Where it really listens.
    pub addr: BoundAddr,
    /// The socket.
    pub listener: StdListener,
    /// The socket's file, which goes when this is dropped; `None` for TCP and passed sockets.
    pub file: Option<SocketFile>,
}
