//! Waiting only so long.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// A time-out that sets its timer once, and moves it only when it fires or would be late: a new
/// wait costs a look at the clock.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    timer: Option<Pin<Box<Sleep>>>,
    /// When the present silence began.
    since: Option<Instant>,
}

impl Patience {
    /// Ready when `limit` went by since the first poll after [`Self::rest`].
    pub(crate) fn poll(&mut self, limit: Duration, cx: &mut Context<'_>) -> Poll<()> {
        let at = *self.since.get_or_insert_with(Instant::now) + limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
        if timer.deadline() > at {
            timer.as_mut().reset(at);
        }
        loop {
            ready!(timer.as_mut().poll(cx));
            if timer.deadline() >= at {
                return Poll::Ready(());
            }
            timer.as_mut().reset(at);
        }
    }

    /// Something happened.
    pub(crate) const fn rest(&mut self) {
        self.since = None;
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_silence_has_its_own_limit() {
        let start = Instant::now();
        let mut patience = Patience::default();
        for (limit, silence, why) in [(60, 50, "first"), (5, 4, "shorter"), (60, 59, "longer")] {
            patience.rest();
            let first = poll_fn(|cx| Poll::Ready(patience.poll(Duration::from_secs(limit), cx)));
            assert!(first.await.is_pending(), "{why}");
            tokio::time::advance(Duration::from_secs(silence)).await;
        }
        patience.rest();
        poll_fn(|cx| patience.poll(Duration::from_secs(5), cx)).await;
        assert_eq!(start.elapsed().as_secs(), 50 + 4 + 59 + 5);
        patience.rest();
        poll_fn(|cx| patience.poll(Duration::from_secs(60), cx)).await;
        assert_eq!(start.elapsed().as_secs(), 50 + 4 + 59 + 5 + 60);
    }
}
