//! The control side: searches, listens, and keeps what it found.

mod cache;
mod config;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use jellynet_netif::{Engine, InterfaceTable, Received, Transmit, Via};

use self::cache::{Cache, Sighting};
pub use self::config::{MAX_TARGETS, SearcherConfig, SearcherConfigError};
use crate::link::{Link, MAX_LINKS, links};
use crate::message::{Details, FieldValue, Message, Notify, NotifyKind, Response, Search};
use crate::random::Random;
use crate::target::{Target, Wanted};

/// How often a search is sent; datagrams get lost.
const COPIES: usize = 3;
/// Between two copies of a search.
const COPY_GAP: Duration = Duration::from_secs(1);
/// Between two messages.
const SPACING: Duration = Duration::from_millis(20);

/// What the engine remembers for the application at most.
const MAX_EVENTS: usize = 1024;

/// Looks for devices on every link, without sockets and clock.
///
/// Feed it by [`Engine`]; `search` (feature `udp`) does that on this host's network.
///
/// # Rules
///
/// 1. Every target is searched for on every link, three times at first and once per
///    [`SearcherConfig::interval`] after that, from ephemeral ports: answers to port 1900 can go
///    to another program. A link that comes later is searched then.
/// 2. Answers and announcements count when they come from the link or from
///    [`SearcherConfig::sources`], name a target that is wanted, and have a URL.
/// 3. A device is known by its `USN`, whatever version of its type that names, and by how many
///    ways it is seen; it is gone when the last way is.
/// 4. Nothing is ever fetched: the URL is a stranger's word.
#[derive(Debug)]
pub struct Searcher {
    config: SearcherConfig,
    table: InterfaceTable,
    rounds: Vec<Round>,
    cache: Cache,
    random: Random,
    out: VecDeque<Transmit>,
    events: VecDeque<SearcherEvent>,
    counters: SearcherCounters,
}

/// The searches on one link.
#[derive(Clone, Copy, Debug)]
struct Round {
    link: Link,
    plan: Plan,
}

/// How far the searches on a link are.
#[derive(Clone, Copy, Debug)]
struct Plan {
    /// How many messages of this round are out.
    sent: usize,
    /// How many copies this round has.
    copies: usize,
    due: Option<Instant>,
}

/// What a [`Searcher`] has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SearcherCounters {
    /// Searches that were sent.
    pub searches: u64,
    /// Answers and announcements that counted.
    pub accepted: u64,
    /// Datagrams that could not be read, or have no URL.
    pub malformed: u64,
    /// Datagrams from a source that is not on the link.
    pub off_link: u64,
    /// Devices beyond [`SearcherConfig::most`].
    pub overflow: u64,
}

/// What a [`Searcher`] tells the application.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SearcherEvent {
    /// A device or service is there.
    Alive(Found),
    /// It has another URL, another boot or configuration id, or one more or one less way to it.
    Update(Found),
    /// It said that it goes.
    ByeBye(Found),
    /// It was silent for longer than it said it would be, or its interface is gone.
    Expired(Found),
}

/// A device or service that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// The `USN` as it was seen last.
    pub usn: String,
    /// The `NT` or `ST` as it was seen last.
    pub target: String,
    /// The URL of the description: of all [ways](Found::ways) the one that most programs can open,
    /// which is IPv4 before IPv6 and link-local last; of equals the newest.
    pub location: String,
    /// The `SERVER` line.
    pub server: Option<String>,
    /// The `BOOTID.UPNP.ORG`.
    pub boot_id: Option<u32>,
    /// The `CONFIGID.UPNP.ORG`.
    pub config_id: Option<u32>,
    /// Where it takes unicast searches when it is not port 1900.
    pub search_port: Option<u16>,
    /// Every way by which it is seen now, the oldest first; empty when it is gone.
    pub ways: Vec<Way>,
}

/// One way by which a device is seen.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Way {
    /// The index of the interface.
    pub interface: u32,
    /// The address that the device sent from.
    pub source: IpAddr,
    /// The URL of the description that it gave there.
    pub location: String,
    /// Until when this is valid.
    pub expires: Instant,
}

