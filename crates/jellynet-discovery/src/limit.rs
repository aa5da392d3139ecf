//! How often is often enough.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How many a second, and how many at once after a pause.
///
/// # Examples
///
/// ```
/// use jellynet_discovery::Rate;
///
/// let rate = Rate::new(10, 20);
/// assert_eq!((rate.per_second(), rate.burst()), (10, 20));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    per_second: u32,
    burst: u32,
}

impl Rate {
    /// At most `per_second` in the long run, and `burst` at once; zero counts as one.
    #[must_use]
    pub const fn new(per_second: u32, burst: u32) -> Self {
        const fn at_least_one(n: u32) -> u32 {
            if n == 0 { 1 } else { n }
        }
        Self { per_second: at_least_one(per_second), burst: at_least_one(burst) }
    }

    /// How many a second.
    #[must_use]
    pub const fn per_second(self) -> u32 {
        self.per_second
    }

    /// How many at once.
    #[must_use]
    pub const fn burst(self) -> u32 {
        self.burst
    }

    /// Time between two.
    fn interval(self) -> Duration {
        Duration::from_secs(1) / self.per_second
    }
}

/// A token bucket, as the time at which it will be full again.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    full_at: Instant,
}

impl Bucket {
    /// Takes a token; `None` when there is none left.
    fn taken(full_at: Option<Self>, rate: Rate, now: Instant) -> Option<Self> {
        let full_at = full_at.map_or(now, |bucket| bucket.full_at.max(now));
        let missing = full_at.saturating_duration_since(now);
        let room = rate.interval() * (rate.burst - 1);
        (missing <= room).then(|| Self { full_at: full_at + rate.interval() })
    }
}

/// A bucket for each source and one for all.
#[derive(Debug)]
pub(crate) struct Limiter<K> {
    per_source: Rate,
    global: Rate,
    sources: BTreeMap<K, Bucket>,
    all: Option<Bucket>,
}

/// How many sources are remembered at once.
const SOURCES: usize = 1024;

impl<K: Copy + Ord> Limiter<K> {
    pub(crate) fn new(per_source: Rate, global: Rate) -> Self {
        Self { per_source, global, sources: BTreeMap::new(), all: None }
    }

    /// Whether `source` may have one more; what is refused costs nobody anything.
    pub(crate) fn allows(&mut self, source: K, now: Instant) -> bool {
        let known = self.sources.get(&source).copied();
        let Some(own) = Bucket::taken(known, self.per_source, now) else {
            return false;
        };
        let Some(all) = Bucket::taken(self.all, self.global, now) else {
            return false;
        };
        self.all = Some(all);
        if known.is_none() {
            self.make_room(now);
        }
        self.sources.insert(source, own);
        true
    }

    /// Forgets sources whose buckets are full, and if there are none, the fullest.
    fn make_room(&mut self, now: Instant) {
        if self.sources.len() < SOURCES {
            return;
        }
        self.sources.retain(|_, bucket| bucket.full_at > now);
        if self.sources.len() < SOURCES {
            return;
        }
        let fullest = self.sources.iter().min_by_key(|(_, bucket)| bucket.full_at);
        if let Some(source) = fullest.map(|(source, _)| *source) {
            self.sources.remove(&source);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock reading to count from.
    #[expect(clippy::disallowed_methods, reason = "a test needs some instant")]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn a_burst_then_a_steady_rate() {
        let start = start();
        let mut limiter = Limiter::new(Rate::new(10, 3), Rate::new(1000, 1000));
        let mut allowed = |ms| limiter.allows(1, start + Duration::from_millis(ms));
        let answers: Vec<_> = [0, 0, 0, 0, 99, 100, 100, 1000, 1000, 1000, 1000]
            .into_iter()
            .map(&mut allowed)
            .collect();
        assert_eq!(answers, [true, true, true, false, false, true, false, true, true, true, false]);
    }

    #[test]
    fn one_source_cannot_use_up_what_all_share_and_memory_stays_bounded() {
        let start = start();
        let mut limiter = Limiter::new(Rate::new(1, 1), Rate::new(1, 5000));
        assert!(limiter.allows(0, start));
        for _ in 0..10_000 {
            assert!(!limiter.allows(0, start));
        }
        for source in 1..4000 {
            assert!(limiter.allows(source, start), "{source}");
        }
        assert!(limiter.sources.len() <= SOURCES);
    }

    #[test]
    fn all_together_are_limited() {
        let start = start();
        let mut limiter = Limiter::new(Rate::new(10, 10), Rate::new(10, 5));
        let allowed = (0..100).filter(|source| limiter.allows(*source, start));
        assert_eq!(allowed.count(), 5);
    }
}
