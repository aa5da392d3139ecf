//! Engines on a virtual network in virtual time.
//!
//! A network is a queue of datagrams, each with the moment at which it arrives. Nothing waits:
//! time jumps to the next arrival or the next time-out of an engine. Everything that is random
//! follows from one seed, so that a run that failed fails again.
//!
//! Hosts stand on LANs. A broadcast or a datagram to a group reaches every host of the LAN, its
//! sender included, as with real sockets; every engine that is seated at the port gets it. LANs
//! that are [routed](Network::route) pass on what is sent to one host, and nothing else.
//!
//! What a kernel would refuse fails the test: a datagram from an address that the interface does
//! not have, to another family, or larger than a datagram can be. So does an engine that keeps
//! the network busy for ever.
//!
//! # Examples
//!
//! ```
//! use std::net::SocketAddr;
//! use std::time::{Duration, Instant};
//!
//! use jellynet_netif::{Engine, Interface, InterfaceTable, Received, Transmit, Via};
//! use jellynet_test::wire::Network;
//!
//! /// Sends everything back to where it came from.
//! #[derive(Default)]
//! struct Echo(Vec<Transmit>);
//!
//! impl Engine for Echo {
//!     type Event = ();
//!
//!     fn handle_datagram(&mut self, _: Instant, datagram: Received<'_>) {
//!         self.0.push(Transmit {
//!             payload: datagram.payload.to_vec().into(),
//!             destination: datagram.source,
//!             via: Via::Reply { interface: datagram.interface, source: datagram.destination },
//!         });
//!     }
//!     fn handle_timeout(&mut self, _: Instant) {}
//!     fn handle_interfaces(&mut self, _: Instant, _: &InterfaceTable) {}
//!     fn poll_transmit(&mut self) -> Option<Transmit> { self.0.pop() }
//!     fn poll_event(&mut self) -> Option<()> { None }
//!     fn poll_timeout(&self) -> Option<Instant> { None }
//! }
//!
//! let mut network = Network::new(7);
//! let lan = network.lan();
//! let server = network.host("server");
//! network.attach(server, lan, Interface::new("eth0", 2).with_address("10.77.1.1/24".parse()?));
//! network.seat(server, 7, Echo::default());
//!
//! let client: SocketAddr = "10.77.1.2:4000".parse()?;
//! network.inject(lan, client, "10.77.1.1:7".parse()?, b"hello");
//! network.run_for(Duration::from_secs(1));
//! assert_eq!(network.sent_to(client)[0].payload, "hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use jellynet_netif::{Engine, Interface, InterfaceTable};

mod motion;
mod packet;
mod route;
pub(crate) mod seat;
mod weather;

pub use self::packet::Packet;
pub use self::seat::Seat;
pub use self::weather::Weather;

pub(crate) use self::packet::refusal;

use self::packet::Flight;
use self::seat::{Driven, Seated};

/// A broadcast domain of a [`Network`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lan(usize);

/// A host of a [`Network`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Host(usize);

/// Hosts, LANs, and the datagrams between them.
pub struct Network {
    start: Instant,
    now: Instant,
    random: fastrand::Rng,
    weather: Weather,
    lans: usize,
    routes: Vec<(Lan, Lan)>,
    hosts: Vec<HostState>,
    seats: Vec<Seated>,
    /// By arrival; the number keeps the order of those that arrive at once.
    queue: BTreeMap<(Instant, u64), Flight>,
    launched: u64,
    packets: Vec<Packet>,
}

struct HostState {
    name: String,
    links: Vec<(Lan, Interface)>,
}

impl HostState {
    fn table(&self) -> InterfaceTable {
        let links = self.links.iter().map(|(_, interface)| interface.clone());
        InterfaceTable::new(links.chain([Interface::loopback(1)]))
    }

    fn lan_of(&self, index: u32) -> Option<Lan> {
        let link = self.links.iter().find(|(_, i)| i.index == index)?;
        Some(link.0)
    }
}

