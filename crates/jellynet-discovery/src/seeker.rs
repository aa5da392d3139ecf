//! The side that asks.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;
use jellynet_netif::{Engine, Interface, InterfaceTable, Received, Transmit, Via};

use crate::PORT;
use crate::answer::Answer;
use crate::id::ServerId;
use crate::question::Probes;

/// How many servers are remembered, and how many ways to each.
const SERVERS: usize = 256;
const WAYS: usize = 8;

/// How a [`Seeker`] asks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SeekerConfig {
    /// What is asked. Default: `who is JellyfinServer?`
    pub question: String,
    /// The port that is asked. Default: 7359.
    pub port: u16,
    /// When it is asked, after the start: broadcasts get lost, on radio most of all. Default: at
    /// once, and after 0.5 s and 1.5 s.
    pub rounds: Vec<Duration>,
    /// How long answers are waited for, from the start. Default: 3 s.
    pub wait: Duration,
    /// Ids that are this host's own: whoever else answers with one is a
    /// [conflict](SeekEvent::Conflict). Default: none.
    pub own: Vec<ServerId>,
}

impl Default for SeekerConfig {
    fn default() -> Self {
        Self {
            question: Probes::JELLYFIN[0].to_owned(),
            port: PORT,
            rounds: [0, 500, 1500].map(Duration::from_millis).to_vec(),
            wait: Duration::from_secs(3),
            own: Vec::new(),
        }
    }
}

impl SeekerConfig {
    /// The same, with ids that are this host's own.
    #[must_use]
    pub fn with_own(mut self, own: impl IntoIterator<Item = ServerId>) -> Self {
        self.own = own.into_iter().collect();
        self
    }

    /// The same, which waits this long; rounds that would be later are left out.
    #[must_use]
    pub fn with_wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self.rounds.retain(|round| *round < wait);
        self
    }

    /// The same, which asks another port.
    #[must_use]
    pub const fn with_port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }
}

/// Asks who is there, as an [`Engine`].
///
/// # The rule
///
/// 1. Every IPv4 address of every interface that is up asks by broadcast: to its subnet and to
///    255.255.255.255, because some networks drop the one and some the other. Loopback asks the
///    host itself, and a link with two ends, such as a VPN, is left out: it has no broadcast.
/// 2. An address that comes later asks at once.
/// 3. Servers are told apart by id. The first answer of a server is an event, and so is each
///    further one that comes from elsewhere, by another interface or with another URL; the same
///    again is none.
/// 4. An answer with one of this host's own ids from an address that is not this host's is a
///    conflict, told once per address.
/// 5. An answer is never answered. 256 servers with 8 ways each are remembered; further ones are
///    counted.
#[derive(Debug)]
pub struct Seeker {
    config: SeekerConfig,
    table: InterfaceTable,
    /// When it was asked for the first time.
    start: Option<Instant>,
    asked: usize,
    over: bool,
    servers: Vec<Server>,
    stats: SeekerStats,
    transmits: VecDeque<Transmit>,
    events: VecDeque<SeekEvent>,
}

/// A server and the ways to it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Server {
    /// Its id.
    pub id: String,
    /// Its name, as in its first answer.
    pub name: String,
    /// The different answers, in the order they came.
    pub ways: Vec<Found>,
}

/// An answer, and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// What the server says.
    pub answer: Answer,
    /// The address that it answered from.
    pub from: SocketAddr,
    /// The index of the interface that the answer came by.
    pub interface: u32,
}

impl Found {
    /// Whether two answers have the same id and cannot be of one server: it answers once on an
    /// interface for each family, and calls itself the same everywhere. A cloned installation has
    /// this; clients take one for the other.
    #[must_use]
    pub fn conflicts_with(&self, other: &Self) -> bool {
        let (one, two) = (self.from.ip(), other.from.ip());
        let same_link = self.interface == other.interface && one.is_ipv4() == two.is_ipv4();
        self.answer.id.eq_ignore_ascii_case(&other.answer.id)
            && one != two
            && (same_link || self.answer.name != other.answer.name)
    }
}

/// What a [`Seeker`] tells.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SeekEvent {
    /// A server that was not known yet.
    Found(Found),
    /// Another way to a server that is known.
    Also(Found),
    /// Another host answers with an id that is this host's own.
    Conflict(Found),
    /// The time is over; nothing comes after this.
    Over,
}

/// What became of the datagrams, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SeekerStats {
    /// Answers that were understood.
    pub answers: u64,
    /// Datagrams that are no answer.
    pub malformed: u64,
    /// Answers for which there was no room.
    pub overflow: u64,
}

