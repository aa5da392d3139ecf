//! The task that drives an engine.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tokio::sync::{mpsc, watch};

use super::{Shared, now};
use crate::engine::Engine;
use crate::interface::InterfaceTable;
use crate::udp::{Buffers, UdpSet, UdpStatus};
use crate::watch::Interfaces;

/// How many batches are read before timers, commands and other tasks get their turn.
const ROUNDS: u32 = 16;

pub(super) struct Task<E: Engine> {
    pub(super) shared: Arc<Shared<E>>,
    pub(super) set: UdpSet,
    pub(super) interfaces: Interfaces,
    /// The interfaces the engine knows.
    pub(super) seen: Arc<InterfaceTable>,
    pub(super) status: watch::Sender<Arc<UdpStatus>>,
    pub(super) events: mpsc::Sender<E::Event>,
}

impl<E: Engine> Task<E> {
    pub(super) async fn run(mut self) {
        let mut buffers = Buffers::new();
        let mut follows = true;
        loop {
            let due = self.settle();
            let stop = *self.shared.stop();
            if stop.is_some_and(|stop| due.is_none_or(|due| due > stop)) {
                return;
            }
            let wake = [due, self.set.next_retry()].into_iter().flatten().min();
            tokio::select! {
                () = self.status.closed() => return,
                () = self.shared.wake.notified() => {}
                () = until(wake) => self.handle_timeout(),
                update = self.interfaces.changed(), if follows => match update {
                    Some(_) => self.handle_interfaces(),
                    None => follows = false,
                },
                () = self.set.recv(&mut buffers), if stop.is_none() => {
                    self.handle_datagrams(&mut buffers).await;
                }
            }
        }
    }

    /// Sends what the engine wants to send, passes on its events, and asks when it is due next.
    fn settle(&mut self) -> Option<Instant> {
        let mut engine = self.shared.engine();
        drain(&mut *engine, &mut self.set);
        while let Some(event) = engine.poll_event() {
            // Dropping the newest keeps what was first; the count says that there was more.
            if self.events.try_send(event).is_err() {
                self.shared.counters.events_dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
        engine.poll_timeout()
    }

    /// Hands over what was read, and more that is there already, with a bound.
    async fn handle_datagrams(&mut self, buffers: &mut Buffers) {
        for _ in 0..ROUNDS {
            let now = now();
            let mut engine = self.shared.engine();
            for datagram in self.set.heard(buffers) {
                engine.handle_datagram(now, datagram);
            }
            drain(&mut *engine, &mut self.set);
            drop(engine);
            if !self.set.try_recv(buffers) {
                return;
            }
        }
        // One more batch was read, and is not lost.
        let now = now();
        for datagram in self.set.heard(buffers) {
            self.shared.engine().handle_datagram(now, datagram);
        }
        tokio::task::yield_now().await;
    }

    fn handle_timeout(&mut self) {
        let now = now();
        if self.set.next_retry().is_some_and(|due| due <= now) {
            self.set.retry(now);
            self.publish();
        }
        let mut engine = self.shared.engine();
        if engine.poll_timeout().is_some_and(|due| due <= now) {
            engine.handle_timeout(now);
        }
    }

    fn handle_interfaces(&mut self) {
        let table = self.interfaces.current();
        if table == self.seen {
            return;
        }
        let now = now();
        self.set.reconcile(Arc::clone(&table), now);
        self.publish();
        self.shared.engine().handle_interfaces(now, &table);
        self.seen = table;
    }

    fn publish(&self) {
        self.status.send_replace(Arc::new(self.set.status()));
    }
}

fn drain<E: Engine>(engine: &mut E, set: &mut UdpSet) {
    if let Some(first) = engine.poll_transmit() {
        let now = now();
        set.send(&first, now);
        while let Some(transmit) = engine.poll_transmit() {
            set.send(&transmit, now);
        }
    }
}

async fn until(wake: Option<Instant>) {
    match wake {
        Some(wake) => tokio::time::sleep_until(wake.into()).await,
        None => pending().await,
    }
}
