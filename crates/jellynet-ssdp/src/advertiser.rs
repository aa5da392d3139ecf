//! The device side: announces, answers, follows the network, says goodbye.

mod answers;
mod config;
mod endpoint;
mod wave;

use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use jellynet_netif::{Engine, InterfaceTable, Received, Transmit};

use self::answers::Answers;
pub use self::config::{AdvertiserConfig, AdvertiserConfigError, Limits, MAX_DEVICES};
use self::endpoint::Endpoint;
pub use self::endpoint::LinkStatus;
use self::wave::{Phase, Wave};
use crate::bucket::Bucket;
use crate::device::{Advertisement, RootDevice};
use crate::message::FIRST_SEARCH_PORT;
use crate::random::Random;
use crate::uuid::Uuid;

/// The longest time before the first announcement (UPnP Device Architecture 2.0 § 1.2.2).
const INITIAL_JITTER: Duration = Duration::from_millis(100);

/// What the engine remembers for the application at most.
const MAX_EVENTS: usize = 256;

/// Announces devices and answers searches for them, without sockets and clock.
///
/// Feed it by [`Engine`]; `SsdpService` (feature `udp`) does that on this host's network.
///
/// # Rules
///
/// 1. Each device is announced by the 3 + 2d + k messages of UPnP Device Architecture 2.0
///    § 1.2.2, on every link, three times, and again before half of `max-age` is over.
/// 2. On an interface where the device was not before, a byebye goes first: control points forget
///    what a crash left behind.
/// 3. When an interface or an address comes, returns or changes, the boot id grows, and the order
///    is that of § 1.2.4: byebye where an address was lost, `ssdp:update` on the links that are
///    as before (root devices first), and when all of those are out, alive everywhere.
/// 4. What is gone is not named again: an answer that waits for a vanished link is dropped.
/// 5. A link that flaps costs three such sequences at once and one in 20 seconds after that;
///    searches are answered in between.
/// 6. A search is answered when it comes from the link or from [`AdvertiserConfig::sources`], and
///    within the [`Limits`]; the answer leaves from the address and the interface it was asked by.
/// 7. A multicast search without `MX` is not answered (§ 1.3.3); `MX: 0` counts as 1, more than 5
///    as 5. Each answer waits for a random time of at most four fifths of that. A unicast search
///    is answered at once.
#[derive(Debug)]
pub struct Advertiser {
    config: AdvertiserConfig,
    devices: Vec<RootDevice>,
    /// Which devices came when others were announced already, and have not been announced yet.
    fresh: BTreeSet<usize>,
    /// Which device each message is of, all root messages first.
    messages: Vec<(usize, Advertisement)>,
    table: InterfaceTable,
    endpoints: Vec<Endpoint>,
    /// What was announced last.
    boot_id: u32,
    /// What is announced next; never less than what an update has promised.
    next_boot_id: u32,
    ever_announced: bool,
    wave: Option<Wave>,
    wave_due: Option<Instant>,
    waves: Bucket,
    refresh_due: Option<Instant>,
    search_port: Option<u16>,
    stopping: bool,
    answers: Answers,
    random: Random,
    out: VecDeque<Transmit>,
    /// Where answers are written, again and again.
    scratch: Vec<u8>,
    events: VecDeque<AdvertiserEvent>,
    counters: AdvertiserCounters,
}

/// What an [`Advertiser`] tells the application.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AdvertiserEvent {
    /// The announcement of a device on a link begins.
    Announced {
        /// Which device.
        device: Uuid,
        /// The index of the interface.
        interface: u32,
        /// The URL of the description there.
        location: String,
    },
    /// A link is gone, and all devices on it.
    Withdrawn {
        /// The index of the interface.
        interface: u32,
        /// The address of this host that it was.
        address: IpAddr,
    },
    /// A device cannot be seen on a link.
    Skipped {
        /// Which device.
        device: Uuid,
        /// The index of the interface.
        interface: u32,
        /// The address of this host there.
        address: IpAddr,
        /// Why not.
        reason: SkipReason,
    },
    /// This host has more networks than are used: those of the highest interface indices are left
    /// out. An [`InterfaceFilter`](crate::InterfaceFilter) chooses others.
    TooManyLinks {
        /// How many there are; 64 are used.
        found: usize,
    },
    /// [`Advertiser::stop`] is done: every byebye has been given to `poll_transmit`.
    Stopped,
}

