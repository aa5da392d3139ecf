//! One socket with its packet information.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use quinn_udp::UdpSocketState;
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockRef, Socket, Type};
use tokio::net::UdpSocket;

use super::config::{Sharing, UdpConfig};
use super::status::SocketRole;
use crate::interface::InterfaceTable;

/// After this many errors without a datagram in between, a socket counts as broken.
const PATIENCE: u32 = 16;

/// An open socket.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) socket: UdpSocket,
    pub(super) state: UdpSocketState,
    pub(super) local: SocketAddr,
    /// What was joined, or could not be.
    pub(super) memberships: BTreeMap<(IpAddr, u32), Option<Failure>>,
    errors: u32,
}

/// Something that failed and will be tried again.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) error: Arc<io::Error>,
    pub(super) attempts: u32,
    pub(super) retry_at: Instant,
}

impl Failure {
    /// The failure after `attempts` others in a row.
    pub(super) fn new(error: io::Error, attempts: u32, config: &UdpConfig, now: Instant) -> Self {
        let (first, most) = config.retry;
        let wait = first.saturating_mul(2u32.saturating_pow(attempts.min(16)));
        Self {
            error: Arc::new(error),
            attempts: attempts.saturating_add(1),
            // Never at once: that would spin.
            retry_at: now + wait.min(most).max(Duration::from_millis(10)),
        }
    }
}

impl Open {
    pub(super) fn new(role: SocketRole, port: u16, config: &UdpConfig) -> io::Result<Self> {
        let wanted = wanted(role, port);
        let socket = Socket::new(Domain::for_address(wanted), Type::DGRAM, Some(Protocol::UDP))?;
        if !matches!(role, SocketRole::Announce { .. }) && config.sharing == Sharing::Shared {
            share(&socket)?;
        }
        match role.ip() {
            IpAddr::V4(ip) => {
                socket.set_broadcast(config.broadcast)?;
                socket.set_multicast_ttl_v4(config.hops.into())?;
                if role.index().is_some() {
                    socket.set_multicast_if_v4(&ip)?;
                }
            }
            IpAddr::V6(_) => {
                socket.set_only_v6(true)?;
                socket.set_multicast_hops_v6(config.hops.into())?;
                if let Some(index) = role.index() {
                    socket.set_multicast_if_v6(index)?;
                }
            }
        }
        #[cfg(target_os = "linux")]
        only_own_groups(&socket, role.ip());
        socket.bind(&wanted.into())?;
        socket.set_nonblocking(true)?;
        let state = UdpSocketState::new((&socket).into())?;
        let socket = UdpSocket::from_std(socket.into())?;
        Ok(Self {
            local: socket.local_addr()?,
            socket,
            state,
            memberships: BTreeMap::new(),
            errors: 0,
        })
    }

    pub(super) fn join(&self, group: IpAddr, index: u32) -> io::Result<()> {
        let socket = SockRef::from(&self.socket);
        match group {
            IpAddr::V4(group) => {
                socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(index))
            }
            IpAddr::V6(group) => socket.join_multicast_v6(&group, index),
        }
    }

    /// Leaves a group. An interface that is gone still counts against the system's limit, so
    /// this is done for it too, and what the system says to it does not matter.
    pub(super) fn leave(&self, group: IpAddr, index: u32) {
        let socket = SockRef::from(&self.socket);
        let result = match group {
            IpAddr::V4(group) => {
                socket.leave_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(index))
            }
            IpAddr::V6(group) => socket.leave_multicast_v6(&group, index),
        };
        drop(result);
    }

    /// Notes how a read ended; whether the socket is broken.
    pub(super) const fn is_broken_by(&mut self, failed: bool) -> bool {
        self.errors = if failed { self.errors + 1 } else { 0 };
        self.errors >= PATIENCE
    }
}

/// The address a socket of this role is bound to.
pub(super) const fn wanted(role: SocketRole, port: u16) -> SocketAddr {
    match role {
        SocketRole::Listen { ip } => SocketAddr::new(ip, port),
        SocketRole::Unicast { ip, index } => InterfaceTable::scoped(ip, port, index),
        SocketRole::Announce { ip, index } => InterfaceTable::scoped(ip, 0, index),
    }
}

fn share(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_address(true)?;
    #[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos"))))]
    socket.set_reuse_port(true)?;
    Ok(())
}

/// Without this, a wildcard socket gets what any program on this host joined, on any interface
/// (`ip(7)`, `IP_MULTICAST_ALL`). Kernels before 4.20 lack it for IPv6, which is no reason to fail.
#[cfg(target_os = "linux")]
fn only_own_groups(socket: &Socket, family: IpAddr) {
    drop(match family {
        IpAddr::V4(_) => socket.set_multicast_all_v4(false),
        IpAddr::V6(_) => socket.set_multicast_all_v6(false),
    });
}