impl Searcher {
    /// A searcher that waits for its interfaces.
    ///
    /// # Errors
    ///
    /// When the configuration cannot be searched for.
    pub fn new(config: SearcherConfig) -> Result<Self, SearcherConfigError> {
        config.check()?;
        Ok(Self {
            table: InterfaceTable::default(),
            rounds: Vec::new(),
            cache: Cache::new(config.most),
            random: Random::new(config.seed),
            out: VecDeque::new(),
            events: VecDeque::new(),
            counters: SearcherCounters::default(),
            config,
        })
    }

    /// What it has seen.
    #[must_use]
    pub const fn counters(&self) -> SearcherCounters {
        self.counters
    }

    /// Every device and service that is there now.
    pub fn found(&self) -> impl Iterator<Item = Found> {
        self.cache.iter()
    }

    /// Searches on every link once more, as when a user asks.
    pub fn search_again(&mut self, now: Instant) {
        for round in &mut self.rounds {
            round.plan = Plan { sent: 0, copies: 1, due: Some(now) };
        }
        self.run_rounds(now);
    }

    fn is_welcome(&self, interface: u32, source: SocketAddr) -> bool {
        let ip = source.ip();
        self.table.is_on_link(interface, source)
            || self.config.sources.iter().any(|net| net.contains(&ip))
    }

    fn run_rounds(&mut self, now: Instant) {
        let mut rounds = std::mem::take(&mut self.rounds);
        for round in &mut rounds {
            if round.plan.due.is_some_and(|due| due <= now) {
                self.send_search(&round.link, round.plan.sent);
                round.plan = self.plan_after(now, round.plan);
            }
        }
        self.rounds = rounds;
    }

    /// What follows when one more message of a round is out.
    fn plan_after(&mut self, now: Instant, plan: Plan) -> Plan {
        let targets = self.config.targets.len();
        let sent = plan.sent.saturating_add(1);
        if sent >= targets.saturating_mul(plan.copies) {
            let interval = self.config.interval;
            let wait = interval.map(|i| self.random.between(i * 9 / 10, i * 11 / 10));
            return Plan { sent: 0, copies: 1, due: wait.map(|wait| now + wait) };
        }
        let copy_is_out = sent.checked_rem(targets) == Some(0);
        let gap = if copy_is_out { COPY_GAP } else { SPACING };
        Plan { sent, copies: plan.copies, due: Some(now + gap) }
    }

    fn send_search(&mut self, link: &Link, count: usize) {
        let targets = &self.config.targets;
        let at = count.checked_rem(targets.len()).unwrap_or(0);
        let Some(target) = targets.get(at).map(Target::to_string) else {
            return;
        };
        let search = Search {
            host: Some(link.group.host()),
            mx: Some(self.config.mx),
            target: FieldValue::trusted(&target),
            user_agent: Some(FieldValue::trusted(&self.config.user_agent)),
        };
        self.counters.searches = self.counters.searches.saturating_add(1);
        self.out.push_back(Transmit {
            payload: search.encode(),
            destination: link.destination(),
            via: Via::Announce { interface: link.interface, source: link.source },
        });
    }

    fn take(&mut self, now: Instant, from: &Received<'_>, message: Message<'_>) {
        match message {
            Message::Search(_) => {}
            Message::Response(Response { target, usn, details }) => {
                self.sight(now, from, target, usn, &details);
            }
            Message::Notify(Notify { kind: NotifyKind::ByeBye, usn, .. }) => {
                let event = self.cache.leave(usn.as_str(), from.interface);
                self.accept(event);
            }
            Message::Notify(Notify { target, usn, mut details, .. }) => {
                // After an update the device goes on under its next boot id (§ 1.2.4).
                details.boot_id = details.next_boot_id.or(details.boot_id);
                self.sight(now, from, target, usn, &details);
            }
        }
    }

