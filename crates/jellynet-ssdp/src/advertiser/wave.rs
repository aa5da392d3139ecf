//! Sequences of announcements: one at a time, one message after the other.

use std::time::{Duration, Instant};

use bytes::Bytes;
use jellynet_netif::{Transmit, Via};

use super::endpoint::{Endpoint, Standing};
use super::{Advertiser, AdvertiserEvent};
use crate::device::{Advertisement, RootDevice};
use crate::link::Group;
use crate::message::{Details, FieldValue, Notify, NotifyKind};

/// How often the first announcement is sent (UPnP Device Architecture 2.0 § 1.2.2: at most
/// three times).
const ALIVE_COPIES: u8 = 3;
/// Between two such copies: "a few hundred milliseconds".
const ALIVE_GAP: Duration = Duration::from_millis(300);
/// Between two messages of a set.
const SPACING: Duration = Duration::from_millis(20);
/// Between two byebyes: who leaves is in a hurry.
const GOODBYE_SPACING: Duration = Duration::from_millis(5);
/// Between the last byebye and what follows it, so that they do not arrive in the wrong order.
const REVOKE_GAP: Duration = Duration::from_millis(100);
const GOODBYE_COPIES: u8 = 2;
const GOODBYE_GAP: Duration = Duration::from_millis(100);

/// What waits to be sent at most; a driver that does not drain loses the oldest.
const MAX_OUT: usize = 8192;

/// What a sequence is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Byebye where an address was lost, or where the device was not seen before.
    Revoke,
    /// `ssdp:update` on the links that are as before.
    Update,
    /// Alive everywhere, under the new boot id.
    Alive { copy: u8 },
    /// Alive everywhere, once: the old announcement is about to run out.
    Refresh,
    /// Byebye everywhere: the end.
    Goodbye { copy: u8 },
}

/// A sequence under way.
#[derive(Clone, Debug)]
pub(super) struct Wave {
    phase: Phase,
    /// Which message of the set is next.
    cursor: usize,
    due: Instant,
}

impl Wave {
    pub(super) const fn new(phase: Phase, due: Instant) -> Self {
        Self { phase, cursor: 0, due }
    }

    pub(super) const fn restarted(self) -> Self {
        Self { cursor: 0, ..self }
    }

    pub(super) const fn due(&self) -> Instant {
        self.due
    }
}

impl Phase {
    /// Whether a device is spoken of on a link; `fresh` is one that is new beside others.
    fn includes(self, endpoint: &Endpoint, fresh: bool) -> bool {
        match self {
            Self::Revoke => endpoint.is_revoked() || fresh,
            Self::Update => endpoint.is_announced() && !endpoint.lost && !fresh,
            Self::Alive { .. } | Self::Refresh => true,
            Self::Goodbye { .. } => endpoint.is_known(),
        }
    }

    const fn kind(self) -> NotifyKind {
        match self {
            Self::Revoke | Self::Goodbye { .. } => NotifyKind::ByeBye,
            Self::Update => NotifyKind::Update,
            Self::Alive { .. } | Self::Refresh => NotifyKind::Alive,
        }
    }

    const fn spacing(self) -> Duration {
        match self {
            Self::Revoke | Self::Goodbye { .. } => GOODBYE_SPACING,
            Self::Update | Self::Alive { .. } | Self::Refresh => SPACING,
        }
    }

    /// What follows, and after how long.
    const fn next(self) -> Option<(Self, Duration)> {
        match self {
            Self::Revoke => Some((Self::Update, REVOKE_GAP)),
            Self::Update => Some((Self::Alive { copy: 0 }, SPACING)),
            Self::Alive { copy } if copy + 1 < ALIVE_COPIES => {
                Some((Self::Alive { copy: copy + 1 }, ALIVE_GAP))
            }
            Self::Goodbye { copy } if copy + 1 < GOODBYE_COPIES => {
                Some((Self::Goodbye { copy: copy + 1 }, GOODBYE_GAP))
            }
            Self::Alive { .. } | Self::Refresh | Self::Goodbye { .. } => None,
        }
    }
}

impl Advertiser {
    /// Does the steps of the sequence that are due. Each later step counts from `now`, so that a
    /// driver that overslept does not send everything at once.
    pub(super) fn run_wave(&mut self, now: Instant) {
        while let Some(wave) = self.wave.take_if(|wave| wave.due <= now) {
            self.step(now, wave);
        }
    }

    fn step(&mut self, now: Instant, mut wave: Wave) {
        let phase = wave.phase;
        let nobody = !self.endpoints.iter().any(|endpoint| {
            let mut fresh = (0..self.devices.len()).map(|device| self.fresh.contains(&device));
            fresh.any(|fresh| phase.includes(endpoint, fresh))
        });
        if nobody || wave.cursor >= self.messages.len() {
            self.finish_phase(now, phase, nobody);
            return;
        }
        if matches!(phase, Phase::Alive { copy: 0 }) && wave.cursor == 0 {
            self.begin_alive();
        }
        // The updates of the root devices go as soon as possible (§ 1.2.4).
        let count =
            if phase == Phase::Update && wave.cursor == 0 { self.devices.len().max(1) } else { 1 };
        self.announce(phase, wave.cursor, count);
        wave.cursor = wave.cursor.saturating_add(count);
        wave.due = now + phase.spacing();
        self.wave = Some(wave);
    }

