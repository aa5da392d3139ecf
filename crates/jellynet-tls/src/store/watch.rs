//! Looks at the files again and again.

use std::time::Duration;

use super::{Event, IdentityStore};
use crate::time::Timestamp;

/// How soon a file that is being written is looked at again.
const SETTLE: Duration = Duration::from_millis(200);

/// How often contents are read although the file system says that nothing changed.
const THOROUGH_EVERY: Duration = Duration::from_secs(60);

impl IdentityStore {
    /// How often files are looked at, if nothing else is wished for: once a second. It costs a few
    /// `stat` calls; contents are read when one of them differs, and once a minute anyway.
    pub const WATCH_INTERVAL: Duration = Duration::from_secs(1);

    /// Watches the files until it is dropped, and hands every event to `on_event`.
    ///
    /// What has changed is served when two looks found the same: after `interval` and 200 ms at
    /// most, and the time that reading takes. Looking again and again, rather than being told by
    /// the kernel, also finds what changes on a network share or behind a bind mount.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses nothing but a reload that has begun, which the next one repeats.
    pub async fn watch(self, interval: Duration, mut on_event: impl FnMut(Event) + Send) {
        let mut unsettled = false;
        let mut since_thorough = Duration::ZERO;
        loop {
            let pause = if unsettled { SETTLE.min(interval) } else { interval };
            tokio::time::sleep(pause).await;
            since_thorough += pause;
            // Not while unsettled: a thorough look is content with two reads in a row.
            let thorough = since_thorough >= THOROUGH_EVERY && !unsettled;
            if thorough {
                since_thorough = Duration::ZERO;
            }
            let store = self.clone();
            let look = move || store.refresh(Timestamp::now(), thorough);
            let Ok((events, again)) = tokio::task::spawn_blocking(look).await else {
                return;
            };
            unsettled = again;
            events.into_iter().for_each(&mut on_event);
        }
    }
}
