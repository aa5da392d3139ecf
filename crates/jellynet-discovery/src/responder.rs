//! The side that is asked.

use std::collections::VecDeque;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use jellynet_netif::{Engine, InterfaceTable, Received, SubnetSet, Transmit, Via};

use crate::answer::encode;
use crate::id::ServerId;
use crate::limit::{Limiter, Rate};
use crate::question::Probes;

/// How many events wait to be polled at most.
const EVENTS: usize = 64;

/// Who asks, and by which way: all that a URL may depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Asker {
    /// The client's address.
    pub peer: IpAddr,
    /// The index of the interface by which the answer leaves: the one the question came by, or
    /// where this host asked itself, the one that has the address it asked.
    pub interface: u32,
    /// The address of this host from which the answer leaves: the one that was asked, or the
    /// interface's own in the peer's subnet.
    pub local: IpAddr,
}

impl Asker {
    /// The plainest URL: `http`, the address from which the answer leaves, and `port`.
    #[must_use]
    pub fn http(&self, port: u16) -> String {
        format!("http://{}", SocketAddr::new(self.local, port))
    }
}

/// A server that is found: this one, or one that it speaks for.
#[derive(Clone)]
pub struct Identity {
    id: ServerId,
    /// The id as it is written, once for all answers.
    id_text: String,
    name: String,
    url: Arc<dyn Fn(&Asker) -> Option<String> + Send + Sync>,
}

impl Identity {
    /// A server with this id and name, and a rule that gives the URL under which *this* asker
    /// reaches it. No URL means no answer, which is better than a wrong one.
    ///
    /// # Examples
    ///
    /// ```
    /// use jellynet_discovery::{Identity, ServerId};
    ///
    /// let id = ServerId::from_bytes([7; 16]);
    /// let server = Identity::new(id, "Living room", |asker| Some(asker.http(8096)));
    /// assert_eq!(server.name(), "Living room");
    /// ```
    #[must_use]
    pub fn new<F>(id: ServerId, name: impl Into<String>, url: F) -> Self
    where
        F: Fn(&Asker) -> Option<String> + Send + Sync + 'static,
    {
        Self { id, id_text: id.to_string(), name: name.into(), url: Arc::new(url) }
    }

    /// The id.
    #[must_use]
    pub const fn id(&self) -> ServerId {
        self.id
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("id", &self.id)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What a [`Responder`] answers to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ResponderConfig {
    /// The questions it knows. Default: those of Jellyfin's clients.
    pub probes: Probes,
    /// Sources that are answered although they are not on the link, such as a relay between two
    /// networks. Default: none.
    ///
    /// # Security
    ///
    /// A source address can be forged: whoever is let in here can be made the target of answers,
    /// five times as long as the questions.
    pub allowed: SubnetSet,
    /// How often one source is answered. Default: 10 a second, 20 at once.
    pub per_source: Rate,
    /// How often all together are answered. Default: 200 a second, 400 at once.
    pub global: Rate,
}

impl Default for ResponderConfig {
    fn default() -> Self {
        Self {
            probes: Probes::default(),
            allowed: SubnetSet::default(),
            per_source: Rate::new(10, 20),
            global: Rate::new(200, 400),
        }
    }
}

/// Answers the question of clients, as an [`Engine`].
///
/// # The rule
///
/// | the datagram | is |
/// | --- | --- |
/// | is no question, see [`Probes`] | ignored |
/// | is from port 0, or from an address that no host can have | ignored |
/// | is from off the link and not allowed | ignored |
/// | is more than its source, or all sources, may send | ignored |
/// | is any other question, from whatever port | answered at once, once per identity, from the address that was asked, by the interface that it came by |
///
/// An identity without a URL for this asker is left out. Port 7359 as a source is allowed: some
/// clients ask from there.
#[derive(Debug)]
pub struct Responder {
    config: ResponderConfig,
    identities: Vec<Identity>,
    table: InterfaceTable,
    limiter: Limiter<IpAddr>,
    transmits: VecDeque<Transmit>,
    events: VecDeque<ResponderEvent>,
    stats: ResponderStats,
}

/// What a [`Responder`] tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResponderEvent {
    /// A client was answered.
    Answered {
        /// The client.
        peer: SocketAddr,
        /// The index of the interface.
        interface: u32,
    },
    /// A client asked, and nothing can be said to it: there is no URL for it, or no address to
    /// answer from.
    Unanswerable {
        /// The client.
        peer: SocketAddr,
        /// The index of the interface.
        interface: u32,
    },
}

/// What became of the datagrams, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResponderStats {
    /// Questions that were answered.
    pub answered: u64,
    /// Datagrams that are no question.
    pub not_a_question: u64,
    /// Questions from off the link.
    pub off_link: u64,
    /// Questions that came too often.
    pub limited: u64,
    /// Questions for which there was no URL or no address to answer from.
    pub unanswerable: u64,
    /// Events that nobody polled in time.
    pub events_dropped: u64,
}

