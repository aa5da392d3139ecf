//! What arrived, and what did not.

use std::fmt;

/// The account of one stream. Every number only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct RxStats {
    /// Datagrams received, good or not.
    pub datagrams: u64,
    /// Bytes of transport stream delivered.
    pub bytes: u64,
    /// Transport stream packets delivered.
    pub packets: u64,
    /// Datagrams that miss in the RTP sequence, wherever they were lost.
    pub rtp_lost: u64,
    /// Datagrams that came in another order and were put right.
    pub rtp_reordered: u64,
    /// Datagrams that came after they were given up.
    pub rtp_late: u64,
    /// Datagrams that came twice.
    pub rtp_duplicate: u64,
    /// New beginnings: the sender changed its name or its count, as after a reboot.
    pub restarts: u64,
    /// Datagrams that this host's kernel dropped because the receive buffer was full; `None`
    /// where the kernel does not tell.
    pub kernel_dropped: Option<u64>,
    /// Datagrams that are no whole number of packets.
    pub bad_size: u64,
    /// Datagrams whose packets do not begin with `47`.
    pub bad_sync: u64,
    /// Datagrams from another address than the tuner's.
    pub foreign_source: u64,
    /// Packets that the tuner marked as damaged: weak signal.
    pub transport_errors: u64,
    /// Packets missing by the continuity counters, beyond what the RTP sequence explains.
    pub continuity_errors: u64,
}

impl RxStats {
    /// Datagrams lost between the tuner and this host: cable, switch, Wi-Fi.
    ///
    /// What misses in the sequence but was dropped by this host's own kernel is not among them.
    #[must_use]
    pub const fn network_lost(&self) -> u64 {
        match self.kernel_dropped {
            Some(dropped) => self.rtp_lost.saturating_sub(dropped),
            None => self.rtp_lost,
        }
    }

    /// Adds another account to this one.
    pub fn add(&mut self, other: &Self) {
        let mut other = *other;
        for (mine, theirs) in self.counters().into_iter().zip(other.counters()) {
            *mine += *theirs;
        }
        self.kernel_dropped = sum(self.kernel_dropped, other.kernel_dropped);
    }

    /// What was counted since `earlier`, an older account of the same stream.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let (mut since, mut earlier) = (*self, *earlier);
        for (mine, theirs) in since.counters().into_iter().zip(earlier.counters()) {
            *mine = mine.saturating_sub(*theirs);
        }
        let before = earlier.kernel_dropped.unwrap_or_default();
        since.kernel_dropped = self.kernel_dropped.map(|dropped| dropped.saturating_sub(before));
        since
    }

    /// All but the kernel's, which may be unknown.
    const fn counters(&mut self) -> [&mut u64; 13] {
        [
            &mut self.datagrams,
            &mut self.bytes,
            &mut self.packets,
            &mut self.rtp_lost,
            &mut self.rtp_reordered,
            &mut self.rtp_late,
            &mut self.rtp_duplicate,
            &mut self.restarts,
            &mut self.bad_size,
            &mut self.bad_sync,
            &mut self.foreign_source,
            &mut self.transport_errors,
            &mut self.continuity_errors,
        ]
    }

    /// Whether every packet arrived undamaged.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        let dropped = match self.kernel_dropped {
            Some(dropped) => dropped,
            None => 0,
        };
        self.rtp_lost + dropped + self.transport_errors + self.continuity_errors == 0
            && self.bad_size + self.bad_sync == 0
    }
}

const fn sum(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a + b),
        (Some(one), None) | (None, Some(one)) => Some(one),
        (None, None) => None,
    }
}

/// What people want to know: how much came, and where the rest went.
impl fmt::Display for RxStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} packets; lost in the network {}, in this host {}; damaged {}; discontinuities {}",
            self.packets,
            self.network_lost(),
            self.kernel_dropped.unwrap_or_default(),
            self.transport_errors,
            self.continuity_errors,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_since_and_what_came_before_are_all_that_came() {
        let before = RxStats { packets: 7, rtp_lost: 2, kernel_dropped: Some(1), ..<_>::default() };
        let now = RxStats { packets: 21, rtp_lost: 5, kernel_dropped: Some(4), ..before };
        let mut sum = RxStats::default();
        sum.add(&before);
        assert_eq!(sum, before);
        sum.add(&now.since(&before));
        assert_eq!(sum, now);
        assert_eq!(
            now.to_string(),
            "21 packets; lost in the network 1, in this host 4; damaged 0; discontinuities 0"
        );
    }
}
