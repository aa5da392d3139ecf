//! One timer per connection that is seldom touched.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep};

/// A timer that a later deadline leaves alone: it wakes at the earlier one and looks again.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    /// Ready once `at` has passed.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, at: Instant) -> Poll<()> {
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
        if sleep.deadline() > at {
            sleep.as_mut().reset(at);
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if sleep.deadline() >= at {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(at);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_rings_at_the_last_deadline_that_was_asked_for() {
        let start = Instant::now();
        let mut alarm = Alarm::default();
        for (asked, why) in [(10, "first"), (5, "earlier"), (20, "later")] {
            let at = start + Duration::from_secs(asked);
            let first = poll_fn(|cx| Poll::Ready(alarm.poll(cx, at))).await;
            assert!(first.is_pending(), "{why}");
        }
        let at = start + Duration::from_secs(20);
        poll_fn(|cx| alarm.poll(cx, at)).await;
        assert_eq!(start.elapsed().as_secs(), 20);
    }
}
