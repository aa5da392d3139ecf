//! Datagrams in, batches out.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::batcher::Batcher;
use super::reorder::{Offer, Reorder, SLOT};
use super::stats::RxStats;
use crate::rtp::RtpPacket;
use crate::ts::{PACKET, SYNC};

/// What the receiver expects and how it cuts batches.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AssemblerConfig {
    /// Only datagrams from this address count; `None` takes any. Default: `None`.
    pub source: Option<IpAddr>,
    /// The most bytes of a batch, rounded down to packets, at least 1,316. Default: 84,224
    /// (64 datagrams).
    pub batch_bytes: usize,
    /// How old a batch may grow. Default: 20 ms.
    pub batch_age: Duration,
    /// How long packets wait for an earlier one. Default: 50 ms.
    pub reorder: Duration,
}

impl Default for AssemblerConfig {
    fn default() -> Self {
        Self {
            source: None,
            batch_bytes: 64 * SLOT,
            batch_age: Duration::from_millis(20),
            reorder: Duration::from_millis(50),
        }
    }
}

impl AssemblerConfig {
    /// The defaults, for the tuner at this address.
    #[must_use]
    pub fn from_source(source: IpAddr) -> Self {
        Self { source: Some(source), ..Self::default() }
    }
}

/// A run of whole packets without a loss inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TsBatch {
    /// n × 188 bytes; n is 1 or more.
    pub data: Bytes,
    /// What misses between the previous batch and this one.
    pub gap_before: Option<Gap>,
    /// When its first datagram came.
    pub received: Instant,
}

/// Why a stream does not go on where it stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Gap {
    /// This many datagrams never came.
    Lost {
        /// How many, each up to seven packets.
        datagrams: u32,
    },
    /// The sender began anew; how much misses cannot be known.
    Restart,
    /// This reader was so slow that batches were dropped for it; the others have them.
    Lagged {
        /// How many batches.
        batches: u64,
    },
}

/// Turns the datagrams of one stream into batches. See the [module](super) for its rule.
#[derive(Debug)]
pub struct Assembler {
    source: Option<IpAddr>,
    patience: Duration,
    order: Reorder,
    /// Since when a packet waits for an earlier one.
    waiting_since: Option<Instant>,
    out: Batcher,
}

impl Assembler {
    /// A receiver that has seen nothing yet.
    #[must_use]
    pub fn new(config: &AssemblerConfig) -> Self {
        Self {
            source: config.source,
            patience: config.reorder,
            order: Reorder::new(),
            waiting_since: None,
            out: Batcher::new(config.batch_bytes, config.batch_age),
        }
    }

    /// Takes one datagram that came from `source` at `now`.
    pub fn handle_datagram(&mut self, now: Instant, source: IpAddr, datagram: &[u8]) {
        self.out.stats.datagrams += 1;
        if self.source.is_some_and(|expected| expected != source) {
            self.out.stats.foreign_source += 1;
            return;
        }
        if datagram.first() == Some(&SYNC) {
            if self.is_transport_stream(datagram) {
                self.out.append(now, datagram);
            }
        } else {
            match RtpPacket::parse(datagram) {
                Ok(rtp) if self.is_transport_stream(rtp.payload) => self.take_rtp(now, &rtp),
                Ok(_) => {}
                Err(_) => self.out.stats.bad_sync += 1,
            }
        }
        self.handle_timeout(now);
    }

    /// Does what is due: gives up what waited too long, closes an old batch.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.patience_ends().is_some_and(|due| now >= due) {
            self.release(now, true);
        }
        if self.out.due().is_some_and(|due| now >= due) {
            self.out.cut();
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.patience_ends(), self.out.due()].into_iter().flatten().min()
    }

    /// The next batch that is full or old enough.
    pub fn poll_batch(&mut self) -> Option<TsBatch> {
        self.out.pop()
    }

    /// Closes the current batch whatever its size, as at the end of a stream.
    pub fn flush(&mut self, now: Instant) {
        self.release(now, true);
        self.out.cut();
    }

    /// The account so far, without what only the kernel knows.
    #[must_use]
    pub const fn stats(&self) -> RxStats {
        let mut stats = self.out.stats;
        stats.continuity_errors = self.out.continuity.errors();
        stats.rtp_reordered = self.order.reordered();
        stats
    }

    /// The streams with continuity errors and how many each has.
    pub fn continuity_by_pid(&self) -> impl Iterator<Item = (u16, u32)> {
        self.out.continuity.errors_by_pid()
    }

    /// How many buffers were ever allocated; it stands still while readers keep up.
    #[must_use]
    pub const fn buffers_allocated(&self) -> u64 {
        self.out.pool.allocated()
    }

    fn patience_ends(&self) -> Option<Instant> {
        self.waiting_since.map(|since| since + self.patience)
    }

    fn is_transport_stream(&mut self, payload: &[u8]) -> bool {
        if payload.is_empty() || payload.len() > SLOT || !payload.len().is_multiple_of(PACKET) {
            self.out.stats.bad_size += 1;
            return false;
        }
        let synced = payload.chunks_exact(PACKET).all(|p| p.first() == Some(&SYNC));
        self.out.stats.bad_sync += u64::from(!synced);
        synced
    }

    fn take_rtp(&mut self, now: Instant, rtp: &RtpPacket<'_>) {
        let mut offer = self.order.offer(rtp.ssrc, rtp.sequence, rtp.payload);
        if offer == Offer::TooFar {
            self.release(now, false);
            offer = self.order.offer(rtp.ssrc, rtp.sequence, rtp.payload);
        }
        match offer {
            Offer::InOrder => {
                self.out.append(now, rtp.payload);
                self.release(now, false);
            }
            Offer::Restart => {
                self.release(now, true);
                self.order.begin(rtp.ssrc, rtp.sequence);
                self.out.stats.restarts += 1;
                self.out.interrupt(Gap::Restart);
                self.out.append(now, rtp.payload);
            }
            Offer::Stored => self.release(now, false),
            Offer::Duplicate => self.out.stats.rtp_duplicate += 1,
            Offer::Late | Offer::TooFar => self.out.stats.rtp_late += 1,
        }
    }

    fn release(&mut self, now: Instant, all: bool) {
        while let Some(released) = self.order.release(all) {
            if released.lost > 0 {
                self.out.stats.rtp_lost += u64::from(released.lost);
                self.out.interrupt(Gap::Lost { datagrams: released.lost });
            }
            self.out.append(now, self.order.slot(&released));
        }
        let waiting = self.order.is_waiting();
        self.waiting_since = waiting.then(|| self.waiting_since.unwrap_or(now));
    }
}
