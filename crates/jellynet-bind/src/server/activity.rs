//! What a connection is doing, as its stream and its service see it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// Nothing, between two requests.
    Idle,
    /// A request's head has begun and not ended.
    Head,
    /// At least one request is being answered, or its response is still on its way out.
    Request,
}

/// Shared by the stream, the service and the response bodies of one connection.
#[derive(Debug)]
pub(super) struct Activity {
    requests: AtomicU32,
    /// Counts all requests, so that two idle times in a row are told apart.
    begun: AtomicU32,
    head: AtomicBool,
    /// Bytes that come while nothing is answered begin a head: not so on HTTP/2, where they can
    /// be pings.
    bytes_are_heads: bool,
    /// The end of the HTTP state is not the end of the stream.
    keep_stream: AtomicBool,
    /// The peer does not read what is to be written.
    blocked: AtomicBool,
    /// Pieces of response bodies that HTTP holds until the peer takes them.
    held: AtomicU32,
    /// Bytes of responses that the peer's connection has taken.
    taken: AtomicU64,
}

impl Activity {
    /// A connection whose first request has begun.
    pub(super) fn new(bytes_are_heads: bool) -> Arc<Self> {
        Arc::new(Self {
            requests: AtomicU32::new(0),
            begun: AtomicU32::new(0),
            head: AtomicBool::new(true),
            bytes_are_heads,
            keep_stream: AtomicBool::new(false),
            blocked: AtomicBool::new(false),
            held: AtomicU32::new(0),
            taken: AtomicU64::new(0),
        })
    }

    /// What the connection is doing, and a number that is another one after each request.
    pub(super) fn now(&self) -> (Doing, u32) {
        let answering = self.requests.load(Ordering::Acquire) > 0;
        let doing = if answering || self.held.load(Ordering::Acquire) > 0 {
            Doing::Request
        } else if self.head.load(Ordering::Relaxed) {
            Doing::Head
        } else {
            Doing::Idle
        };
        (doing, self.begun.load(Ordering::Relaxed))
    }

    /// Bytes came in.
    pub(super) fn read(&self) {
        if self.bytes_are_heads && self.requests.load(Ordering::Relaxed) == 0 {
            self.head.store(true, Ordering::Relaxed);
        }
    }

    /// A request's head is complete.
    pub(super) fn request(self: &Arc<Self>) -> Busy {
        self.head.store(false, Ordering::Relaxed);
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::AcqRel);
        Busy(Arc::clone(self))
    }

    /// A write took so many bytes, or none could go on.
    pub(super) fn wrote(&self, count: Option<usize>) {
        self.blocked.store(count.is_none(), Ordering::Relaxed);
        // On HTTP/2 the stream also carries what answers pings: there, only bodies count.
        if self.bytes_are_heads {
            self.took(count.unwrap_or_default());
        }
    }

    fn took(&self, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.taken.fetch_add(count, Ordering::Relaxed);
    }

    /// How many bytes of responses were taken, if something waits for the peer to take it.
    pub(super) fn waits_for_peer(&self) -> Option<u64> {
        let waits = self.is_blocked() || self.held.load(Ordering::Acquire) > 0;
        waits.then(|| self.taken.load(Ordering::Relaxed))
    }

    /// Whether something is still to be written.
    fn is_blocked(&self) -> bool {
        self.blocked.load(Ordering::Relaxed)
    }

    pub(super) fn set_keep_stream(&self, keep: bool) {
        self.keep_stream.store(keep, Ordering::Relaxed);
    }

    pub(super) fn keeps_stream(&self) -> bool {
        self.keep_stream.load(Ordering::Relaxed)
    }
}

/// A request that is being answered, until its response's body has gone.
#[derive(Debug)]
pub(super) struct Busy(Arc<Activity>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Busy {
    /// Follows a piece of the response's body out.
    pub(super) fn hold(&self) -> Held {
        self.0.held.fetch_add(1, Ordering::AcqRel);
        Held(Arc::clone(&self.0))
    }
}

/// A piece of a response that the peer has not taken yet.
#[derive(Debug)]
pub(super) struct Held(Arc<Activity>);

impl Held {
    /// The connection took so many bytes of it.
    pub(super) fn took(&self, count: usize) {
        if !self.0.bytes_are_heads {
            self.0.took(count);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, Ordering::AcqRel);
    }
}
