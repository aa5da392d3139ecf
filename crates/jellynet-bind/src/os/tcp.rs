//! One TCP listener, with every option explicit.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

/// Options of every socket; connections inherit them from their listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketOptions {
    /// How many connections the kernel keeps while nobody accepts. Default: 1024 (the kernel caps
    /// it at `net.core.somaxconn`).
    pub backlog: i32,
    /// Sends small segments at once (`TCP_NODELAY`). Default: yes.
    pub nodelay: bool,
    /// After how much silence the kernel probes whether the peer is still there; a dead one is
    /// noticed about a minute later. Default: 60 s.
    pub keepalive: Option<Duration>,
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self { backlog: 1024, nodelay: true, keepalive: Some(Duration::from_secs(60)) }
    }
}

/// Which step failed, and what the system said.
pub(crate) type StepError = (&'static str, io::Error);

/// How a TCP listener is opened; tests put another one in its place.
pub(crate) type Open = fn(SocketAddr, &SocketOptions) -> Result<TcpListener, StepError>;

/// Opens a listener on one address of one family.
pub(crate) fn open(addr: SocketAddr, options: &SocketOptions) -> Result<TcpListener, StepError> {
    let domain = Domain::for_address(addr);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))
        .map_err(|e| ("creating the socket", e))?;
    if domain == Domain::IPV6 {
        // Never the system's default, which is a sysctl: one socket serves one family.
        socket.set_only_v6(true).map_err(|e| ("setting IPV6_V6ONLY", e))?;
    }
    socket.set_reuse_address(true).map_err(|e| ("setting SO_REUSEADDR", e))?;
    set_options(&SockRef::from(&socket), options).map_err(|e| ("setting TCP options", e))?;
    socket.bind(&addr.into()).map_err(|e| ("binding", e))?;
    socket.listen(options.backlog).map_err(|e| ("listening", e))?;
    socket.set_nonblocking(true).map_err(|e| ("setting O_NONBLOCK", e))?;
    Ok(socket.into())
}

/// Sets what connections inherit from their listener (Linux copies them on accept).
pub(crate) fn set_options(socket: &SockRef<'_>, options: &SocketOptions) -> io::Result<()> {
    socket.set_tcp_nodelay(options.nodelay)?;
    if let Some(idle) = options.keepalive {
        let keepalive = TcpKeepalive::new()
            .with_time(idle)
            .with_interval(Duration::from_secs(15))
            .with_retries(4);
        socket.set_tcp_keepalive(&keepalive)?;
    }
    Ok(())
}
