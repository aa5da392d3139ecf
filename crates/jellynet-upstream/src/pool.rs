//! Connections that wait for the next request.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::conn::Conn;

/// Unused connections, the latest used last.
#[derive(Debug)]
pub(crate) struct Pool {
    idle: Mutex<VecDeque<Idle>>,
    max: usize,
    timeout: Duration,
}

#[derive(Debug)]
struct Idle {
    conn: Conn,
    since: Instant,
}

impl Pool {
    pub(crate) const fn new(max: usize, timeout: Duration) -> Self {
        Self { idle: Mutex::new(VecDeque::new()), max, timeout }
    }

    /// Takes the connection that was used last and is still good; drops the dead on the way. What
    /// is asked only once gets one that is looked at more closely.
    pub(crate) fn take(&self, once: bool) -> Option<Conn> {
        loop {
            let mut idle = self.lock().pop_back()?;
            let Idle { conn, since } = &mut idle;
            let fresh = if once { Conn::is_surely_fresh } else { Conn::is_fresh };
            if since.elapsed() < self.timeout && fresh(conn) {
                return Some(idle.conn);
            }
        }
    }

    /// Keeps a connection whose exchange is over, unless something unasked is in its buffer.
    pub(crate) fn put(&self, mut conn: Conn) {
        if !conn.buffer.is_empty() {
            return;
        }
        conn.rest();
        let since = Instant::now();
        let mut idle = self.lock();
        idle.push_back(Idle { conn, since });
        if idle.len() > self.max {
            idle.pop_front();
        }
        while idle.front().is_some_and(|oldest| since.duration_since(oldest.since) >= self.timeout)
        {
            idle.pop_front();
        }
    }

    /// Drops what waited too long or was closed by the other end.
    pub(crate) fn prune(&self) {
        let timeout = self.timeout;
        self.lock().retain_mut(|idle| idle.since.elapsed() < timeout && idle.conn.is_fresh());
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
