//! One wanted socket over its life.

use std::sync::Arc;
use std::time::Duration;

use jellynet_netif::LocalAddr;
use tokio::time::Instant;

use super::intake::Intake;
use super::shared::Counts;
use super::wire::Wire;
use crate::bind::{BoundAddr, BoundSocket, Outcome, OutcomeKind, SlotState};
use crate::error::BindError;
use crate::os::unix::SocketFile;
use crate::plan::{PlannedSocket, Request, WaitReason};

/// The first and the longest time between two tries.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

#[derive(Debug)]
pub(super) struct Line {
    pub(super) planned: PlannedSocket,
    pub(super) counts: Arc<Counts>,
    pub(super) state: LineState,
}

#[derive(Debug)]
pub(super) enum LineState {
    Open(OpenLine),
    Shut(ShutLine),
}

#[derive(Debug)]
pub(super) struct OpenLine {
    pub(super) intake: Intake<Wire>,
    pub(super) addr: BoundAddr,
    /// Every connection's own address, unless the socket is a wildcard.
    pub(super) local: Option<LocalAddr>,
    /// When the socket closes, because its address is gone.
    pub(super) closes_at: Option<Instant>,
    _file: Option<SocketFile>,
}

#[derive(Debug)]
pub(super) struct ShutLine {
    pub(super) why: Shut,
    pub(super) retry: Option<Retry>,
}

#[derive(Clone, Debug)]
pub(super) enum Shut {
    Waiting(WaitReason),
    Lacking,
    Failed(Arc<BindError>),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Retry {
    pub(super) at: Instant,
    delay: Duration,
}

impl Retry {
    fn first() -> Self {
        Self { at: Instant::now() + RETRY.0, delay: RETRY.0 }
    }

    pub(super) fn next(self) -> Self {
        let delay = (self.delay * 2).min(RETRY.1);
        Self { at: Instant::now() + delay, delay }
    }
}

impl Line {
    /// When this line must be looked at though nothing woke it; the end of a pause counts only
    /// while connections are `wanted`, because only then it is looked at.
    pub(super) fn wake_at(&self, wanted: bool) -> Option<Instant> {
        match &self.state {
            LineState::Open(open) => {
                let pause = open.intake.wake_at().filter(|_| wanted);
                [pause, open.closes_at].into_iter().flatten().min()
            }
            LineState::Shut(shut) => shut.retry.map(|retry| retry.at),
        }
    }

    pub(super) fn outcome(&self, requests: &[Request]) -> Outcome {
        let kind = match &self.state {
            LineState::Open(OpenLine { closes_at: None, addr, .. }) => {
                OutcomeKind::Listening { addr: addr.clone() }
            }
            LineState::Open(OpenLine { addr, .. }) => OutcomeKind::Lost { addr: addr.clone() },
            LineState::Shut(ShutLine { why, .. }) => match why {
                Shut::Waiting(why) => OutcomeKind::Waiting { why: why.clone() },
                Shut::Lacking => OutcomeKind::Lacking { endpoint: self.planned.endpoint.clone() },
                Shut::Failed(error) => OutcomeKind::Failed { error: Arc::clone(error) },
            },
        };
        Outcome::new(requests, self.planned.request, kind)
    }
}

impl LineState {
    pub(super) fn from_slot(slot: SlotState) -> Self {
        let why = match slot {
            SlotState::Open(socket) => return Self::open(socket),
            SlotState::Waiting(why) => Shut::Waiting(why),
            SlotState::Lacking => Shut::Lacking,
            SlotState::Failed(error) => Shut::Failed(error),
        };
        Self::shut(why)
    }

    /// A shut line that is tried again if that can help.
    pub(super) fn shut(why: Shut) -> Self {
        let again = match &why {
            Shut::Waiting(_) => true,
            Shut::Lacking => false,
            Shut::Failed(error) => error.is_transient(),
        };
        Self::Shut(ShutLine { why, retry: again.then(Retry::first) })
    }

    fn open(socket: BoundSocket) -> Self {
        let BoundSocket { addr, listener, file, .. } = socket;
        let local = match &addr {
            BoundAddr::Inet(inet) if !inet.ip().is_unspecified() => Some(LocalAddr::new(*inet)),
            BoundAddr::Inet(_) | BoundAddr::Unix(_) | BoundAddr::Fd(_) => None,
        };
        match Wire::new(listener) {
            Ok(wire) => Self::Open(OpenLine {
                intake: Intake::new(wire),
                addr,
                local,
                closes_at: None,
                _file: file,
            }),
            Err(source) => Self::shut(Shut::Failed(Arc::new(BindError::Broken {
                place: addr.to_string(),
                source,
            }))),
        }
    }
}
