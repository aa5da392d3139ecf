//! The engine that asks and collects answers.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;
use jellynet_netif::{Engine, Interface, InterfaceAddr, InterfaceTable, Received, Transmit, Via};

use super::device::Device;
use super::target::Target;
use crate::device_id::DeviceId;
use crate::wire::{DiscoverReply, DiscoverRequest, Frame, PORT, RequestForm};

/// The group of all tuners on one link.
const LINK_GROUP: Ipv6Addr = Ipv6Addr::new(0xFF02, 0, 0, 0, 0, 0, 0, 0x176);

/// The group of all tuners of a site.
const SITE_GROUP: Ipv6Addr = Ipv6Addr::new(0xFF05, 0, 0, 0, 0, 0, 0, 0x176);

/// How many devices are remembered; more than any house has.
const MAX_DEVICES: usize = 256;

/// How many rounds without an answer make a device lost.
const MISSED_ROUNDS: u32 = 3;

/// Below this a time-out would be due at the moment it is set.
const LEAST_WAIT: Duration = Duration::from_millis(1);

/// How to seek.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SeekConfig {
    /// Who is sought. Default: all.
    pub target: Target,
    /// How often a round asks. Default: 2.
    pub attempts: u32,
    /// How long each attempt waits for answers. Default: 200 ms.
    pub wait: Duration,
    /// How long after a round the next begins; `None` for one round only. Default: `None`.
    pub every: Option<Duration>,
    /// Whether emulators on this host are asked, at 127.0.0.1 and `::1`. Default: no.
    pub loopback: bool,
    /// The port of discovery. Default: 65001.
    pub port: u16,
}

impl Default for SeekConfig {
    fn default() -> Self {
        Self {
            target: Target::All,
            attempts: 2,
            wait: Duration::from_millis(200),
            every: None,
            loopback: false,
            port: PORT,
        }
    }
}

impl SeekConfig {
    /// The defaults, for this target.
    #[must_use]
    pub fn new(target: Target) -> Self {
        Self { target, ..Self::default() }
    }
}

/// What the engine tells.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SeekEvent {
    /// A device answered for the first time.
    Found(Device),
    /// A known device answered with something new, such as another address.
    Changed(Device),
    /// A device has not answered for three rounds.
    Lost(DeviceId),
    /// A round is over: all attempts were made and waited for, or the one device was found.
    RoundDone,
}

/// What came in that was no answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SeekStats {
    /// Questions sent.
    pub asked: u64,
    /// Datagrams that are no discovery reply.
    pub malformed: u64,
    /// Replies from a source that was not asked.
    pub foreign: u64,
    /// Replies of recorders, or without an id, or beyond the limit of 256 devices.
    pub ignored: u64,
}

/// Asks for tuners and collects their answers. See the [module](super) for its rule.
#[derive(Debug)]
pub struct Seeker {
    config: SeekConfig,
    interfaces: InterfaceTable,
    devices: BTreeMap<DeviceId, Entry>,
    /// How many attempts of this round were made.
    made: u32,
    round: u32,
    /// Whether the round still waits for answers.
    open: bool,
    due: Option<Instant>,
    started: bool,
    out: VecDeque<Transmit>,
    events: VecDeque<SeekEvent>,
    stats: SeekStats,
}

#[derive(Debug)]
struct Entry {
    device: Device,
    /// The round of its last answer.
    seen: u32,
}

impl Seeker {
    /// Begins with the first call of `handle_interfaces`.
    #[must_use]
    pub fn new(config: SeekConfig) -> Self {
        Self {
            config,
            interfaces: InterfaceTable::default(),
            devices: BTreeMap::new(),
            made: 0,
            round: 0,
            open: false,
            due: None,
            started: false,
            out: VecDeque::new(),
            events: VecDeque::new(),
            stats: SeekStats::default(),
        }
    }

    /// The devices found so far.
    pub fn devices(&self) -> impl Iterator<Item = &Device> {
        self.devices.values().map(|e| &e.device)
    }

    /// What came in that was no answer.
    #[must_use]
    pub const fn stats(&self) -> SeekStats {
        self.stats
    }

    fn begin(&mut self, now: Instant) {
        self.round += 1;
        self.made = 0;
        self.open = true;
        self.ask(now);
    }

    fn ask(&mut self, now: Instant) {
        self.made += 1;
        self.due = Some(now + self.config.wait.max(LEAST_WAIT));
        let request = match self.config.target {
            Target::Device(id) => DiscoverRequest::device(id),
            Target::All | Target::Host(_) => DiscoverRequest::tuners(),
        };
        let forms = [RequestForm::Old, RequestForm::New].map(|form| request.encode(form));
        let [old, new] = &forms;
        // A question for one id is written the same in both.
        let forms = if old == new { &forms[..1] } else { &forms[..] };
        for (destination, via) in self.destinations() {
            for payload in forms {
                self.stats.asked += 1;
                self.out.push_back(Transmit { payload: Bytes::clone(payload), destination, via });
            }
        }
    }

