//! Token buckets: how much, how often.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Lets `burst` through at once, and then one per `every`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    burst: u32,
    every: Duration,
    left: u32,
    /// When the last token was added; later ones count from here.
    filled: Option<Instant>,
}

impl Bucket {
    pub(crate) const fn new(burst: u32, every: Duration) -> Self {
        Self { burst, every, left: burst, filled: None }
    }

    /// `rate` tokens each second; a rate of 0 never refills.
    pub(crate) fn per_second(burst: u32, rate: u32) -> Self {
        let every = Duration::from_secs(1).checked_div(rate);
        Self::new(burst, every.unwrap_or(Duration::MAX))
    }

    fn fill(&mut self, now: Instant) {
        let filled = *self.filled.get_or_insert(now);
        let passed = now.saturating_duration_since(filled);
        let every = self.every.as_nanos().max(1);
        let count = u32::try_from(passed.as_nanos() / every).unwrap_or(u32::MAX);
        if count == 0 {
            return;
        }
        self.left = self.left.saturating_add(count).min(self.burst);
        // A full bucket starts anew, so that no time is saved up.
        self.filled = if self.left == self.burst {
            Some(now)
        } else {
            Some(filled + self.every.saturating_mul(count))
        };
    }

    /// Takes `count` tokens, all or none.
    pub(crate) fn take(&mut self, now: Instant, count: u32) -> bool {
        self.fill(now);
        match self.left.checked_sub(count) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }

    /// When there will be a token again.
    pub(crate) fn ready(&self, now: Instant) -> Instant {
        let from = self.filled.unwrap_or(now);
        from.checked_add(self.every).unwrap_or(now).max(now)
    }

    fn is_full(&self, now: Instant) -> bool {
        let mut copy = *self;
        copy.fill(now);
        copy.left == copy.burst
    }
}

/// One bucket per source address, for a bounded number of sources.
#[derive(Clone, Debug)]
pub(crate) struct Sources {
    fresh: Bucket,
    most: usize,
    buckets: BTreeMap<IpAddr, Bucket>,
}

impl Sources {
    pub(crate) const fn new(fresh: Bucket, most: usize) -> Self {
        Self { fresh, most, buckets: BTreeMap::new() }
    }

    /// Takes one token of `source`.
    ///
    /// When there are too many sources, those that were quiet long enough are forgotten; when
    /// none was, the newcomer has to wait, so that a flood of invented sources cannot push out
    /// the bucket of a real one.
    pub(crate) fn take(&mut self, now: Instant, source: IpAddr) -> bool {
        if let Some(bucket) = self.buckets.get_mut(&source) {
            return bucket.take(now, 1);
        }
        if self.buckets.len() >= self.most {
            self.buckets.retain(|_, bucket| !bucket.is_full(now));
        }
        if self.buckets.len() >= self.most {
            return false;
        }
        let mut bucket = self.fresh;
        let taken = bucket.take(now, 1);
        self.buckets.insert(source, bucket);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_bucket_lets_its_burst_through_and_then_its_rate() {
        let start = jellynet_test::wire::Network::new(0).now();
        let mut bucket = Bucket::per_second(3, 2);
        let now = |at: u32| start + SECOND / 10 * at;
        let mut through = 0;
        for at in 0..100 {
            through += u32::from(bucket.take(now(at), 1));
        }
        // Three at once, two in each of the 9.9 seconds that follow.
        assert_eq!(through, 3 + 19);
        assert!(!bucket.take(now(100), 5), "more than the burst");
        assert!(bucket.ready(now(100)) > now(100));
    }

    #[test]
    fn a_flood_of_sources_stays_in_bounds_and_known_ones_stay_known() {
        let start = jellynet_test::wire::Network::new(0).now();
        let mut sources = Sources::new(Bucket::per_second(2, 1), 8);
        let known = IpAddr::from([10, 0, 0, 1]);
        assert!(sources.take(start, known));
        for i in 0..=255 {
            sources.take(start, IpAddr::from([10, 1, 0, i]));
        }
        assert_eq!(sources.buckets.len(), 8);
        assert!(sources.take(start, known));
        assert!(!sources.take(start, known), "its own burst is used up");
        let later = start + SECOND * 10;
        assert!(sources.take(later, IpAddr::from([10, 2, 0, 1])));
    }
}