/// Why a device cannot be seen on a link.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SkipReason {
    /// There is no URL for its description.
    NoLocation,
    /// The URL is none that others can use: not HTTP, with a zone id, or unfit for a header.
    BadLocation(String),
}

/// What an [`Advertiser`] has seen and done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdvertiserCounters {
    /// Searches that came.
    pub searches: u64,
    /// Answers that were sent.
    pub answers: u64,
    /// Announcements of every kind that were sent.
    pub announcements: u64,
    /// Searches that could not be read.
    pub malformed: u64,
    /// Searches for nothing that is here.
    pub unmatched: u64,
    /// Searches from a source that is not on the link.
    pub off_link: u64,
    /// Searches beyond the [`Limits`].
    pub throttled: u64,
    /// Searches that were asked again before they were answered.
    pub repeated: u64,
}

impl Advertiser {
    /// An advertiser of these devices, which waits for its interfaces.
    ///
    /// # Errors
    ///
    /// When the configuration cannot be announced, or two devices have the same identifier.
    pub fn new(
        config: AdvertiserConfig,
        devices: Vec<RootDevice>,
    ) -> Result<Self, AdvertiserConfigError> {
        config.check(&devices)?;
        let mut advertiser = Self {
            messages: Vec::new(),
            table: InterfaceTable::default(),
            endpoints: Vec::new(),
            boot_id: config.boot_id,
            next_boot_id: config.boot_id,
            ever_announced: false,
            wave: None,
            wave_due: None,
            waves: Bucket::new(3, Duration::from_secs(20)),
            refresh_due: None,
            search_port: None,
            stopping: false,
            answers: Answers::new(config.limits),
            random: Random::new(config.seed),
            out: VecDeque::new(),
            scratch: Vec::new(),
            events: VecDeque::new(),
            counters: AdvertiserCounters::default(),
            devices: Vec::new(),
            fresh: BTreeSet::new(),
            config,
        };
        advertiser.set_devices(devices);
        Ok(advertiser)
    }

    /// What it has seen and done.
    #[must_use]
    pub const fn counters(&self) -> AdvertiserCounters {
        self.counters
    }

    /// The `BOOTID.UPNP.ORG` that is announced now.
    #[must_use]
    pub const fn boot_id(&self) -> u32 {
        self.boot_id
    }

    /// Names the port that unicast searches go to when it is not 1900
    /// (`SEARCHPORT.UPNP.ORG`), and announces the devices again when that is news. Ports below
    /// 49152 are not allowed there (UPnP Device Architecture 2.0 § 1.2.2) and are not named.
    pub fn set_search_port(&mut self, now: Instant, port: Option<u16>) {
        let port = port.filter(|port| *port >= FIRST_SEARCH_PORT);
        if self.search_port != port {
            self.search_port = port;
            if self.ever_announced && !self.stopping {
                self.schedule_wave(now);
            }
        }
    }

    /// Asks every device for its locations again, as after a change of the published URL. When
    /// one has changed, it is announced like a changed address.
    pub fn locations_changed(&mut self, now: Instant) {
        let table = std::mem::take(&mut self.table);
        self.handle_interfaces(now, &table);
    }

    /// Takes other devices in place of the present ones: says byebye for those that are gone or
    /// have changed, and announces new ones, all under a new boot id. A device that stays as it
    /// was, with the same `CONFIGID`, is not seen to go.
    ///
    /// # Errors
    ///
    /// When there are too many or two have the same identifier; then nothing changes.
    pub fn replace_devices(
        &mut self,
        now: Instant,
        devices: Vec<RootDevice>,
    ) -> Result<(), AdvertiserConfigError> {
        self.config.check(&devices)?;
        if self.stopping {
            return Ok(());
        }
        self.revoke_all_but(&devices);
        self.answers.clear();
        let before = self.set_devices(devices);
        self.carry_over(&before);
        // What is under way counts messages, of which there are others now.
        self.wave = self.wave.take().map(Wave::restarted);
        self.locations_changed(now);
        if !self.fresh.is_empty() && !self.endpoints.is_empty() {
            self.schedule_wave(now);
        }
        Ok(())
    }

