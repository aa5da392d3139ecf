//! One engine at its port of one host.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::net::IpAddr;
use std::time::Instant;

use jellynet_netif::{Engine, InterfaceTable, Received, Transmit, Via};

/// More than any engine may queue between two datagrams.
const ENDLESS: usize = 10_000;

/// The first port of what is sent as an announcement (RFC 6335 § 6).
const FIRST_EPHEMERAL: u16 = 49_152;

/// Names an engine on a [`Network`](super::Network).
pub struct Seat<E> {
    pub(super) index: usize,
    engine: PhantomData<fn() -> E>,
}

impl<E> Seat<E> {
    pub(super) const fn new(index: usize) -> Self {
        Self { index, engine: PhantomData }
    }
}

impl<E> Clone for Seat<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Seat<E> {}

impl<E> fmt::Debug for Seat<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seat({})", self.index)
    }
}

/// An engine without its type, on a host.
pub(super) struct Seated {
    pub(super) host: usize,
    pub(super) port: u16,
    pub(super) engine: Box<dyn Drive>,
    /// The addresses that have announced; the place in the list gives the port.
    announcers: Vec<IpAddr>,
}

impl Seated {
    pub(super) fn new(host: usize, port: u16, engine: Box<dyn Drive>) -> Self {
        Self { host, port, engine, announcers: Vec::new() }
    }

    /// The local port from which a datagram leaves.
    pub(super) fn source_port(&mut self, via: Via) -> u16 {
        let Via::Announce { source, .. } = via else {
            return self.port;
        };
        let known = self.announcers.iter().position(|a| *a == source);
        let place = known.unwrap_or_else(|| {
            self.announcers.push(source);
            self.announcers.len() - 1
        });
        FIRST_EPHEMERAL + u16::try_from(place).unwrap()
    }

    /// Whether a datagram to one of the host's own addresses reaches this engine.
    pub(super) fn receives_at(&self, ip: IpAddr, port: u16) -> bool {
        let place = port.checked_sub(FIRST_EPHEMERAL).map(usize::from);
        port == self.port || place.and_then(|place| self.announcers.get(place)) == Some(&ip)
    }
}

/// An engine and the events it gave, without their types.
pub(super) trait Drive {
    fn datagram(&mut self, now: Instant, datagram: Received<'_>);
    fn timeout(&mut self, now: Instant);
    fn interfaces(&mut self, now: Instant, interfaces: &InterfaceTable);
    fn drain(&mut self) -> Vec<Transmit>;
    fn due(&self) -> Option<Instant>;
    fn any(&mut self) -> &mut dyn Any;
}

pub(super) struct Driven<E: Engine> {
    pub(super) engine: E,
    pub(super) events: Vec<E::Event>,
}

impl<E> Drive for Driven<E>
where
    E: Engine + 'static,
    E::Event: 'static,
{
    fn datagram(&mut self, now: Instant, datagram: Received<'_>) {
        self.engine.handle_datagram(now, datagram);
    }

    fn timeout(&mut self, now: Instant) {
        self.engine.handle_timeout(now);
        let next = self.engine.poll_timeout();
        assert!(
            next.is_none_or(|next| next > now),
            "E3 progress: after handle_timeout the next time-out is not later"
        );
    }

    fn interfaces(&mut self, now: Instant, interfaces: &InterfaceTable) {
        self.engine.handle_interfaces(now, interfaces);
    }

    fn drain(&mut self) -> Vec<Transmit> {
        let transmits = drain(|| self.engine.poll_transmit(), "poll_transmit");
        self.events.extend(drain(|| self.engine.poll_event(), "poll_event"));
        transmits
    }

    fn due(&self) -> Option<Instant> {
        self.engine.poll_timeout()
    }

    fn any(&mut self) -> &mut dyn Any {
        self
    }
}

/// Polls until `None`.
pub(crate) fn drain<T>(poll: impl FnMut() -> Option<T>, name: &str) -> Vec<T> {
    let all: Vec<T> = std::iter::from_fn(poll).take(ENDLESS).collect();
    assert!(all.len() < ENDLESS, "E2 total: {name} never ends");
    all
}