    fn destinations(&self) -> Vec<(SocketAddr, Via)> {
        let addresses = self
            .interfaces
            .addresses()
            .filter(|(i, a)| i.flags.up && !a.tentative && !(a.temporary && a.ip().is_ipv6()));
        match self.config.target {
            Target::Host(host) => self.towards(host),
            Target::All | Target::Device(_) => addresses
                .filter_map(|(i, a)| Some((self.group_for(i, a)?, announce(i, a.ip()))))
                .collect(),
        }
    }

    /// Whom to ask from this address.
    fn group_for(&self, interface: &Interface, address: &InterfaceAddr) -> Option<SocketAddr> {
        let port = self.config.port;
        let ip = address.ip();
        if interface.flags.loopback {
            return self.config.loopback.then(|| SocketAddr::new(ip, port));
        }
        if interface.flags.point_to_point {
            return None;
        }
        match ip {
            // A subnet of one or two addresses has no broadcast (RFC 3021).
            IpAddr::V4(_) => {
                address.broadcast().map(|_| SocketAddr::from((Ipv4Addr::BROADCAST, port)))
            }
            IpAddr::V6(_) if !interface.flags.multicast => None,
            IpAddr::V6(v6) if v6.is_unicast_link_local() => {
                Some(InterfaceTable::scoped(LINK_GROUP.into(), port, interface.index))
            }
            IpAddr::V6(_) => Some(InterfaceTable::scoped(SITE_GROUP.into(), port, interface.index)),
        }
    }

    /// One question to one host: from the address in its subnet, else from every interface that
    /// may have a route.
    fn towards(&self, host: IpAddr) -> Vec<(SocketAddr, Via)> {
        let port = self.config.port;
        if let Some((interface, address)) = self.interfaces.on_link(host)
            && !is_link_local_v6(host)
        {
            let to = InterfaceTable::scoped(host, port, interface.index);
            return vec![(to, announce(interface, address.ip()))];
        }
        let up = self.interfaces.iter().filter(|i| i.flags.up && !i.flags.loopback);
        up.filter_map(|i| {
            let source = i.address_towards(host)?;
            let to = InterfaceTable::scoped(host, port, i.index);
            Some((to, announce(i, source)))
        })
        .collect()
    }

    fn is_asked(&self, datagram: &Received<'_>) -> bool {
        if datagram.source.port() != self.config.port {
            return false;
        }
        match self.config.target {
            Target::Host(host) => datagram.source.ip() == host,
            Target::All | Target::Device(_) => {
                self.interfaces.is_on_link(datagram.interface, datagram.source)
            }
        }
    }

    fn found(&mut self, device: Device) {
        let id = device.id;
        if let Some(entry) = self.devices.get_mut(&id) {
            entry.seen = self.round;
            if entry.device.merge(device) {
                self.events.push_back(SeekEvent::Changed(entry.device.clone()));
            }
            return;
        }
        if self.devices.len() >= MAX_DEVICES {
            self.stats.ignored += 1;
            return;
        }
        self.events.push_back(SeekEvent::Found(device.clone()));
        let seen = self.round;
        self.devices.insert(id, Entry { device, seen });
    }

    fn close(&mut self, now: Instant) {
        let round = self.round;
        let events = &mut self.events;
        self.devices.retain(|id, entry| {
            let kept = round < entry.seen + MISSED_ROUNDS;
            if !kept {
                events.push_back(SeekEvent::Lost(*id));
            }
            kept
        });
        self.events.push_back(SeekEvent::RoundDone);
        self.open = false;
        self.due = self.config.every.map(|every| now + every.max(LEAST_WAIT));
    }
}

impl Engine for Seeker {
    type Event = SeekEvent;

    fn handle_datagram(&mut self, now: Instant, datagram: Received<'_>) {
        if !self.is_asked(&datagram) {
            self.stats.foreign += 1;
            return;
        }
        let reply = Frame::decode(datagram.payload).and_then(|f| DiscoverReply::decode(&f));
        let Ok(reply) = reply else {
            self.stats.malformed += 1;
            return;
        };
        let device = Device::from_reply(datagram.source, reply);
        let wanted = device.filter(|d| match self.config.target {
            Target::Device(id) => d.id == id,
            Target::All | Target::Host(_) => true,
        });
        let Some(device) = wanted else {
            self.stats.ignored += 1;
            return;
        };
        self.found(device);
        if self.config.target != Target::All && self.open {
            self.close(now);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.due.is_none_or(|due| now < due) {
            return;
        }
        if !self.open {
            self.begin(now);
        } else if self.made < self.config.attempts {
            self.ask(now);
        } else {
            self.close(now);
        }
    }

    fn handle_interfaces(&mut self, now: Instant, interfaces: &InterfaceTable) {
        let changed = self.interfaces != *interfaces;
        self.interfaces = interfaces.clone();
        let first = !std::mem::replace(&mut self.started, true);
        if first || (changed && self.config.every.is_some()) {
            self.begin(now);
        }
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        self.out.pop_front()
    }

    fn poll_event(&mut self) -> Option<SeekEvent> {
        self.events.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }
}

const fn announce(interface: &Interface, source: IpAddr) -> Via {
    Via::Announce { interface: interface.index, source }
}

const fn is_link_local_v6(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local())
}
