//! Sending by the right socket, and complaining in moderation.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
#[cfg(target_os = "linux")]
use std::io::IoSlice;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
use socket2::MsgHdr;
use socket2::SockRef;

#[cfg(target_os = "linux")]
use super::pktinfo::PacketInfo;
use super::set::{Slot, UdpSet};
use super::socket::Open;
use super::status::{SendFailure, SocketRole, count};
use crate::addr::unmapped;
use crate::engine::{Transmit, Via};
use crate::interface::InterfaceTable;

/// At most one line per interface and reason in this time.
const SILENCE: Duration = Duration::from_secs(600);

impl UdpSet {
    /// Sends a datagram, or counts why not.
    pub(crate) fn send(&mut self, transmit: &Transmit, now: Instant) {
        let result = match self.socket_for(transmit.via) {
            Some(open) => send(open, transmit),
            None => Err(io::ErrorKind::AddrNotAvailable.into()),
        };
        match result {
            Ok(()) => count(&self.counters.sent),
            Err(error) => {
                let failure = SendFailure::of(&error);
                self.counters.send_failed(failure);
                self.complaints.note(transmit, failure, &error, now);
            }
        }
    }

    fn socket_for(&self, via: Via) -> Option<&Open> {
        let source = via.source();
        let suits = |slot: &&Slot| match (via, slot.role) {
            (Via::Announce { interface, .. }, SocketRole::Announce { ip, index }) => {
                ip == source && index == interface
            }
            (Via::Reply { .. }, SocketRole::Listen { ip }) => ip.is_ipv4() == source.is_ipv4(),
            // The listening socket may have failed where this one did not.
            (Via::Reply { .. }, SocketRole::Unicast { ip, .. }) => ip == source,
            _ => false,
        };
        self.slots.iter().filter(suits).find_map(|slot| slot.state.as_ref().ok())
    }
}

fn send(open: &Open, transmit: &Transmit) -> io::Result<()> {
    let to = transmit.destination;
    let to = InterfaceTable::scoped(unmapped(to.ip()), to.port(), transmit.via.interface());
    loop {
        let result = if open.local.ip().is_unspecified() {
            send_as(open, transmit, to)
        } else {
            let socket = SockRef::from(&open.socket);
            socket.send_to(&transmit.payload, &to.into()).map(drop)
        };
        match result {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Sends from a wildcard socket with the address and the interface that the engine chose.
#[cfg(target_os = "linux")]
fn send_as(open: &Open, transmit: &Transmit, to: SocketAddr) -> io::Result<()> {
    let info = PacketInfo::new(transmit.via.source(), transmit.via.interface());
    let to = to.into();
    let payload = [IoSlice::new(&transmit.payload)];
    let message = MsgHdr::new().with_addr(&to).with_buffers(&payload).with_control(info.as_bytes());
    SockRef::from(&open.socket).sendmsg(&message, 0).map(drop)
}

/// Sends from a wildcard socket with the address that the engine chose; the interface follows
/// from the system's routes.
#[cfg(not(target_os = "linux"))]
fn send_as(open: &Open, transmit: &Transmit, to: SocketAddr) -> io::Result<()> {
    let datagram = quinn_udp::Transmit {
        destination: to,
        ecn: None,
        contents: &transmit.payload,
        segment_size: None,
        src_ip: Some(transmit.via.source()),
    };
    open.state.try_send((&open.socket).into(), &datagram)
}

/// Send errors that were logged lately: a broken interface would fill the log otherwise.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    lately: BTreeMap<(u32, SendFailure), Lately>,
}

#[derive(Debug)]
struct Lately {
    logged: Instant,
    since: u64,
}

impl Complaints {
    fn note(&mut self, transmit: &Transmit, failure: SendFailure, error: &io::Error, now: Instant) {
        let interface = transmit.via.interface();
        let lately = self.lately.get_mut(&(interface, failure));
        let since = lately.as_ref().map_or(0, |lately| lately.since);
        match lately {
            Some(lately) if now.saturating_duration_since(lately.logged) < SILENCE => {
                lately.since += 1;
                return;
            }
            Some(lately) => *lately = Lately { logged: now, since: 0 },
            None => {
                let first = Lately { logged: now, since: 0 };
                self.lately.insert((interface, failure), first);
            }
        }
        let (source, destination) = (transmit.via.source(), transmit.destination);
        tracing::warn!(interface, %source, %destination, %failure, %error, unlogged = since, "send datagram");
    }

    /// Forgets interfaces that went.
    pub(super) fn keep(&mut self, interfaces: &BTreeSet<u32>) {
        self.lately.retain(|(index, _), _| interfaces.contains(index));
    }
}