    fn sight(
        &mut self,
        now: Instant,
        from: &Received<'_>,
        target: FieldValue<'_>,
        usn: FieldValue<'_>,
        details: &Details<'_>,
    ) {
        if !self.is_wanted(target, usn) {
            return;
        }
        let Some(location) = details.location.filter(|l| is_http(l.as_str())) else {
            self.counters.malformed = self.counters.malformed.saturating_add(1);
            return;
        };
        let sighting = Sighting {
            usn: usn.as_str(),
            target: target.as_str(),
            location: location.as_str(),
            details,
            interface: from.interface,
            source: from.source.ip(),
            expires: now + valid_for(details.max_age),
        };
        match self.cache.see(&sighting) {
            Ok(event) => self.accept(event),
            Err(cache::Full) => {
                self.counters.overflow = self.counters.overflow.saturating_add(1);
            }
        }
    }

    fn is_wanted(&self, target: FieldValue<'_>, usn: FieldValue<'_>) -> bool {
        let seen = Wanted::read(target.as_str());
        self.config.targets.iter().any(|wanted| match wanted {
            Target::All => true,
            Target::RootDevice => seen == Some(Wanted::RootDevice),
            Target::Device(uuid) => {
                let own = usn.as_str().split("::").next().unwrap_or_default();
                own.parse() == Ok(*uuid)
            }
            Target::Type(name) => matches!(seen, Some(Wanted::Type { stem, version })
                if version >= name.version() && stem.eq_ignore_ascii_case(name.stem())),
        })
    }

    fn accept(&mut self, event: Option<SearcherEvent>) {
        self.counters.accepted = self.counters.accepted.saturating_add(1);
        if let Some(event) = event {
            self.tell(event);
        }
    }

    fn tell(&mut self, event: SearcherEvent) {
        if self.events.len() >= MAX_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }
}

impl Engine for Searcher {
    type Event = SearcherEvent;

    fn handle_datagram(&mut self, now: Instant, datagram: Received<'_>) {
        if datagram.payload.get(..8).is_some_and(|m| m.eq_ignore_ascii_case(b"M-SEARCH")) {
            return;
        }
        if !self.is_welcome(datagram.interface, datagram.source) {
            self.counters.off_link = self.counters.off_link.saturating_add(1);
            return;
        }
        match Message::parse(datagram.payload) {
            Ok(message) => self.take(now, &datagram, message),
            Err(_) => self.counters.malformed = self.counters.malformed.saturating_add(1),
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        for event in self.cache.expire(now) {
            self.tell(event);
        }
        self.run_rounds(now);
    }

    fn handle_interfaces(&mut self, now: Instant, interfaces: &InterfaceTable) {
        self.table = interfaces.clone();
        let config = &self.config;
        let mut links = links(interfaces, config.families, &config.interfaces, false);
        links.truncate(MAX_LINKS);
        self.rounds.retain(|round| links.contains(&round.link));
        for link in links {
            if self.rounds.iter().all(|round| round.link != link) {
                let wait = self.random.between(Duration::ZERO, SPACING);
                let plan = Plan { sent: 0, copies: COPIES, due: Some(now + wait) };
                self.rounds.push(Round { link, plan });
            }
        }
        let up = |index| interfaces.by_index(index).is_some_and(|i| i.flags.up);
        for event in self.cache.keep_interfaces(up) {
            self.tell(event);
        }
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        self.out.pop_front()
    }

    fn poll_event(&mut self) -> Option<SearcherEvent> {
        self.events.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let rounds = self.rounds.iter().filter_map(|round| round.plan.due);
        rounds.chain(self.cache.next_expiry()).min()
    }
}

/// Whether it is a URL that a description can be fetched from.
fn is_http(location: &str) -> bool {
    let (scheme, rest) = location.split_once("://").unwrap_or_default();
    let http = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    http && !rest.is_empty() && !location.contains(char::is_whitespace)
}

/// UPnP Device Architecture 2.0 § 1.2.2 recommends 1800 s; some say 75, some say years.
fn valid_for(max_age: Option<u32>) -> Duration {
    let seconds = max_age.unwrap_or(1800).clamp(1, 7 * 24 * 60 * 60);
    Duration::from_secs(u64::from(seconds))
}