    /// Says byebye on every link, and ends: afterwards there is nothing to send and no time-out.
    /// [`AdvertiserEvent::Stopped`] comes when all is out.
    pub fn stop(&mut self, now: Instant) {
        if self.stopping {
            return;
        }
        self.stopping = true;
        self.answers.clear();
        self.wave_due = None;
        self.refresh_due = None;
        self.wave = Some(Wave::new(Phase::Goodbye { copy: 0 }, now));
        self.run_wave(now);
    }

    /// What a search for everything would be told on the first link: `ST`, `USN`, `SERVER` and
    /// `LOCATION`.
    #[cfg(feature = "udp")]
    pub(crate) fn registrations(&self) -> Vec<[String; 4]> {
        let Some(endpoint) = self.endpoints.first() else {
            return Vec::new();
        };
        let registration = |(device, message): &(usize, Advertisement)| {
            let location = endpoint.locations.get(*device)?.clone()?;
            let server = self.config.server.clone();
            let (nt, usn) = (message.nt().to_owned(), message.usn().to_owned());
            Some([nt, usn, server, location])
        };
        self.messages.iter().filter_map(registration).collect()
    }

    #[cfg(feature = "udp")]
    pub(crate) const fn config(&self) -> &AdvertiserConfig {
        &self.config
    }

    /// Returns those before.
    fn set_devices(&mut self, devices: Vec<RootDevice>) -> Vec<RootDevice> {
        let of = |(at, device): (usize, &RootDevice)| {
            device.advertisements().into_iter().map(move |a| (at, a))
        };
        let mut messages: Vec<_> = devices.iter().enumerate().flat_map(of).collect();
        messages.sort_by_key(|(_, message)| !message.is_root());
        self.messages = messages;
        std::mem::replace(&mut self.devices, devices)
    }

    /// Begins a sequence soon; one that waits already takes the change in.
    fn schedule_wave(&mut self, now: Instant) {
        self.wave = None;
        self.refresh_due = None;
        if self.wave_due.is_some() {
            return;
        }
        if self.ever_announced {
            let last = self.next_boot_id.max(self.boot_id);
            self.next_boot_id = last.saturating_add(1).min(AdvertiserConfig::MAX_BOOT_ID);
        }
        let jitter = self.random.between(Duration::ZERO, INITIAL_JITTER);
        let soon = if self.waves.take(now, 1) {
            now
        } else {
            let ready = self.waves.ready(now);
            self.waves.take(ready, 1);
            ready
        };
        self.wave_due = Some(soon + jitter);
    }

    fn schedule_refresh(&mut self, now: Instant) {
        let max_age = self.config.max_age;
        // Less than half of max-age, and not all devices at the same time (§ 1.2.2).
        let wait = self.random.between(max_age * 35 / 100, max_age * 49 / 100);
        self.refresh_due = Some(now + wait);
    }

    fn tell(&mut self, event: AdvertiserEvent) {
        if self.events.len() >= MAX_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }
}

impl Engine for Advertiser {
    type Event = AdvertiserEvent;

    fn handle_datagram(&mut self, now: Instant, datagram: Received<'_>) {
        if !self.stopping {
            self.answer(now, datagram);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.send_answers(now);
        if self.wave_due.is_some_and(|due| due <= now) {
            self.wave_due = None;
            self.wave = Some(Wave::new(Phase::Revoke, now));
        }
        if self.refresh_due.is_some_and(|due| due <= now) {
            self.refresh_due = None;
            self.wave = Some(Wave::new(Phase::Refresh, now));
        }
        self.run_wave(now);
    }

    fn handle_interfaces(&mut self, now: Instant, interfaces: &InterfaceTable) {
        self.table = interfaces.clone();
        if !self.stopping {
            self.adopt_endpoints(now);
        }
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        self.out.pop_front()
    }

    fn poll_event(&mut self) -> Option<AdvertiserEvent> {
        self.events.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let wave = self.wave.as_ref().map(Wave::due);
        [wave, self.wave_due, self.refresh_due, self.answers.due()].into_iter().flatten().min()
    }
}
