//! Whom a datagram reaches.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use jellynet_netif::{Interface, InterfaceTable};

use super::packet::Flight;
use super::{Host, Lan, Network, Packet};

impl Network {
    /// Sends a datagram into a LAN.
    pub(super) fn launch(
        &mut self,
        lan: Lan,
        from: Option<Host>,
        source: SocketAddr,
        destination: SocketAddr,
        payload: &Bytes,
    ) {
        self.record(Some(lan), from, source, destination, payload);
        for (host, interface, to_all) in self.reached(lan, destination.ip()) {
            // What a host sends to itself does not go over the wire.
            let delays = if from.is_some_and(|from| from.0 == host) {
                vec![self.weather.latency]
            } else {
                self.weather.delays(&mut self.random)
            };
            for delay in delays {
                self.launched += 1;
                let flight = Flight {
                    host,
                    interface,
                    to_all,
                    source: InterfaceTable::scoped(source.ip(), source.port(), interface),
                    destination,
                    payload: payload.clone(),
                };
                self.queue.insert((self.now + delay, self.launched), flight);
            }
        }
    }

    /// Sends a datagram that does not leave its host.
    pub(super) fn loop_back(
        &mut self,
        host: Host,
        interface: u32,
        source: SocketAddr,
        destination: SocketAddr,
        payload: Bytes,
    ) {
        self.record(None, Some(host), source, destination, &payload);
        self.launched += 1;
        let flight = Flight {
            host: host.0,
            interface,
            to_all: destination.ip().is_multicast(),
            source,
            destination,
            payload,
        };
        self.queue.insert((self.now, self.launched), flight);
    }

    fn record(
        &mut self,
        lan: Option<Lan>,
        host: Option<Host>,
        source: SocketAddr,
        destination: SocketAddr,
        payload: &Bytes,
    ) {
        self.packets.push(Packet {
            at: self.elapsed(),
            lan,
            host,
            source,
            destination,
            payload: payload.clone(),
        });
    }

    /// The hosts and interfaces that a datagram in this LAN arrives at, and whether it is for all.
    fn reached(&self, lan: Lan, destination: IpAddr) -> Vec<(usize, u32, bool)> {
        let on_it: Vec<_> = self.links().filter(|(_, on, _)| *on == lan).collect();
        let listens = |interface: &Interface| is_for_all(interface, destination);
        let everyone = destination.is_multicast()
            || matches!(destination, IpAddr::V4(v4) if v4.is_broadcast());
        if everyone || on_it.iter().any(|(_, _, interface)| listens(interface)) {
            return on_it
                .iter()
                .filter(|(_, _, interface)| everyone || listens(interface))
                .map(|(host, _, interface)| (*host, interface.index, true))
                .collect();
        }
        let near = self.connected(lan, destination);
        self.links()
            .filter(|(_, on, interface)| {
                near.contains(on) && interface.addresses.iter().any(|a| a.ip() == destination)
            })
            .map(|(host, _, interface)| (host, interface.index, false))
            .take(1)
            .collect()
    }

    /// Every interface that is up, with its host and LAN.
    fn links(&self) -> impl Iterator<Item = (usize, Lan, &Interface)> {
        self.hosts.iter().enumerate().flat_map(|(host, state)| {
            let up = state.links.iter().filter(|(_, i)| i.flags.up);
            up.map(move |(lan, interface)| (host, *lan, interface))
        })
    }

    /// This LAN and those that routers lead to; link-local addresses stay on it.
    fn connected(&self, lan: Lan, destination: IpAddr) -> BTreeSet<Lan> {
        let mut found = BTreeSet::from([lan]);
        let stays = match destination {
            IpAddr::V4(v4) => v4.is_link_local(),
            IpAddr::V6(v6) => v6.is_unicast_link_local(),
        };
        let mut edge = if stays { Vec::new() } else { vec![lan] };
        while let Some(lan) = edge.pop() {
            for (from, to) in &self.routes {
                if *from == lan && found.insert(*to) {
                    edge.push(*to);
                }
            }
        }
        found
    }
}

/// Whether the address is the broadcast address of a subnet of this interface.
fn is_for_all(interface: &Interface, destination: IpAddr) -> bool {
    let mut broadcasts = interface.addresses.iter().filter_map(|a| a.broadcast());
    broadcasts.any(|broadcast| destination == broadcast)
}
