//! How much is going on. Each gauge returns to zero when everything is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// A number that is up while its [`Gauge`]s live.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counter(Arc<AtomicUsize>);

impl Counter {
    pub(crate) fn enter(&self) -> Gauge {
        self.0.fetch_add(1, Ordering::Relaxed);
        Gauge(Arc::clone(&self.0))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// One of what a [`Counter`] counts.
#[derive(Debug)]
pub(crate) struct Gauge(Arc<AtomicUsize>);

impl Drop for Gauge {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) connections: Counter,
    pub(crate) in_flight: Counter,
    pub(crate) tunnels: Counter,
    requests: AtomicU64,
    retries: AtomicU64,
    failures: AtomicU64,
}

impl Counters {
    pub(crate) fn request(&self) -> Gauge {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.in_flight.enter()
    }

    pub(crate) fn retry(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn failure(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn snapshot(&self, idle: usize) -> CounterSnapshot {
        CounterSnapshot {
            connections: self.connections.count(),
            idle,
            in_flight: self.in_flight.count(),
            tunnels: self.tunnels.count(),
            requests: self.requests.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
        }
    }
}

/// What goes on at one upstream at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CounterSnapshot {
    /// Open connections, in use or not, tunnels included.
    pub connections: usize,
    /// Open connections that wait for the next request.
    pub idle: usize,
    /// Requests whose response is not yet over.
    pub in_flight: usize,
    /// Tunnels.
    pub tunnels: usize,
    /// Requests since the start.
    pub requests: u64,
    /// How often a request went out again, since its connection broke before an answer.
    pub retries: u64,
    /// Requests that the upstream did not answer.
    pub failures: u64,
}
