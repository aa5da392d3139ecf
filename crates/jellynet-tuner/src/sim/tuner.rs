//! One tuner of the device.

use std::net::{IpAddr, SocketAddr};

use tokio::time::Instant;

use super::config::{SimChannel, SimConfig};

/// A lock and its holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lock {
    pub(super) key: u32,
    pub(super) owner: IpAddr,
}

/// Where a stream goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) to: SocketAddr,
    pub(super) rtp: bool,
    /// This device's address, by which it was asked.
    pub(super) from: IpAddr,
}

#[derive(Clone, Debug)]
pub(super) struct Tuner {
    pub(super) channel: String,
    pub(super) virtual_channel: String,
    pub(super) map: String,
    pub(super) program: String,
    pub(super) filter: String,
    pub(super) target: Option<Target>,
    pub(super) lock: Option<Lock>,
    /// When it last had a command, a keepalive or a stream.
    pub(super) active: Instant,
    pub(super) keepalive: Instant,
    pub(super) sending: bool,
    /// Whether a keepalive from the target came before the target was set.
    pub(super) greeted: bool,
    pub(super) stop_reason: u32,
    /// Counts the streams, each of which has its own SSRC.
    pub(super) generation: u32,
}

impl Tuner {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            channel: "none".into(),
            virtual_channel: "none".into(),
            map: "us-bcast".into(),
            program: "none".into(),
            filter: "0x0000-0x1fff".into(),
            target: None,
            lock: None,
            active: now,
            keepalive: now,
            sending: false,
            greeted: false,
            stop_reason: 0,
            generation: 0,
        }
    }

    /// The channel with a signal to which it is tuned.
    pub(super) fn signal<'a>(&self, config: &'a SimConfig) -> Option<&'a SimChannel> {
        let (modulation, number) = self.channel.split_once(':')?;
        let frequency = frequency(number.parse().ok()?);
        config.channels.iter().find(|c| {
            let fits = modulation.starts_with("auto") || modulation == c.modulation;
            c.frequency.abs_diff(frequency) < 1_000_000 && fits
        })
    }

    pub(super) fn stop(&mut self, reason: u32) {
        self.sending = false;
        self.stop_reason = reason;
    }

    pub(super) fn aim(&mut self, target: Option<Target>, now: Instant) {
        self.target = target;
        self.keepalive = now;
        self.generation += 1;
        match target {
            Some(_) => {
                self.sending = true;
                self.stop_reason = 0;
            }
            None => self.stop(1),
        }
    }

    /// Lets the lock go after a time without anything.
    pub(super) fn expire(&mut self, config: &SimConfig, now: Instant) {
        if self.sending {
            self.active = now;
        }
        if now.duration_since(self.active) >= config.lock_expiry {
            self.lock = None;
        }
        let silent = now.duration_since(self.keepalive);
        if self.sending && config.keepalive_timeout.is_some_and(|limit| silent >= limit) {
            self.stop(3);
        }
    }
}

/// The frequency of a number: small ones are channels of the map `us-bcast`.
fn frequency(number: u32) -> u32 {
    const MHZ: u32 = 1_000_000;
    match number {
        2..=4 => (57 + 6 * (number - 2)) * MHZ,
        5..=6 => (79 + 6 * (number - 5)) * MHZ,
        7..=13 => (177 + 6 * (number - 7)) * MHZ,
        14..=69 => (473 + 6 * (number - 14)) * MHZ,
        _ => number,
    }
}
