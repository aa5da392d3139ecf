//! What happens to listeners while they run.

use std::fmt;
use std::sync::Arc;

use tokio::sync::broadcast;

use crate::bind::BoundAddr;
use crate::error::BindError;
use crate::plan::WaitReason;

/// Something that happened to a listener after the start.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A socket was opened: its address came, its port became free.
    BoundNew {
        /// The request's name.
        name: Arc<str>,
        /// Where it listens.
        addr: BoundAddr,
    },
    /// A socket's address went; the socket closes soon unless the address is back.
    AddrLost {
        /// The request's name.
        name: Arc<str>,
        /// Where it listened.
        addr: BoundAddr,
    },
    /// An address is back before its socket was closed.
    AddrBack {
        /// The request's name.
        name: Arc<str>,
        /// Where it listens.
        addr: BoundAddr,
    },
    /// A socket was closed, because its address is gone.
    Closed {
        /// The request's name.
        name: Arc<str>,
        /// Where it listened.
        addr: BoundAddr,
    },
    /// A listener waits for something.
    Waiting {
        /// The request's name.
        name: Arc<str>,
        /// What for.
        why: WaitReason,
    },
    /// A socket could not be opened, or broke.
    Failed {
        /// The request's name.
        name: Arc<str>,
        /// Why.
        error: Arc<BindError>,
    },
    /// The system ran out of something (descriptors, memory): this socket takes no connections
    /// for a while. Told every five seconds at most.
    AcceptPaused {
        /// The request's name.
        name: Arc<str>,
        /// The socket.
        addr: BoundAddr,
        /// What the system said.
        reason: String,
    },
    /// The socket takes connections again.
    AcceptResumed {
        /// The request's name.
        name: Arc<str>,
        /// The socket.
        addr: BoundAddr,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BoundNew { name, addr } => write!(f, "{name}: listening on {addr}"),
            Self::AddrLost { name, addr } => write!(f, "{name}: the address went: {addr}"),
            Self::AddrBack { name, addr } => write!(f, "{name}: the address is back: {addr}"),
            Self::Closed { name, addr } => write!(f, "{name}: closed {addr}"),
            Self::Waiting { name, why } => write!(f, "{name}: waiting: {why}"),
            Self::Failed { name, error } => write!(f, "{name}: {}", error.line()),
            Self::AcceptPaused { name, addr, reason } => {
                write!(f, "{name}: no new connections on {addr} for now: {reason}")
            }
            Self::AcceptResumed { name, addr } => {
                write!(f, "{name}: new connections on {addr} again")
            }
        }
    }
}

#[cfg(feature = "tracing")]
impl Event {
    pub(super) fn log(&self) {
        match self {
            Self::BoundNew { .. } | Self::AddrBack { .. } | Self::AcceptResumed { .. } => {
                tracing::info!(target: "jellynet_bind", "{self}");
            }
            _ => tracing::warn!(target: "jellynet_bind", "{self}"),
        }
    }
}

/// The events of a set of listeners, from the moment this was asked for.
#[derive(Debug)]
pub struct Events(pub(super) broadcast::Receiver<Event>);

impl Events {
    /// Waits for the next event; `None` when the listeners and all their handles are gone.
    ///
    /// Whoever is more than 128 events behind misses the oldest.
    ///
    /// # Cancel safety
    ///
    /// No event is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            match self.0.recv().await {
                Ok(event) => return Some(event),
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}
