//! What became of each wanted socket, in words.

use std::fmt;
use std::sync::Arc;

use crate::bind::socket::BoundAddr;
use crate::bind::{Slot, SlotState};
use crate::error::BindError;
use crate::listen::Listen;
use crate::plan::{Clash, Endpoint, Request, WaitReason, Waiting};

/// What became of one wanted socket.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// Which request it is of, as an index.
    pub request: usize,
    /// The request's name.
    pub name: Arc<str>,
    /// The request's listener.
    pub listen: Listen,
    /// What became of it.
    pub kind: OutcomeKind,
}

/// The ways a wanted socket can go.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum OutcomeKind {
    /// It listens.
    Listening {
        /// Where, with the real port.
        addr: BoundAddr,
    },
    /// It listens still, but its address is gone: it closes soon unless the address is back.
    Lost {
        /// Where, with the real port.
        addr: BoundAddr,
    },
    /// It will listen as soon as it can.
    Waiting {
        /// What it waits for.
        why: WaitReason,
    },
    /// The kernel lacks this address family; the request's other family serves.
    Lacking {
        /// What cannot be.
        endpoint: Endpoint,
    },
    /// It does not listen.
    Failed {
        /// Why.
        error: Arc<BindError>,
    },
}

impl Outcome {
    pub(crate) fn new(requests: &[Request], request: usize, kind: OutcomeKind) -> Self {
        let asked = requests.get(request);
        Self {
            request,
            name: asked.map_or_else(|| "".into(), |r| Arc::clone(&r.name)),
            listen: asked.map_or(Listen::Systemd { name: None }, |r| r.listen.clone()),
            kind,
        }
    }

    pub(crate) fn waiting(requests: &[Request], waiting: &Waiting) -> Self {
        let why = waiting.why.clone();
        Self::new(requests, waiting.request, OutcomeKind::Waiting { why })
    }

    pub(crate) fn clash(requests: &[Request], clash: &Clash) -> Self {
        let name = |index: usize| {
            let request = requests.get(index);
            request.map_or_else(|| "".into(), |r| Arc::clone(&r.name))
        };
        let error = BindError::Clash {
            place: clash.endpoint.to_string(),
            name: name(clash.request),
            first: name(clash.by),
        };
        let error = Arc::new(error);
        Self::new(requests, clash.request, OutcomeKind::Failed { error })
    }

    /// Whether it will never listen as things are.
    #[must_use]
    pub const fn is_failure(&self) -> bool {
        matches!(self.kind, OutcomeKind::Failed { .. })
    }
}

impl Slot {
    pub(crate) fn outcome(&self, requests: &[Request]) -> Outcome {
        let kind = match &self.state {
            SlotState::Open(socket) => OutcomeKind::Listening { addr: socket.addr.clone() },
            SlotState::Waiting(why) => OutcomeKind::Waiting { why: why.clone() },
            SlotState::Lacking => OutcomeKind::Lacking { endpoint: self.endpoint.clone() },
            SlotState::Failed(error) => OutcomeKind::Failed { error: Arc::clone(error) },
        };
        Outcome::new(requests, self.request, kind)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.kind)
    }
}

impl fmt::Display for OutcomeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listening { addr } => write!(f, "listening on {addr}"),
            Self::Lost { addr } => write!(f, "the address went: {addr}"),
            Self::Waiting { why } => write!(f, "waiting: {why}"),
            Self::Lacking { endpoint } => {
                write!(f, "not on {endpoint}: this system has not that address family")
            }
            Self::Failed { error } => f.write_str(&error.line()),
        }
    }
}
