//! Small engines to drive.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;
use jellynet_netif::{Engine, InterfaceTable, Received, Transmit, Via};

/// What an engine here tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) payload: Vec<u8>,
    pub(crate) source: SocketAddr,
    pub(crate) destination: IpAddr,
    pub(crate) interface: u32,
}

/// Answers each datagram with its own bytes, and tells of it.
#[derive(Debug, Default)]
pub(crate) struct Echo {
    table: InterfaceTable,
    transmits: VecDeque<Transmit>,
    events: VecDeque<Heard>,
    due: Option<Instant>,
    silent: bool,
}

impl Echo {
    /// Hears, but does not answer.
    pub(crate) fn silent() -> Self {
        Self { silent: true, ..Self::default() }
    }

    /// Sends `payload` from every address of the interfaces that are up.
    pub(crate) fn announce(&mut self, payload: &'static [u8], destination: SocketAddr) {
        for (interface, address) in self.table.addresses() {
            let source = address.ip();
            if interface.flags.up && source.is_ipv4() == destination.is_ipv4() {
                self.transmits.push_back(Transmit {
                    payload: Bytes::from_static(payload),
                    destination,
                    via: Via::Announce { interface: interface.index, source },
                });
            }
        }
    }

    /// Sends this.
    pub(crate) fn send(&mut self, transmit: Transmit) {
        self.transmits.push_back(transmit);
    }

    /// Has something due later, as an engine that says goodbye twice.
    pub(crate) fn due_in(&mut self, now: Instant, wait: Duration) {
        self.due = Some(now + wait);
    }
}

impl Engine for Echo {
    type Event = Heard;

    fn handle_datagram(&mut self, _now: Instant, datagram: Received<'_>) {
        self.events.push_back(Heard {
            payload: datagram.payload.to_vec(),
            source: datagram.source,
            destination: datagram.destination,
            interface: datagram.interface,
        });
        let interface = self.table.by_index(datagram.interface);
        let ours = self.table.holding(datagram.destination);
        let towards = interface.and_then(|i| i.address_towards(datagram.source.ip()));
        let source = ours.map(|_| datagram.destination).or(towards);
        if let Some(source) = source.filter(|_| !self.silent) {
            self.transmits.push_back(Transmit {
                payload: Bytes::copy_from_slice(datagram.payload),
                destination: datagram.source,
                via: Via::Reply { interface: datagram.interface, source },
            });
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.due.is_some_and(|due| due <= now) {
            self.due = None;
            self.announce(b"late", SocketAddr::from(([127, 0, 0, 1], 9)));
        }
    }

    fn handle_interfaces(&mut self, _now: Instant, interfaces: &InterfaceTable) {
        self.table = interfaces.clone();
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    fn poll_event(&mut self) -> Option<Heard> {
        self.events.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }
}