impl Seeker {
    /// A seeker that begins when it learns the interfaces.
    #[must_use]
    pub fn new(config: SeekerConfig) -> Self {
        Self {
            config,
            table: InterfaceTable::default(),
            start: None,
            asked: 0,
            over: false,
            servers: Vec::new(),
            stats: SeekerStats::default(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// The servers found so far.
    #[must_use]
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// What became of the datagrams.
    #[must_use]
    pub const fn stats(&self) -> SeekerStats {
        self.stats
    }

    /// Asks from every address for which `wanted` holds.
    fn ask(&mut self, wanted: impl Fn(u32, IpAddr) -> bool) {
        let question = Bytes::copy_from_slice(self.config.question.as_bytes());
        for (interface, address) in self.table.addresses() {
            let source = address.ip();
            let link = interface.flags.up && !interface.flags.point_to_point;
            let usable = link && !address.tentative && source.is_ipv4();
            if !usable || !wanted(interface.index, source) {
                continue;
            }
            let targets = targets(interface, source, address.broadcast());
            self.transmits.extend(targets.map(|target| Transmit {
                payload: question.clone(),
                destination: SocketAddr::new(target, self.config.port),
                via: Via::Announce { interface: interface.index, source },
            }));
        }
    }

    fn ask_if_due(&mut self, now: Instant) {
        let Some(start) = self.start else { return };
        let due = |round: &Duration| start + *round <= now;
        if self.config.rounds.get(self.asked).is_some_and(due) {
            // Rounds that were slept through are made up for by one.
            while self.config.rounds.get(self.asked).is_some_and(due) {
                self.asked += 1;
            }
            self.ask(|_, _| true);
        }
    }

    fn is_own(&self, found: &Found) -> bool {
        let id = found.answer.id.parse::<ServerId>();
        id.is_ok_and(|id| self.config.own.contains(&id))
    }

    /// Remembers an answer, and tells of it if it is new.
    fn note(&mut self, found: Found) {
        let conflict = self.is_own(&found) && self.table.holding(found.from.ip()).is_none();
        let Some(server) = self.server(&found.answer) else {
            self.stats.overflow += 1;
            return;
        };
        if server.ways.contains(&found) {
            return;
        }
        if server.ways.len() >= WAYS {
            self.stats.overflow += 1;
            return;
        }
        let first = server.ways.is_empty();
        let host = found.from.ip();
        let told = server.ways.iter().any(|way| way.from.ip() == host);
        server.ways.push(found.clone());
        self.events.push_back(if conflict && !told {
            SeekEvent::Conflict(found)
        } else if first {
            SeekEvent::Found(found)
        } else {
            SeekEvent::Also(found)
        });
    }

    /// The server that gave this answer, new if need be; `None` when there is no room.
    fn server(&mut self, answer: &Answer) -> Option<&mut Server> {
        let same = |server: &Server| server.id.eq_ignore_ascii_case(&answer.id);
        let at = match self.servers.iter().position(same) {
            Some(known) => known,
            None if self.servers.len() >= SERVERS => return None,
            None => {
                self.servers.push(Server {
                    id: answer.id.clone(),
                    name: answer.name.clone(),
                    ways: Vec::new(),
                });
                self.servers.len() - 1
            }
        };
        self.servers.get_mut(at)
    }
}

/// Where an address asks.
fn targets(
    interface: &Interface,
    source: IpAddr,
    broadcast: Option<Ipv4Addr>,
) -> impl Iterator<Item = IpAddr> {
    let own = interface.flags.loopback.then_some(source);
    let all = (!interface.flags.loopback).then_some([broadcast, Some(Ipv4Addr::BROADCAST)]);
    let all = all.into_iter().flatten().flatten().map(IpAddr::V4);
    own.into_iter().chain(all)
}

impl Engine for Seeker {
    type Event = SeekEvent;

    fn handle_datagram(&mut self, _now: Instant, datagram: Received<'_>) {
        if self.over {
            return;
        }
        match Answer::decode(datagram.payload) {
            Ok(answer) => {
                self.stats.answers += 1;
                self.note(Found { answer, from: datagram.source, interface: datagram.interface });
            }
            Err(_) => self.stats.malformed += 1,
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        let over = self.start.is_some_and(|start| start + self.config.wait <= now);
        if over && !self.over {
            self.over = true;
            self.events.push_back(SeekEvent::Over);
        }
        if !self.over {
            self.ask_if_due(now);
        }
    }

    fn handle_interfaces(&mut self, now: Instant, interfaces: &InterfaceTable) {
        let before = std::mem::replace(&mut self.table, interfaces.clone());
        if self.start.is_none() {
            self.start = Some(now);
            self.ask_if_due(now);
        } else if !self.over {
            self.ask(|index, source| {
                let settled = |old: &Interface| {
                    let mut addresses = old.addresses.iter();
                    old.flags.up && addresses.any(|a| a.ip() == source && !a.tentative)
                };
                !before.by_index(index).is_some_and(settled)
            });
        }
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    fn poll_event(&mut self) -> Option<SeekEvent> {
        self.events.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let start = self.start.filter(|_| !self.over)?;
        let round = self.config.rounds.get(self.asked);
        let next = round.map_or(self.config.wait, |round| (*round).min(self.config.wait));
        Some(start + next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(id: &str, name: &str, from: &str, interface: u32) -> Found {
        let answer = format!(
            r#"{{"Address":"http://x","Id":"{id}","Name":"{name}","EndpointAddress":null}}"#
        );
        let answer = Answer::decode(answer.as_bytes()).unwrap();
        Found { answer, from: from.parse().unwrap(), interface }
    }

    #[test]
    fn one_server_on_two_networks_is_no_conflict_and_a_clone_is() {
        let id = "0123456789abcdef0123456789abcdef";
        let one = found(id, "Attic", "10.0.0.5:7359", 2);
        for (other, conflict, why) in [
            (found(id, "Attic", "10.0.0.6:7359", 2), true, "one LAN, two hosts"),
            (found(id, "Attic", "10.0.1.5:7359", 3), false, "its other network"),
            (found(id, "Cellar", "10.0.1.5:7359", 3), true, "another name there"),
            (found(id, "Attic", "[fe80::5]:7359", 2), false, "its other family"),
            (found(id, "Attic", "10.0.0.5:50000", 2), false, "the same address"),
            (found(&id.to_uppercase(), "Attic", "10.0.0.6:7359", 2), true, "one id, other letters"),
            (
                found("f123456789abcdef0123456789abcdef", "Attic", "10.0.0.6:7359", 2),
                false,
                "an id of its own",
            ),
        ] {
            assert_eq!(one.conflicts_with(&other), conflict, "{why}");
            assert_eq!(other.conflicts_with(&one), conflict, "{why}");
        }
    }
}
