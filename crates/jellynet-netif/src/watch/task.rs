//! The task behind [`Interfaces::watch`](super::Interfaces::watch).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{self, Instant};

#[cfg(target_os = "linux")]
use super::kernel::Events;
use crate::interface::InterfaceTable;
use crate::os;

/// Events come in swarms: this much quiet ends one…
const QUIET: Duration = Duration::from_millis(100);
/// …and this much time, however many still come.
const LONGEST: Duration = Duration::from_millis(500);
/// How often the interfaces are read where nothing tells of changes.
const POLL: Duration = Duration::from_secs(2);
/// How often they are read all the same where events come, against an event that was never sent.
const SAFETY_NET: Duration = Duration::from_secs(60);

/// Where no events exist.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
enum Events {}

#[cfg(not(target_os = "linux"))]
impl Events {
    fn subscribe() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    async fn next(&mut self) -> io::Result<()> {
        match *self {}
    }
}

pub(super) struct Watcher {
    sender: watch::Sender<Arc<InterfaceTable>>,
    events: Option<Events>,
    failing: bool,
}

impl Watcher {
    /// Subscribes before it reads, so that nothing is missed in between.
    pub(super) fn new() -> io::Result<(Self, watch::Receiver<Arc<InterfaceTable>>)> {
        let events = subscribe();
        let (sender, receiver) = watch::channel(Arc::new(os::interfaces()?));
        let watcher = Self { sender, events, failing: false };
        Ok((watcher, receiver))
    }

    pub(super) async fn run(mut self) {
        loop {
            tokio::select! {
                () = self.sender.closed() => return,
                () = swarm(&mut self.events) => self.read(),
            }
            if self.events.is_none() {
                self.events = subscribe();
            }
        }
    }

    fn read(&mut self) {
        match os::interfaces() {
            Ok(table) => {
                self.failing = false;
                self.sender.send_if_modified(|now| {
                    let differs = **now != table;
                    if differs {
                        *now = Arc::new(table);
                    }
                    differs
                });
            }
            // Said once, not every two seconds; the last table stays.
            Err(error) if !self.failing => {
                self.failing = true;
                tracing::warn!(%error, "read interfaces");
            }
            Err(_) => {}
        }
    }
}

fn subscribe() -> Option<Events> {
    Events::subscribe()
        .inspect_err(|error| tracing::debug!(%error, "follow interface events, polling instead"))
        .ok()
}

/// Waits until the interfaces are worth reading: a swarm of events has passed, or time has.
async fn swarm(events: &mut Option<Events>) {
    let Some(source) = events else {
        return time::sleep(POLL).await;
    };
    let mut wake = Instant::now() + SAFETY_NET;
    let mut latest = wake;
    let mut first = true;
    loop {
        match time::timeout_at(wake, source.next()).await {
            Err(_elapsed) => return,
            Ok(Err(error)) => {
                tracing::debug!(%error, "follow interface events, polling instead");
                *events = None;
                return;
            }
            Ok(Ok(())) => {
                let now = Instant::now();
                if std::mem::take(&mut first) {
                    latest = now + LONGEST;
                }
                wake = latest.min(now + QUIET);
            }
        }
    }
}
