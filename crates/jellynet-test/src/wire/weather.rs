//! What happens to a datagram on its way.

use std::time::Duration;

/// What a network does to the datagrams on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weather {
    /// The least time that a datagram takes. Default: 1 ms.
    pub latency: Duration,
    /// The most that it takes longer; more than zero also changes the order. Default: none.
    pub jitter: Duration,
    /// The part of all datagrams that never arrives, 0 to 1. Default: 0.
    pub loss: f64,
    /// The part that arrives twice, 0 to 1. Default: 0.
    pub duplication: f64,
}

impl Weather {
    /// Everything arrives once, in order, after 1 ms.
    #[must_use]
    pub const fn calm() -> Self {
        Self {
            latency: Duration::from_millis(1),
            jitter: Duration::ZERO,
            loss: 0.0,
            duplication: 0.0,
        }
    }

    /// A bad Wi-Fi: a fifth is lost, a fifth comes twice, all of it out of order within 300 ms.
    #[must_use]
    pub const fn storm() -> Self {
        Self {
            latency: Duration::from_millis(1),
            jitter: Duration::from_millis(300),
            loss: 0.2,
            duplication: 0.2,
        }
    }

    /// The delays after which the copies of one datagram arrive: none, one or two.
    pub(super) fn delays(&self, random: &mut fastrand::Rng) -> Vec<Duration> {
        if random.f64() < self.loss {
            return Vec::new();
        }
        let copies = 1 + usize::from(random.f64() < self.duplication);
        (0..copies).map(|_| self.latency + self.jitter.mul_f64(random.f64())).collect()
    }
}

impl Default for Weather {
    fn default() -> Self {
        Self::calm()
    }
}