impl Responder {
    /// A responder with this configuration, and nobody to speak for yet.
    #[must_use]
    pub fn new(config: ResponderConfig) -> Self {
        Self {
            limiter: Limiter::new(config.per_source, config.global),
            config,
            identities: Vec::new(),
            table: InterfaceTable::default(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            stats: ResponderStats::default(),
        }
    }

    /// The same responder, which speaks for one more server.
    #[must_use]
    pub fn with_identity(mut self, identity: Identity) -> Self {
        self.advertise(identity);
        self
    }

    /// Speaks for this server from now on, in place of one with the same id.
    pub fn advertise(&mut self, identity: Identity) {
        let known = self.identities.iter_mut().find(|i| i.id == identity.id);
        match known {
            Some(known) => *known = identity,
            None => self.identities.push(identity),
        }
    }

    /// Speaks for the server with this id no more; whether it did.
    pub fn withdraw(&mut self, id: ServerId) -> bool {
        let before = self.identities.len();
        self.identities.retain(|identity| identity.id != id);
        self.identities.len() < before
    }

    /// The servers it speaks for.
    #[must_use]
    pub fn identities(&self) -> &[Identity] {
        &self.identities
    }

    /// What became of the datagrams.
    #[must_use]
    pub const fn stats(&self) -> ResponderStats {
        self.stats
    }

    /// Whether `source` may be answered at all.
    fn may_ask(&self, interface: u32, source: SocketAddr) -> bool {
        if self.table.is_on_link(interface, source) {
            return true;
        }
        let ip = source.ip();
        let nobody = ip.is_unspecified()
            || ip.is_multicast()
            || matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
        source.port() != 0 && !nobody && self.config.allowed.contains(ip)
    }

    /// From where to answer: the address that was asked and its interface, or where a broadcast
    /// asked all, the address of the interface it came by.
    fn asked(&self, datagram: Received<'_>) -> Option<(u32, IpAddr)> {
        let ingress = self.table.by_index(datagram.interface)?;
        let asked = datagram.destination;
        // A link-local address may be on several interfaces; this one's comes first.
        if ingress.addresses.iter().any(|a| a.ip() == asked) {
            return Some((ingress.index, asked));
        }
        // What this host asks itself comes in by the loopback interface.
        if let Some(holder) = self.table.holding(asked) {
            return Some((holder.index, asked));
        }
        let towards = ingress.address_towards(datagram.source.ip())?;
        Some((ingress.index, towards))
    }

    /// Queues an answer for each identity; whether there was any.
    fn answer(&mut self, peer: SocketAddr, (interface, local): (u32, IpAddr)) -> bool {
        let asker = Asker { peer: peer.ip(), interface, local };
        let before = self.transmits.len();
        for identity in &self.identities {
            let url = (identity.url)(&asker).filter(|url| !url.trim().is_empty());
            let answer = url.and_then(|url| encode(&url, &identity.id_text, &identity.name));
            self.transmits.extend(answer.map(|bytes| Transmit {
                payload: Bytes::from(bytes),
                destination: peer,
                via: Via::Reply { interface, source: local },
            }));
        }
        self.transmits.len() > before
    }

    fn tell(&mut self, event: ResponderEvent) {
        if self.events.len() < EVENTS {
            self.events.push_back(event);
        } else {
            self.stats.events_dropped += 1;
        }
    }
}

impl Engine for Responder {
    type Event = ResponderEvent;

    fn handle_datagram(&mut self, now: Instant, datagram: Received<'_>) {
        if !self.config.probes.matches(datagram.payload) {
            self.stats.not_a_question += 1;
            return;
        }
        let (peer, interface) = (datagram.source, datagram.interface);
        if !self.may_ask(interface, peer) {
            self.stats.off_link += 1;
            return;
        }
        if !self.limiter.allows(peer.ip(), now) {
            self.stats.limited += 1;
            return;
        }
        let asked = self.asked(datagram);
        if asked.is_some_and(|asked| self.answer(peer, asked)) {
            self.stats.answered += 1;
            self.tell(ResponderEvent::Answered { peer, interface });
        } else {
            self.stats.unanswerable += 1;
            self.tell(ResponderEvent::Unanswerable { peer, interface });
        }
    }

    fn handle_timeout(&mut self, _now: Instant) {}

    fn handle_interfaces(&mut self, _now: Instant, interfaces: &InterfaceTable) {
        self.table.clone_from(interfaces);
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    fn poll_event(&mut self) -> Option<ResponderEvent> {
        self.events.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}
