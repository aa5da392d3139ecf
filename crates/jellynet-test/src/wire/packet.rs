//! Datagrams on a virtual network.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use jellynet_netif::{InterfaceTable, Transmit};

use super::{Host, Lan};
use crate::hostile::LARGEST;

/// A datagram that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Packet {
    /// When, since the network was made.
    pub at: Duration,
    /// Into which LAN; `None` for one that never left its host.
    pub lan: Option<Lan>,
    /// By which host; `None` for one that was [injected](super::Network::inject).
    pub host: Option<Host>,
    /// From which address and port.
    pub source: SocketAddr,
    /// To which address and port.
    pub destination: SocketAddr,
    /// The bytes.
    pub payload: Bytes,
}

/// A datagram on its way to one interface of one host.
pub(super) struct Flight {
    pub(super) host: usize,
    pub(super) interface: u32,
    /// To a group or a broadcast address.
    pub(super) to_all: bool,
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) payload: Bytes,
}

/// Why a kernel with these interfaces would not send this.
pub(crate) fn refusal(table: &InterfaceTable, transmit: &Transmit) -> Option<&'static str> {
    let Some(interface) = table.by_index(transmit.via.interface()) else {
        return Some("there is no such interface");
    };
    let source = transmit.via.source();
    let Some(address) = interface.addresses.iter().find(|a| a.ip() == source) else {
        return Some("the source is no address of the interface");
    };
    if address.tentative {
        return Some("the source is tentative");
    }
    if source.is_ipv4() != transmit.destination.is_ipv4() {
        return Some("source and destination are of different families");
    }
    if transmit.destination.port() == 0 || transmit.destination.ip().is_unspecified() {
        return Some("the destination is nobody");
    }
    (transmit.payload.len() > LARGEST).then_some("it is larger than a datagram can be")
}
