//! Moves an engine's datagrams, and reads the clock for it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc, watch};

use crate::engine::Engine;
use crate::udp::{Counters, UdpConfig, UdpCounters, UdpSet, UdpStatus};
use crate::watch::Interfaces;

mod task;

/// How many events wait for the application at most.
const EVENTS: usize = 1024;

/// Opens the sockets that `udp` asks for and moves an engine's datagrams in a task of its own,
/// until the driver and all its clones and the events are dropped, or
/// [`shutdown`](Driver::shutdown) is called.
///
/// The sockets follow the interfaces: an address that comes is used, one that goes is let go, and
/// groups are joined and left. What cannot be opened is in the [status](Driver::status), is
/// logged once, and is tried again; the rest works meanwhile. When this returns, every socket was
/// tried once and the engine knows its interfaces.
///
/// # Panics
///
/// Outside a tokio runtime with I/O and time.
pub fn drive<E>(
    mut engine: E,
    udp: UdpConfig,
    interfaces: Interfaces,
) -> (Driver<E>, Events<E::Event>)
where
    E: Engine + Send + 'static,
    E::Event: Send + 'static,
{
    let counters = Arc::new(Counters::default());
    let mut set = UdpSet::new(udp, Arc::clone(&counters));
    let table = interfaces.current();
    set.reconcile(Arc::clone(&table), now());
    engine.handle_interfaces(now(), &table);
    let shared = Arc::new(Shared {
        engine: Mutex::new(engine),
        wake: Notify::new(),
        stop: Mutex::new(None),
        counters,
    });
    let (status_sender, status) = watch::channel(Arc::new(set.status()));
    let (event_sender, events) = mpsc::channel(EVENTS);
    let task = task::Task {
        shared: Arc::clone(&shared),
        set,
        interfaces,
        seen: table,
        status: status_sender,
        events: event_sender,
    };
    tokio::spawn(task.run());
    let events = Events { receiver: events, _alive: status.clone() };
    (Driver { shared, status }, events)
}

/// The only place where time is read.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// A handle to a driven engine.
pub struct Driver<E> {
    shared: Arc<Shared<E>>,
    status: watch::Receiver<Arc<UdpStatus>>,
}

/// What the task and the handles share.
struct Shared<E> {
    engine: Mutex<E>,
    wake: Notify,
    /// When the task has to end.
    stop: Mutex<Option<Instant>>,
    counters: Arc<Counters>,
}

impl<E> Shared<E> {
    /// A closure that panicked has left the engine in some state, which every engine can go on
    /// from: it takes any input at any time.
    fn engine(&self) -> MutexGuard<'_, E> {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self) -> MutexGuard<'_, Option<Instant>> {
        self.stop.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<E> Driver<E> {
    /// Talks to the engine, with the time it is now; what it wants to send goes out afterwards.
    ///
    /// Datagrams wait while `talk` runs, so it should be brief.
    pub fn with<R>(&self, talk: impl FnOnce(&mut E, Instant) -> R) -> R {
        let answer = talk(&mut self.shared.engine(), now());
        self.shared.wake.notify_one();
        answer
    }

    /// How the sockets stand.
    #[must_use]
    pub fn status(&self) -> Arc<UdpStatus> {
        Arc::clone(&self.status.borrow())
    }

    /// Waits until the sockets stand otherwise than this handle last saw here; `None` after the
    /// end.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn status_changed(&mut self) -> Option<Arc<UdpStatus>> {
        self.status.changed().await.ok()?;
        Some(Arc::clone(&self.status.borrow_and_update()))
    }

    /// How much went through.
    #[must_use]
    pub fn counters(&self) -> UdpCounters {
        self.shared.counters.snapshot()
    }

    /// Stops listening, sends what the engine still wants to send within `grace`, and closes the
    /// sockets.
    ///
    /// Tell the engine to say goodbye first, by [`with`](Self::with). The end comes as soon as the
    /// engine has nothing to send and nothing due before the time is over.
    ///
    /// # Cancel safety
    ///
    /// The end comes all the same when the future is dropped.
    pub async fn shutdown(&self, grace: Duration) {
        self.shared.stop().get_or_insert(now() + grace);
        self.shared.wake.notify_one();
        let mut status = self.status.clone();
        while status.changed().await.is_ok() {}
    }
}

impl<E> Clone for Driver<E> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), status: self.status.clone() }
    }
}

impl<E> fmt::Debug for Driver<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("status", &self.status()).finish_non_exhaustive()
    }
}

/// What a driven engine tells. At most 1024 events wait; further ones are dropped and counted.
#[derive(Debug)]
pub struct Events<T> {
    receiver: mpsc::Receiver<T>,
    _alive: watch::Receiver<Arc<UdpStatus>>,
}

impl<T> Events<T> {
    /// The next event; `None` after the end.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<T> {
        self.receiver.recv().await
    }

    /// The next event, for those who write a stream.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.receiver.poll_recv(cx)
    }
}
