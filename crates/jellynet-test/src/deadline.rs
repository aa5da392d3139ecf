//! Waiting in real time, with an end.

use std::time::{Duration, Instant};

/// A moment at which waiting ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    pub(crate) fn after(timeout: Duration) -> Self {
        Self(now() + timeout)
    }

    /// What is left; zero when it has passed.
    pub(crate) fn left(self) -> Duration {
        self.0.saturating_duration_since(now())
    }

    pub(crate) fn has_passed(self) -> bool {
        self.left().is_zero()
    }

    /// Asks again and again, and once more when the time is over.
    pub(crate) fn poll<T>(self, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
        loop {
            let over = self.has_passed();
            if let Some(answer) = ask() {
                return Some(answer);
            }
            if over {
                return None;
            }
            std::thread::park_timeout(Duration::from_millis(10).min(self.left()));
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "real processes and sockets live in real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
