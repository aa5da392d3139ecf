//! How a network moves: from one arrival or time-out to the next.

use std::net::SocketAddr;
use std::time::Instant;

use jellynet_netif::Received;

use super::packet::{Flight, refusal};
use super::seat::{Drive, Seated};
use super::{Host, Network};

/// More steps than any test needs in one run.
const HANGS: usize = 100_000;

impl Network {
    /// Steps until `end`, or until the condition holds.
    pub(super) fn run(
        &mut self,
        end: Instant,
        mut condition: impl FnMut(&mut Self) -> bool,
    ) -> bool {
        for _ in 0..HANGS {
            if condition(self) {
                return true;
            }
            match self.next_event().filter(|next| *next <= end) {
                Some(next) => self.step_to(next),
                None => return false,
            }
        }
        panic!("the network hangs: {HANGS} steps, and {:?} is not over", end - self.now);
    }

    pub(super) fn next_event(&self) -> Option<Instant> {
        let arrival = self.queue.keys().map(|(at, _)| *at).next();
        let due = self.seats.iter().filter_map(|seat| seat.engine.due());
        due.chain(arrival).min().map(|next| next.max(self.now))
    }

    /// Delivers one datagram, or does what is due.
    pub(super) fn step_to(&mut self, now: Instant) {
        self.now = now;
        let arrival = self.queue.first_entry().filter(|first| first.key().0 <= now);
        if let Some(arrival) = arrival {
            let flight = arrival.remove();
            self.deliver(&flight);
            return;
        }
        for index in 0..self.seats.len() {
            let due = self.seats.get(index).and_then(|seat| seat.engine.due());
            if due.is_some_and(|due| due <= now) {
                self.drive(index, |engine, now| engine.timeout(now));
            }
        }
    }

    pub(super) fn deliver(&mut self, flight: &Flight) {
        let Some(host) = self.hosts.get(flight.host) else {
            return;
        };
        let destination = flight.destination;
        let table = host.table();
        let to_one = table.holding(destination.ip()).is_some();
        let still_there = (to_one || flight.to_all) && table.by_index(flight.interface).is_some();
        let reached = |seat: &&Seated| {
            seat.host == flight.host
                && if to_one {
                    seat.receives_at(destination.ip(), destination.port())
                } else {
                    seat.port == destination.port()
                }
        };
        let mut receivers: Vec<_> = self
            .seats
            .iter()
            .enumerate()
            .filter(|(_, seat)| still_there && reached(seat))
            .map(|(index, _)| index)
            .collect();
        if to_one && receivers.len() > 1 {
            receivers.drain(..receivers.len() - 1);
        }
        for index in receivers {
            self.drive(index, |engine, now| {
                let received = Received {
                    payload: &flight.payload,
                    source: flight.source,
                    destination: destination.ip(),
                    interface: flight.interface,
                };
                engine.datagram(now, received);
            });
        }
    }

    pub(super) fn interfaces_changed(&mut self, host: Host) {
        let table = self.interfaces(host);
        for index in 0..self.seats.len() {
            if self.seats.get(index).is_some_and(|seat| seat.host == host.0) {
                self.drive(index, |engine, now| engine.interfaces(now, &table));
            }
        }
    }

    pub(super) fn drive(&mut self, seat: usize, call: impl FnOnce(&mut dyn Drive, Instant)) {
        let now = self.now;
        call(self.seats.get_mut(seat).unwrap().engine.as_mut(), now);
        self.send_from(seat);
    }

    /// Sends what an engine has queued.
    pub(super) fn send_from(&mut self, seat: usize) {
        let seated = self.seats.get_mut(seat).unwrap();
        let host = self.hosts.get(seated.host).unwrap();
        let mut launches = Vec::new();
        for transmit in seated.engine.drain() {
            if let Some(why) = refusal(&host.table(), &transmit) {
                panic!("{} cannot send {transmit:?}: {why}", host.name);
            }
            let source = SocketAddr::new(transmit.via.source(), seated.source_port(transmit.via));
            launches.push((host.lan_of(transmit.via.interface()), source, transmit));
        }
        let from = Host(seated.host);
        for (lan, source, transmit) in launches {
            let (to, payload) = (transmit.destination, transmit.payload);
            match lan {
                Some(lan) => self.launch(lan, Some(from), source, to, &payload),
                None => self.loop_back(from, transmit.via.interface(), source, to, payload),
            }
        }
    }
}
