//! How little of a response a client may take in how much time.

use std::time::Duration;

use tokio::time::Instant;

/// The least pace of a client that is being answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// How long it may fall behind.
    pub(super) patience: Duration,
    /// The same while connections are scarce.
    pub(super) crowded: Duration,
    /// In bytes per second.
    pub(super) rate: u64,
}

/// What is held against a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Look again then.
    Wait(Instant),
    TooSlow,
}

/// A client's pace since it began to hold a response up.
#[derive(Debug, Default)]
pub(super) struct Stall(Option<Since>);

#[derive(Clone, Copy, Debug)]
struct Since {
    at: Instant,
    taken: u64,
    /// When to look at it next.
    look: Instant,
}

impl Stall {
    /// Judges a client that has taken `taken` bytes so far, if something waits for it. A look
    /// before its time changes nothing; one in time forgives who has caught up.
    pub(super) fn judge(
        &mut self,
        taken: Option<u64>,
        pace: Pace,
        crowded: impl FnOnce() -> bool,
    ) -> Option<Verdict> {
        let Some(taken) = taken else {
            self.0 = None;
            return None;
        };
        let now = Instant::now();
        let step = pace.crowded.min(pace.patience);
        let begin = Since { at: now, taken, look: now + step };
        let since = self.0.get_or_insert(begin);
        if now >= since.look {
            let behind = now.duration_since(since.at);
            let due = pace.rate.saturating_mul(behind.as_secs());
            let limit = if crowded() { step } else { pace.patience };
            if taken.saturating_sub(since.taken) >= due.max(1) {
                *since = begin;
            } else if behind >= limit {
                return Some(Verdict::TooSlow);
            } else {
                since.look = (now + step).min(since.at + pace.patience);
            }
        }
        Some(Verdict::Wait(since.look))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace =
        Pace { patience: Duration::from_secs(3600), crowded: Duration::from_secs(60), rate: 240 };

    /// When a client is cut that has taken so much at each minute.
    async fn cut_at(crowded: impl Fn(u64) -> bool, taken: impl Fn(u64) -> u64) -> Option<u64> {
        let mut stall = Stall::default();
        for minute in 0..600 {
            match stall.judge(Some(taken(minute)), PACE, || crowded(minute)) {
                Some(Verdict::TooSlow) => return Some(minute),
                Some(Verdict::Wait(at)) => {
                    assert!(at > Instant::now() && at <= Instant::now() + PACE.crowded);
                }
                None => panic!("something waits"),
            }
            tokio::time::advance(PACE.crowded).await;
        }
        None
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_is_cut_when_it_takes_too_little_for_too_long() {
        let drip = |minute: u64| minute * 60 * 239;
        let slow = |minute: u64| minute * 60 * 240;
        let pauses = |minute: u64| minute / 59 * 60 * 60 * 240;
        for (crowded, taken, cut, why) in [
            (None, &(|_| 0_u64) as &dyn Fn(u64) -> u64, Some(60), "nothing"),
            (None, &drip, Some(60), "a little less than the least rate"),
            (None, &slow, None, "the least rate"),
            (None, &pauses, None, "pauses of 59 minutes, and what was missed after each"),
            (Some(0), &(|_| 0_u64), Some(1), "nothing, while connections are scarce"),
            (Some(0), &slow, None, "the least rate, while connections are scarce"),
            (Some(17), &(|_| 0_u64), Some(17), "nothing, and then connections become scarce"),
        ] {
            let crowded = move |minute| crowded.is_some_and(|from| minute >= from);
            assert_eq!(cut_at(crowded, taken).await, cut, "{why}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_for_the_server_is_not_the_clients() {
        let mut stall = Stall::default();
        for _ in 0..200 {
            assert!(matches!(stall.judge(Some(0), PACE, || true), Some(Verdict::Wait(_))));
            tokio::time::advance(Duration::from_secs(59)).await;
            assert_eq!(stall.judge(None, PACE, || true), None);
            tokio::time::advance(Duration::from_secs(3600)).await;
        }
    }
}
