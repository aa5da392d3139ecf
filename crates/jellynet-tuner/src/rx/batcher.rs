//! Packets in order in, batches out.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::assembler::{Gap, TsBatch};
use super::pool::Pool;
use super::stats::RxStats;
use crate::ts::{Continuity, PACKET, TsHeader};

/// Collects packets and cuts batches where they are full, old, or interrupted.
#[derive(Debug)]
pub(super) struct Batcher {
    pub(super) stats: RxStats,
    pub(super) continuity: Continuity,
    pub(super) pool: Pool,
    age: Duration,
    /// When the first datagram of the current batch came.
    since: Option<Instant>,
    gap: Option<Gap>,
    ready: VecDeque<TsBatch>,
}

impl Batcher {
    pub(super) fn new(batch_bytes: usize, age: Duration) -> Self {
        Self {
            stats: RxStats::default(),
            continuity: Continuity::new(),
            pool: Pool::new((batch_bytes / PACKET).max(7) * PACKET),
            age,
            since: None,
            gap: None,
            ready: VecDeque::new(),
        }
    }

    /// Appends whole packets.
    pub(super) fn append(&mut self, now: Instant, packets: &[u8]) {
        if packets.is_empty() {
            return;
        }
        packets.chunks_exact(PACKET).for_each(|p| self.account(p));
        if !self.pool.has_room(packets.len()) {
            self.cut();
        }
        self.stats.bytes += packets.len() as u64;
        self.pool.extend(packets);
        self.since.get_or_insert(now);
        if !self.pool.has_room(PACKET) {
            self.cut();
        }
    }

    /// Ends the current batch: what comes next does not follow what came before.
    pub(super) fn interrupt(&mut self, gap: Gap) {
        self.cut();
        self.continuity.restart();
        self.gap = Some(match (self.gap, gap) {
            (Some(Gap::Lost { datagrams: a }), Gap::Lost { datagrams: b }) => {
                Gap::Lost { datagrams: a.saturating_add(b) }
            }
            (Some(Gap::Restart), _) => Gap::Restart,
            (_, gap) => gap,
        });
    }

    /// When the current batch is old enough.
    pub(super) fn due(&self) -> Option<Instant> {
        self.since.map(|since| since + self.age)
    }

    pub(super) fn cut(&mut self) {
        let Some(received) = self.since.take() else {
            return;
        };
        self.ready.push_back(TsBatch {
            data: self.pool.take(),
            gap_before: self.gap.take(),
            received,
        });
    }

    pub(super) fn pop(&mut self) -> Option<TsBatch> {
        self.ready.pop_front()
    }

    fn account(&mut self, packet: &[u8]) {
        let Ok(header) = TsHeader::parse(packet) else {
            return;
        };
        self.stats.packets += 1;
        if header.transport_error {
            // The rest of a damaged header is not to be trusted.
            self.stats.transport_errors += 1;
        } else {
            self.continuity.check(&header);
        }
    }
}
