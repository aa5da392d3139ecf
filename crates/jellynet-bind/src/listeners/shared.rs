//! What the accept loop, the connections and the handles know of one another.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use futures_util::task::AtomicWaker;
use jellynet_netif::{LocalAddr, PeerAddr};
use tokio::sync::{Notify, broadcast};

use super::event::{Event, Events};
use crate::bind::Outcome;

/// How far a drain has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Phase {
    Serving = 0,
    /// No new connections; open ones finish what they do.
    Draining = 1,
    /// Open connections end now.
    Cut = 2,
}

#[derive(Debug)]
pub(super) struct Shared {
    /// Wakes the accept loop.
    pub(super) accept: AtomicWaker,
    limit: usize,
    open: AtomicUsize,
    /// The accept loop waits for a connection to end.
    full: AtomicBool,
    phase: AtomicU8,
    /// All sockets are closed for good.
    shut: AtomicBool,
    /// Something that a drain waits for has changed.
    pub(super) settled: Notify,
    registry: Mutex<Registry>,
    names: Vec<Arc<Counts>>,
    outcomes: Mutex<Vec<Outcome>>,
    events: broadcast::Sender<Event>,
}

/// The connections of one name.
#[derive(Debug)]
pub(super) struct Counts {
    pub(super) name: Arc<str>,
    pub(super) open: AtomicUsize,
    pub(super) total: AtomicU64,
}

/// All open connections, so that each can be told to end.
#[derive(Debug, Default)]
struct Registry {
    places: Vec<Option<Arc<ConnectionState>>>,
    free: Vec<usize>,
}

/// What is known about a connection; outlives its stream in the hands that serve it.
#[derive(Debug)]
pub(super) struct ConnectionState {
    pub(super) peer: PeerAddr,
    pub(super) local: Option<LocalAddr>,
    /// `None` for another listener's connection.
    pub(super) home: Option<(Arc<Shared>, Arc<Counts>)>,
    /// Whoever reads, writes, or serves: three, because they can be three tasks.
    pub(super) reader: AtomicWaker,
    pub(super) writer: AtomicWaker,
    pub(super) server: AtomicWaker,
    /// It ends with a reset.
    pub(super) abort: AtomicBool,
}

impl ConnectionState {
    pub(super) const fn new(
        peer: PeerAddr,
        local: Option<LocalAddr>,
        home: Option<(Arc<Shared>, Arc<Counts>)>,
    ) -> Self {
        Self {
            peer,
            local,
            home,
            reader: AtomicWaker::new(),
            writer: AtomicWaker::new(),
            server: AtomicWaker::new(),
            abort: AtomicBool::new(false),
        }
    }

    pub(super) fn phase(&self) -> Phase {
        let shared = self.home.as_ref().map(|(shared, _)| shared);
        shared.map_or(Phase::Serving, |shared| shared.phase())
    }

    pub(super) fn name(&self) -> &str {
        self.home.as_ref().map_or("", |(_, counts)| &counts.name)
    }

    /// Registers the task that serves this connection, then reads the phase.
    pub(super) fn watch(&self, waker: &Waker) -> Phase {
        self.server.register(waker);
        self.phase()
    }

    fn wake(&self) {
        self.reader.wake();
        self.writer.wake();
        self.server.wake();
    }
}

/// Counts a connection as open until it is dropped.
#[derive(Debug)]
pub(super) struct Permit {
    pub(super) state: Arc<ConnectionState>,
    place: usize,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Some((shared, counts)) = &self.state.home else {
            return;
        };
        shared.registry().remove(self.place);
        counts.open.fetch_sub(1, Ordering::Relaxed);
        let before = shared.open.fetch_sub(1, Ordering::SeqCst);
        if shared.full.swap(false, Ordering::SeqCst) {
            shared.accept.wake();
        }
        if before == 1 && shared.phase() != Phase::Serving {
            shared.settled.notify_waiters();
        }
    }
}

impl Registry {
    fn insert(&mut self, state: Arc<ConnectionState>) -> usize {
        if let Some(place) = self.free.pop()
            && let Some(slot) = self.places.get_mut(place)
        {
            *slot = Some(state);
            return place;
        }
        self.places.push(Some(state));
        self.places.len() - 1
    }

    fn remove(&mut self, place: usize) {
        if let Some(slot) = self.places.get_mut(place)
            && slot.take().is_some()
        {
            self.free.push(place);
        }
    }
}