impl Network {
    /// A network without hosts, in calm weather.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let start = crate::deadline::now();
        Self {
            start,
            now: start,
            random: fastrand::Rng::with_seed(seed),
            weather: Weather::calm(),
            lans: 0,
            routes: Vec::new(),
            hosts: Vec::new(),
            seats: Vec::new(),
            queue: BTreeMap::new(),
            launched: 0,
            packets: Vec::new(),
        }
    }

    /// The virtual time.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// The virtual time since the network was made.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    /// Changes what happens to datagrams that are sent from now on.
    pub const fn set_weather(&mut self, weather: Weather) {
        self.weather = weather;
    }

    /// Makes a LAN.
    pub const fn lan(&mut self) -> Lan {
        self.lans += 1;
        Lan(self.lans - 1)
    }

    /// Lets datagrams to single hosts pass between two LANs, both ways.
    pub fn route(&mut self, one: Lan, other: Lan) {
        self.routes.extend([(one, other), (other, one)]);
    }

    /// Makes a host that has a loopback interface (index 1) and nothing else.
    pub fn host(&mut self, name: &str) -> Host {
        self.hosts.push(HostState { name: name.to_owned(), links: Vec::new() });
        Host(self.hosts.len() - 1)
    }

    /// Puts an interface of a host on a LAN, in the place of one with the same index, and tells
    /// the host's engines.
    pub fn attach(&mut self, host: Host, lan: Lan, interface: Interface) {
        let links = &mut self.host_mut(host).links;
        links.retain(|(_, old)| old.index != interface.index);
        links.push((lan, interface));
        self.interfaces_changed(host);
    }

    /// Takes an interface away and tells the host's engines.
    pub fn detach(&mut self, host: Host, index: u32) {
        let links = &mut self.host_mut(host).links;
        links.retain(|(_, old)| old.index != index);
        self.interfaces_changed(host);
    }

    /// The interfaces of a host as its engines know them.
    #[must_use]
    pub fn interfaces(&self, host: Host) -> InterfaceTable {
        self.hosts.get(host.0).unwrap().table()
    }

    /// Seats an engine at a port of a host and tells it the interfaces. Datagrams to that port
    /// reach it, whatever the address; so do answers to its announcements.
    ///
    /// Several engines at one port of a host all get broadcasts and groups; what is sent to the
    /// host alone reaches the one seated last, as with shared ports on Linux.
    pub fn seat<E>(&mut self, host: Host, port: u16, engine: E) -> Seat<E>
    where
        E: Engine + 'static,
        E::Event: 'static,
    {
        let events = Vec::new();
        let driven = Box::new(Driven { engine, events });
        self.seats.push(Seated::new(host.0, port, driven));
        let index = self.seats.len() - 1;
        let table = self.interfaces(host);
        self.drive(index, |engine, now| engine.interfaces(now, &table));
        Seat::new(index)
    }

    /// Calls the engine itself, with the virtual time, and sends what that makes it send.
    pub fn act<E, T>(&mut self, seat: Seat<E>, call: impl FnOnce(&mut E, Instant) -> T) -> T
    where
        E: Engine + 'static,
        E::Event: 'static,
    {
        let now = self.now;
        let answer = call(&mut self.driven(seat).engine, now);
        self.send_from(seat.index);
        answer
    }

    /// Takes the events that the engine gave since the last call.
    pub fn events<E>(&mut self, seat: Seat<E>) -> Vec<E::Event>
    where
        E: Engine + 'static,
        E::Event: 'static,
    {
        std::mem::take(&mut self.driven(seat).events)
    }

    /// Sends a datagram into a LAN as a host would that is none of [this network's](Self::host);
    /// what comes back is found with [`sent_to`](Self::sent_to).
    pub fn inject(
        &mut self,
        lan: Lan,
        source: SocketAddr,
        destination: SocketAddr,
        payload: impl AsRef<[u8]>,
    ) {
        let payload = Bytes::copy_from_slice(payload.as_ref());
        self.launch(lan, None, source, destination, &payload);
    }

    /// Everything that was sent, arrived or not, in order.
    #[must_use]
    pub fn packets(&self) -> &[Packet] {
        &self.packets
    }

    /// What was sent to this address by the engines of this network.
    #[must_use]
    pub fn sent_to(&self, destination: SocketAddr) -> Vec<&Packet> {
        let to_it = |packet: &&Packet| packet.destination == destination && packet.host.is_some();
        self.packets.iter().filter(to_it).collect()
    }

    /// Forgets what was sent until now.
    pub fn clear_packets(&mut self) {
        self.packets.clear();
    }

    /// Lets this much time pass.
    ///
    /// # Panics
    ///
    /// When an engine breaks a law on the way, or 100,000 steps do not suffice.
    pub fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        self.run(end, |_| false);
        self.now = end;
    }

    /// Lets time pass until the condition holds, and returns how much it took.
    ///
    /// # Panics
    ///
    /// When it does not hold within `limit`, naming `what`.
    pub fn run_until(
        &mut self,
        what: &str,
        limit: Duration,
        condition: impl FnMut(&mut Self) -> bool,
    ) -> Duration {
        let begin = self.now;
        let held = self.run(begin + limit, condition);
        assert!(held, "waited {limit:?} of virtual time in vain for {what}");
        self.now - begin
    }

    fn driven<E>(&mut self, seat: Seat<E>) -> &mut Driven<E>
    where
        E: Engine + 'static,
        E::Event: 'static,
    {
        let seated = self.seats.get_mut(seat.index).unwrap();
        let driven = seated.engine.any().downcast_mut();
        driven.unwrap_or_else(|| panic!("{seat:?} is of another network"))
    }

    fn host_mut(&mut self, host: Host) -> &mut HostState {
        self.hosts.get_mut(host.0).unwrap()
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("elapsed", &self.elapsed())
            .field("lans", &self.lans)
            .field("hosts", &self.hosts.len())
            .field("seats", &self.seats.len())
            .field("on_the_way", &self.queue.len())
            .finish_non_exhaustive()
    }
}
