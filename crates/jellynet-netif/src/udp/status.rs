//! What is open, what failed, and how much went through.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a socket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SocketRole {
    /// Hears what is sent to the port, and replies from it.
    Listen {
        /// The wildcard address of the family.
        ip: IpAddr,
    },
    /// Hears unicast to the port at one address.
    Unicast {
        /// The address.
        ip: IpAddr,
        /// The index of its interface.
        index: u32,
    },
    /// Sends from an ephemeral port of one address, and hears the answers.
    Announce {
        /// The address.
        ip: IpAddr,
        /// The index of its interface.
        index: u32,
    },
}

impl SocketRole {
    /// The address the socket is bound to.
    #[must_use]
    pub const fn ip(self) -> IpAddr {
        match self {
            Self::Listen { ip } | Self::Unicast { ip, .. } | Self::Announce { ip, .. } => ip,
        }
    }

    /// The interface of that address; `None` for a wildcard.
    #[must_use]
    pub const fn index(self) -> Option<u32> {
        match self {
            Self::Listen { .. } => None,
            Self::Unicast { index, .. } | Self::Announce { index, .. } => Some(index),
        }
    }
}

/// Every socket and membership that the engine should have, with how it stands.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct UdpStatus {
    /// The sockets: listening ones first.
    pub sockets: Vec<UdpSocketStatus>,
    /// The memberships of the listening sockets.
    pub memberships: Vec<Membership>,
}

impl UdpStatus {
    /// The local addresses of the open listening sockets.
    pub fn listening(&self) -> impl Iterator<Item = SocketAddr> {
        self.sockets
            .iter()
            .filter(|socket| matches!(socket.role, SocketRole::Listen { .. }))
            .filter_map(|socket| match socket.state {
                SocketState::Open { local } => Some(local),
                SocketState::Failed { .. } => None,
            })
    }

    /// Everything that failed, in words.
    pub fn failures(&self) -> impl Iterator<Item = String> {
        let sockets = self.sockets.iter().filter_map(|socket| match &socket.state {
            SocketState::Open { .. } => None,
            SocketState::Failed { wanted, error, .. } => Some(format!("{wanted}: {error}")),
        });
        let groups = self.memberships.iter().filter_map(|membership| {
            let error = membership.error.as_ref()?;
            let (group, interface) = (membership.group, membership.interface);
            Some(format!("group {group} on interface {interface}: {error}"))
        });
        sockets.chain(groups)
    }
}

/// One socket.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UdpSocketStatus {
    /// What it is for.
    pub role: SocketRole,
    /// How it stands.
    pub state: SocketState,
}

/// How a socket stands.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SocketState {
    /// It works.
    Open {
        /// Its address and port.
        local: SocketAddr,
    },
    /// It could not be opened, or broke; it is tried again.
    Failed {
        /// The address and port it should have.
        wanted: SocketAddr,
        /// What the system said.
        error: Arc<io::Error>,
        /// How often it was tried in a row.
        attempts: u32,
    },
}

/// One group on one interface.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Membership {
    /// The group.
    pub group: IpAddr,
    /// The index of the interface.
    pub interface: u32,
    /// What the system said when it was not joined; it is tried again.
    pub error: Option<Arc<io::Error>>,
}

/// How much went through the sockets, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UdpCounters {
    /// Datagrams that the engine got.
    pub received: u64,
    /// Datagrams that came by an interface that is not used.
    pub filtered: u64,
    /// Errors of receiving.
    pub receive_failed: u64,
    /// Datagrams sent.
    pub sent: u64,
    /// Datagrams that were not sent.
    pub send_failed: SendFailures,
    /// Events that nobody took in time.
    pub events_dropped: u64,
}

/// Why datagrams were not sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SendFailures {
    /// The socket to send it by is not open: its address went, or it failed.
    pub no_socket: u64,
    /// No route, or the network is down.
    pub unreachable: u64,
    /// A firewall or the system forbids it.
    pub denied: u64,
    /// The system's buffers were full.
    pub blocked: u64,
    /// It is longer than the link takes.
    pub too_long: u64,
    /// Anything else.
    pub other: u64,
}

impl SendFailures {
    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.no_socket + self.unreachable + self.denied + self.blocked + self.too_long + self.other
    }
}

/// A reason in [`SendFailures`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SendFailure {
    NoSocket,
    Unreachable,
    Denied,
    Blocked,
    TooLong,
    Other,
}

impl SendFailure {
    pub(super) fn of(error: &io::Error) -> Self {
        use io::ErrorKind as Kind;
        match error.kind() {
            Kind::WouldBlock | Kind::OutOfMemory => Self::Blocked,
            Kind::PermissionDenied => Self::Denied,
            Kind::NetworkUnreachable | Kind::HostUnreachable | Kind::NetworkDown => {
                Self::Unreachable
            }
            Kind::AddrNotAvailable => Self::NoSocket,
            _ if quinn_udp::is_msg_size_err(error) => Self::TooLong,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for SendFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSocket => "no socket",
            Self::Unreachable => "unreachable",
            Self::Denied => "denied",
            Self::Blocked => "blocked",
            Self::TooLong => "too long",
            Self::Other => "other",
        })
    }
}

/// The counters as the driver keeps them.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) received: AtomicU64,
    pub(super) filtered: AtomicU64,
    pub(super) receive_failed: AtomicU64,
    pub(super) sent: AtomicU64,
    send_failed: [AtomicU64; 6],
    pub(crate) events_dropped: AtomicU64,
}

impl Counters {
    pub(super) fn send_failed(&self, failure: SendFailure) {
        count(self.failed(failure));
    }

    fn failed(&self, failure: SendFailure) -> &AtomicU64 {
        let [no_socket, unreachable, denied, blocked, too_long, other] = &self.send_failed;
        match failure {
            SendFailure::NoSocket => no_socket,
            SendFailure::Unreachable => unreachable,
            SendFailure::Denied => denied,
            SendFailure::Blocked => blocked,
            SendFailure::TooLong => too_long,
            SendFailure::Other => other,
        }
    }

    pub(crate) fn snapshot(&self) -> UdpCounters {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let failed = |failure| get(self.failed(failure));
        UdpCounters {
            received: get(&self.received),
            filtered: get(&self.filtered),
            receive_failed: get(&self.receive_failed),
            sent: get(&self.sent),
            send_failed: SendFailures {
                no_socket: failed(SendFailure::NoSocket),
                unreachable: failed(SendFailure::Unreachable),
                denied: failed(SendFailure::Denied),
                blocked: failed(SendFailure::Blocked),
                too_long: failed(SendFailure::TooLong),
                other: failed(SendFailure::Other),
            },
            events_dropped: get(&self.events_dropped),
        }
    }
}

pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