impl Shared {
    pub(super) fn new<'a>(names: impl Iterator<Item = &'a Arc<str>>, limit: usize) -> Self {
        let mut counts: Vec<Arc<Counts>> = Vec::new();
        for name in names {
            if !counts.iter().any(|c| c.name == *name) {
                counts.push(Arc::new(Counts {
                    name: Arc::clone(name),
                    open: AtomicUsize::new(0),
                    total: AtomicU64::new(0),
                }));
            }
        }
        Self {
            accept: AtomicWaker::new(),
            limit: limit.max(1),
            open: AtomicUsize::new(0),
            full: AtomicBool::new(false),
            phase: AtomicU8::new(Phase::Serving as u8),
            shut: AtomicBool::new(false),
            settled: Notify::new(),
            registry: Mutex::default(),
            names: counts,
            outcomes: Mutex::default(),
            events: broadcast::channel(128).0,
        }
    }

    pub(super) fn counts(&self, name: &str) -> Option<Arc<Counts>> {
        self.names.iter().find(|c| *c.name == *name).cloned()
    }

    pub(super) fn names(&self) -> &[Arc<Counts>] {
        &self.names
    }

    pub(super) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::SeqCst) {
            0 => Phase::Serving,
            1 => Phase::Draining,
            _ => Phase::Cut,
        }
    }

    /// Goes on to a later phase and wakes everybody whom it concerns.
    pub(super) fn enter(&self, phase: Phase) {
        self.phase.fetch_max(phase as u8, Ordering::SeqCst);
        self.accept.wake();
        let states: Vec<_> = self.registry().places.iter().flatten().cloned().collect();
        for state in states {
            state.wake();
        }
    }

    /// Whether one more connection may be open; if not, the accept loop is woken when it may.
    pub(super) fn has_room(&self) -> bool {
        if self.open.load(Ordering::SeqCst) < self.limit {
            return true;
        }
        self.full.store(true, Ordering::SeqCst);
        // One may have ended between the two lines above.
        self.open.load(Ordering::SeqCst) < self.limit
    }

    /// Whether three quarters of the places are taken.
    #[cfg(feature = "hyper")]
    pub(super) fn is_crowded(&self) -> bool {
        self.open.load(Ordering::SeqCst) >= self.limit - self.limit / 4
    }

    pub(super) fn admit(
        self: &Arc<Self>,
        counts: &Arc<Counts>,
        peer: PeerAddr,
        local: Option<LocalAddr>,
    ) -> Permit {
        self.open.fetch_add(1, Ordering::SeqCst);
        counts.open.fetch_add(1, Ordering::Relaxed);
        counts.total.fetch_add(1, Ordering::Relaxed);
        let home = Some((Arc::clone(self), Arc::clone(counts)));
        let state = Arc::new(ConnectionState::new(peer, local, home));
        let place = self.registry().insert(Arc::clone(&state));
        Permit { state, place }
    }

    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    pub(super) fn close(&self) {
        self.shut.store(true, Ordering::SeqCst);
        self.settled.notify_waiters();
    }

    pub(super) fn is_shut(&self) -> bool {
        self.shut.load(Ordering::SeqCst)
    }

    pub(super) fn tell(&self, event: Event) {
        #[cfg(feature = "tracing")]
        event.log();
        // Nobody need listen.
        drop(self.events.send(event));
    }

    pub(super) fn publish(&self, outcomes: Vec<Outcome>) {
        *lock(&self.outcomes) = outcomes;
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        lock(&self.registry)
    }
}

/// Nothing here leaves its data half changed, so a panic elsewhere poisons nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks at a running set of listeners, and ends it; cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle(pub(super) Arc<Shared>);

/// How many connections came in under one name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NameCounts {
    /// The requests' name.
    pub name: Arc<str>,
    /// How many are open now.
    pub open: usize,
    /// How many there were since the start.
    pub total: u64,
}

impl Handle {
    /// What became of each wanted socket, as of now.
    #[must_use]
    pub fn outcomes(&self) -> Vec<Outcome> {
        lock(&self.0.outcomes).clone()
    }

    /// How many connections there are and were, by name.
    #[must_use]
    pub fn counts(&self) -> Vec<NameCounts> {
        let counts = self.0.names.iter().map(|counts| NameCounts {
            name: Arc::clone(&counts.name),
            open: counts.open.load(Ordering::Relaxed),
            total: counts.total.load(Ordering::Relaxed),
        });
        counts.collect()
    }

    /// How many connections are open, over all names.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.0.open()
    }

    /// What happens from now on.
    #[must_use]
    pub fn events(&self) -> Events {
        Events(self.0.events.subscribe())
    }
}
