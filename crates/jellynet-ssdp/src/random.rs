//! Random numbers from a seed, so that an engine stays a function of its arguments.

use std::time::Duration;

/// SplitMix64: small, and good enough to spread packets over time.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A time of at least `from` and less than `to`; `from` when there is none between.
    pub(crate) fn between(&mut self, from: Duration, to: Duration) -> Duration {
        let span = to.saturating_sub(from);
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        let offset = self.next().checked_rem(micros).unwrap_or(0);
        from.saturating_add(Duration::from_micros(offset))
    }
}