    fn finish_phase(&mut self, now: Instant, phase: Phase, nobody: bool) {
        if phase == Phase::Update {
            self.boot_id = self.next_boot_id;
            for endpoint in &mut self.endpoints {
                endpoint.first = false;
                endpoint.lost = false;
            }
        }
        match phase.next() {
            Some((next, gap)) => {
                let gap = if nobody { Duration::ZERO } else { gap };
                self.wave = Some(Wave::new(next, now + gap));
            }
            None if self.stopping => {
                self.endpoints.clear();
                self.tell(AdvertiserEvent::Stopped);
            }
            None if self.endpoints.is_empty() => {}
            None => self.schedule_refresh(now),
        }
    }

    /// From here on the devices are known under the new boot id.
    fn begin_alive(&mut self) {
        self.ever_announced = true;
        let fresh = std::mem::take(&mut self.fresh);
        let mut events = Vec::new();
        for endpoint in &mut self.endpoints {
            let was_announced = endpoint.is_announced();
            endpoint.standing = Standing::Announced;
            let located = self.devices.iter().zip(&endpoint.locations).enumerate();
            let new = located.filter(|(at, _)| !was_announced || fresh.contains(at));
            events.extend(new.filter_map(|(_, (device, location))| {
                Some(AdvertiserEvent::Announced {
                    device: device.device().uuid(),
                    interface: endpoint.link.interface,
                    location: location.clone()?,
                })
            }));
        }
        for event in events {
            self.tell(event);
        }
    }

    /// Sends `count` messages from `from` on to every endpoint of the phase.
    fn announce(&mut self, phase: Phase, from: usize, count: usize) {
        let messages: Vec<_> = self.messages.iter().skip(from).take(count).cloned().collect();
        self.announce_all(phase, &messages);
    }

    fn announce_all(&mut self, phase: Phase, messages: &[(usize, Advertisement)]) {
        let mut sent = Vec::new();
        for (device, message) in messages {
            let fresh = self.fresh.contains(device);
            for endpoint in self.endpoints.iter().filter(|e| phase.includes(e, fresh)) {
                let location = endpoint.locations.get(*device).and_then(Option::as_deref);
                if let Some(location) = location {
                    let payload = self.compose(phase.kind(), endpoint, *device, message, location);
                    sent.push(announcement(endpoint, payload));
                }
            }
        }
        for transmit in sent {
            self.send_announcement(transmit);
        }
    }

    fn send_announcement(&mut self, transmit: Transmit) {
        if self.out.len() >= MAX_OUT {
            self.out.pop_front();
        }
        self.counters.announcements = self.counters.announcements.saturating_add(1);
        self.out.push_back(transmit);
    }

    /// Says byebye at once for every device that is not among those that `stay`.
    pub(super) fn revoke_all_but(&mut self, stay: &[RootDevice]) {
        let goes = |(device, _): &&(usize, Advertisement)| {
            let device = self.devices.get(*device);
            device.is_some_and(|device| !stay.iter().any(|other| other.is_same(device)))
        };
        let gone: Vec<_> = self.messages.iter().filter(goes).cloned().collect();
        for copy in 0..GOODBYE_COPIES {
            self.announce_all(Phase::Goodbye { copy }, &gone);
        }
    }

    fn compose(
        &self,
        kind: NotifyKind,
        endpoint: &Endpoint,
        device: usize,
        message: &Advertisement,
        location: &str,
    ) -> Bytes {
        let config_id = self.devices.get(device).map(RootDevice::config_id);
        let ids = Details {
            boot_id: Some(self.boot_id_of(endpoint, device)),
            config_id,
            ..Details::default()
        };
        let details = match kind {
            NotifyKind::ByeBye => ids,
            NotifyKind::Update => Details {
                location: Some(FieldValue::trusted(location)),
                next_boot_id: Some(self.next_boot_id),
                search_port: self.search_port,
                ..ids
            },
            NotifyKind::Alive => Details {
                max_age: Some(self.max_age_seconds()),
                location: Some(FieldValue::trusted(location)),
                server: Some(FieldValue::trusted(&self.config.server)),
                search_port: self.search_port,
                nls: nls(endpoint, self.boot_id),
                ..ids
            },
        };
        let notify = Notify {
            host: Some(endpoint.link.group.host()),
            kind,
            target: FieldValue::trusted(message.nt()),
            usn: FieldValue::trusted(message.usn()),
            details,
        };
        notify.encode()
    }

    /// What a device is known under: what was answered for and still waits for its announcement
    /// will be announced under the next id.
    pub(super) fn boot_id_of(&self, endpoint: &Endpoint, device: usize) -> u32 {
        match endpoint.standing {
            Standing::Answered => self.next_boot_id,
            Standing::Announced if self.fresh.contains(&device) => self.next_boot_id,
            Standing::Unknown | Standing::Announced => self.boot_id,
        }
    }

    pub(super) fn max_age_seconds(&self) -> u32 {
        u32::try_from(self.config.max_age.as_secs()).unwrap_or(u32::MAX)
    }
}

/// IPv6 control points of UPnP 1.0 know the boot id under another name.
pub(super) const fn nls(endpoint: &Endpoint, boot_id: u32) -> Option<u32> {
    match endpoint.link.group {
        Group::V4 => None,
        Group::V6Link | Group::V6Site => Some(boot_id),
    }
}

const fn announcement(endpoint: &Endpoint, payload: Bytes) -> Transmit {
    Transmit {
        payload,
        destination: endpoint.link.destination(),
        via: Via::Announce { interface: endpoint.link.interface, source: endpoint.link.source },
    }
}
