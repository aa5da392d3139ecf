//! Ending well: no new connections, time for the open ones, and an account of both.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::shared::{Handle, Phase, Shared};

/// How long a cut connection gets to be dropped by whoever serves it.
const CUT_GRACE: Duration = Duration::from_millis(500);

/// How a drain went.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DrainReport {
    /// By name, in the order of the requests.
    pub names: Vec<Drained>,
    /// How long it took.
    pub took: Duration,
}

/// The connections of one name at a drain.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// The requests' name.
    pub name: Arc<str>,
    /// How many ended by themselves.
    pub finished: u64,
    /// How many were still open at the deadline and were cut.
    pub cut: u64,
}

impl DrainReport {
    /// How many connections ended by themselves, over all names.
    #[must_use]
    pub fn finished(&self) -> u64 {
        self.names.iter().map(|n| n.finished).sum()
    }

    /// How many connections were cut, over all names.
    #[must_use]
    pub fn cut(&self) -> u64 {
        self.names.iter().map(|n| n.cut).sum()
    }
}

impl fmt::Display for DrainReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} connections finished, {} cut, in {:.1} s",
            self.finished(),
            self.cut(),
            self.took.as_secs_f32()
        )?;
        for Drained { name, finished, cut } in self.names.iter().filter(|n| n.cut > 0) {
            write!(f, "; {name}: {finished} finished, {cut} cut")?;
        }
        Ok(())
    }
}

impl Handle {
    /// Takes what the kernel has queued, closes every socket, lets open connections finish for as
    /// long as `deadline`, cuts the rest, and tells how many there were of each.
    ///
    /// A connection served by [`HttpServer`](crate::HttpServer) ends after the request that it is
    /// on, an idle one at once. A stream of the caller's own learns of the drain by
    /// [`Facts::draining`](super::Facts::draining). A second call joins the drain that runs, with
    /// a deadline of its own.
    pub async fn drain(&self, deadline: Duration) -> DrainReport {
        let shared = &self.0;
        let start = Instant::now();
        let before: Vec<(u64, u64)> = shared.names().iter().map(|c| open_and_total(c)).collect();
        shared.enter(Phase::Draining);
        // A second call must not wait for ever behind a first one with a longer deadline.
        drop(timeout_at(start + deadline, settled(shared)).await);
        let names = shared.names().iter().zip(before).map(|(counts, before)| {
            let (cut, total) = open_and_total(counts);
            let had = before.0 + total.saturating_sub(before.1);
            Drained { name: Arc::clone(&counts.name), finished: had.saturating_sub(cut), cut }
        });
        let names = names.collect();
        let took = start.elapsed();
        shared.enter(Phase::Cut);
        drop(timeout_at(Instant::now() + CUT_GRACE, settled(shared)).await);
        DrainReport { names, took }
    }
}

fn open_and_total(counts: &super::shared::Counts) -> (u64, u64) {
    (counts.open.load(Ordering::SeqCst) as u64, counts.total.load(Ordering::SeqCst))
}

async fn settled(shared: &Shared) {
    loop {
        let changed = shared.settled.notified();
        tokio::pin!(changed);
        // From here on no change is missed.
        changed.as_mut().enable();
        if shared.is_shut() && shared.open() == 0 {
            return;
        }
        changed.await;
    }
}
