//! What became of handshakes.

use std::sync::atomic::{AtomicU64, Ordering};

use super::AcceptError;

/// How many handshakes ended in which way, since the acceptor was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandshakeCounts {
    /// Led to an encrypted connection.
    pub completed: u64,
    /// Failed: nothing in common, a certificate that the client refused, garbage.
    pub failed: u64,
    /// Took too long.
    pub timed_out: u64,
    /// Were not begun, because the client had too many under way.
    pub refused: u64,
    /// Were ACME challenges.
    pub challenges: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    completed: AtomicU64,
    failed: AtomicU64,
    timed_out: AtomicU64,
    refused: AtomicU64,
    challenges: AtomicU64,
}

impl Counters {
    pub(super) fn count<T>(&self, result: &Result<T, AcceptError>) {
        let counter = match result {
            Ok(_) => &self.completed,
            Err(AcceptError::Timeout { .. }) => &self.timed_out,
            Err(AcceptError::TooMany { .. }) => &self.refused,
            Err(AcceptError::Challenge) => &self.challenges,
            Err(_) => &self.failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> HandshakeCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        HandshakeCounts {
            completed: read(&self.completed),
            failed: read(&self.failed),
            timed_out: read(&self.timed_out),
            refused: read(&self.refused),
            challenges: read(&self.challenges),
        }
    }
}
