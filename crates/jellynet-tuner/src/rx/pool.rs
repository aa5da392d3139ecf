//! Buffers that are used again once every reader has let go of them.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// How many buffers are kept for reuse; beyond that a slow reader owns what it holds.
const KEPT: usize = 64;

/// Hands out batches of bytes from a few buffers in turn.
#[derive(Debug)]
pub(super) struct Pool {
    current: BytesMut,
    waiting: VecDeque<BytesMut>,
    batch: usize,
    allocated: u64,
}

impl Pool {
    pub(super) fn new(batch: usize) -> Self {
        Self {
            current: BytesMut::with_capacity(batch),
            waiting: VecDeque::new(),
            batch,
            allocated: 1,
        }
    }

    pub(super) fn has_room(&self, more: usize) -> bool {
        self.current.len() + more <= self.batch
    }

    pub(super) fn extend(&mut self, bytes: &[u8]) {
        self.current.extend_from_slice(bytes);
    }

    /// How many buffers were ever allocated.
    pub(super) const fn allocated(&self) -> u64 {
        self.allocated
    }

    /// The bytes collected so far; the next ones go to a buffer that nobody reads any more.
    pub(super) fn take(&mut self) -> Bytes {
        let full = self.current.split().freeze();
        let next = self.reusable();
        let held = std::mem::replace(&mut self.current, next);
        if self.waiting.len() < KEPT {
            self.waiting.push_back(held);
        }
        full
    }

    /// Readers let go in order, so only the oldest buffer is worth asking.
    fn reusable(&mut self) -> BytesMut {
        if let Some(mut oldest) = self.waiting.pop_front() {
            if oldest.try_reclaim(self.batch) {
                return oldest;
            }
            self.waiting.push_front(oldest);
        }
        self.allocated += 1;
        BytesMut::with_capacity(self.batch)
    }
}
