//! The contract between a datagram protocol and whoever moves its bytes.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use bytes::Bytes;

use crate::interface::InterfaceTable;

/// A datagram protocol without sockets, clock or random source.
///
/// Bytes go in by `handle_*`, bytes come out by `poll_*`, time is an argument. A driver calls
/// `handle_*`, then drains [`poll_transmit`](Self::poll_transmit) and
/// [`poll_event`](Self::poll_event), and last asks [`poll_timeout`](Self::poll_timeout) how long
/// it may wait.
///
/// # Laws
///
/// Every engine keeps these; `jellynet_test::wire::laws` runs them.
///
/// - **E1 pure**: no I/O, no clock, no thread-local randomness: `now` and a seed are arguments,
///   and the same calls give the same bytes.
/// - **E2 total**: any bytes in any order cause no panic, and memory stays bounded.
/// - **E3 progress**: after `handle_timeout(t)` with `t >= poll_timeout()`, the next time-out is
///   `None` or later than `t`.
/// - **E4 no amplification**: the bytes queued per datagram are bounded, and a source off the
///   link gets nothing.
/// - **E5 local**: an answer leaves by the interface the question came by.
/// - **E6 malformed input is no error value**: it is counted and traced, never logged above
///   `debug`.
pub trait Engine {
    /// What the engine tells the application.
    type Event;

    /// Takes one datagram that arrived at `now`.
    fn handle_datagram(&mut self, now: Instant, datagram: Received<'_>);

    /// Does what is due at `now`. Calling it early does no harm.
    fn handle_timeout(&mut self, now: Instant);

    /// Learns the interfaces, at the start and after each change.
    fn handle_interfaces(&mut self, now: Instant, interfaces: &InterfaceTable);

    /// The next datagram to send; drained until `None` after each `handle_*`.
    fn poll_transmit(&mut self) -> Option<Transmit>;

    /// The next event for the application; drained until `None`.
    fn poll_event(&mut self) -> Option<Self::Event>;

    /// When [`handle_timeout`](Self::handle_timeout) is due next; asked last.
    fn poll_timeout(&self) -> Option<Instant>;
}

/// A datagram as it arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received<'a> {
    /// The bytes.
    pub payload: &'a [u8],
    /// Who sent it; IPv4-mapped addresses are undone, a link-local source has its scope id.
    pub source: SocketAddr,
    /// The address it was sent to: one of this host's, a broadcast address or a group.
    pub destination: IpAddr,
    /// The index of the interface it came in by.
    pub interface: u32,
}

/// A datagram to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// The bytes.
    pub payload: Bytes,
    /// Where to: a host, a broadcast address or a group. A link-local IPv6 destination or group
    /// leaves by the interface in [`via`](Self::via), whatever its scope id.
    pub destination: SocketAddr,
    /// By which interface, address and socket it leaves.
    pub via: Via,
}

/// By which interface, address and socket a datagram leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Via {
    /// From the very port that was asked, with `source` as the local address.
    Reply {
        /// The index of the interface.
        interface: u32,
        /// The local address it leaves from; an address of that interface.
        source: IpAddr,
    },
    /// From an ephemeral port of the local address `source`; answers to it come back to the
    /// engine.
    Announce {
        /// The index of the interface.
        interface: u32,
        /// The local address it leaves from; an address of that interface.
        source: IpAddr,
    },
}

impl Via {
    /// The index of the interface.
    #[must_use]
    pub const fn interface(self) -> u32 {
        match self {
            Self::Reply { interface, .. } | Self::Announce { interface, .. } => interface,
        }
    }

    /// The local address.
    #[must_use]
    pub const fn source(self) -> IpAddr {
        match self {
            Self::Reply { source, .. } | Self::Announce { source, .. } => source,
        }
    }
}
