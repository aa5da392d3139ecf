//! Why a question got no answer, or the answer no.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::wire::{DecodeError, EncodeError};

/// Why a variable was not read or set.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// The device does not take connections.
    #[error("cannot connect to the tuner at {device}")]
    Connect {
        /// The device.
        device: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The connection broke.
    #[error("lost the connection to the tuner at {device}")]
    Io {
        /// The device.
        device: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The device closed the connection instead of answering.
    #[error("the tuner at {device} closed the connection")]
    Closed {
        /// The device.
        device: SocketAddr,
    },
    /// The device did not do it in time.
    #[error("the tuner at {device} took longer than {after:?} to {operation}")]
    TimedOut {
        /// The device.
        device: SocketAddr,
        /// `connect`, `send` or `answer`.
        operation: &'static str,
        /// The limit.
        after: Duration,
    },
    /// The answer is no HDHomeRun packet.
    #[error("the tuner at {device} sent a malformed answer")]
    Malformed {
        /// The device.
        device: SocketAddr,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// The answer is about another variable.
    #[error("the tuner at {device} answered about {got} when asked for {asked}")]
    Mismatch {
        /// The device.
        device: SocketAddr,
        /// The variable in question.
        asked: String,
        /// The one in the answer.
        got: String,
    },
    /// The question is too long for a packet.
    #[error("the value for {name} is too long")]
    TooLong {
        /// The variable.
        name: String,
        /// How long.
        source: EncodeError,
    },
    /// The device does not know the variable: another model, or older firmware.
    #[error("the tuner at {device} knows no {name}")]
    UnknownVariable {
        /// The device.
        device: SocketAddr,
        /// The variable.
        name: String,
    },
    /// Someone else holds the tuner's lock.
    #[error("{name} of the tuner at {device} is locked by {owner}")]
    Locked {
        /// The device.
        device: SocketAddr,
        /// The variable.
        name: String,
        /// The address of the holder, as the device says.
        owner: String,
    },
    /// The tuner is busy with a channel scan.
    #[error("the tuner at {device} is busy, {name} cannot be set")]
    Busy {
        /// The device.
        device: SocketAddr,
        /// The variable.
        name: String,
    },
    /// The device refuses for another reason.
    #[error("the tuner at {device} refuses {name}: {text}")]
    Rejected {
        /// The device.
        device: SocketAddr,
        /// The variable.
        name: String,
        /// Its own words, without `ERROR: `.
        text: String,
    },
}

impl ControlError {
    /// The error that a device's refusal stands for.
    pub(super) fn refused(device: SocketAddr, name: &str, text: &str) -> Self {
        let name = name.to_owned();
        let text = text.strip_prefix("ERROR: ").unwrap_or(text);
        if let Some(owner) = text.strip_prefix("resource locked by ") {
            let owner = owner.to_owned();
            return Self::Locked { device, name, owner };
        }
        match text {
            "unknown getset variable" => Self::UnknownVariable { device, name },
            "tuner busy" => Self::Busy { device, name },
            _ => Self::Rejected { device, name, text: text.to_owned() },
        }
    }

    /// Whether the device answered, and its answer was no.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::UnknownVariable { .. }
                | Self::Locked { .. }
                | Self::Busy { .. }
                | Self::Rejected { .. }
        )
    }

    /// Whether the host answers that nothing on it takes connections: it is no tuner any more.
    pub(crate) fn is_closed_port(&self) -> bool {
        matches!(self, Self::Connect { source, .. } if source.kind() == io::ErrorKind::ConnectionRefused)
    }

    /// Whether nobody took the connection: nothing is there, or not any more.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Connect { .. } | Self::TimedOut { operation: "connect", .. })
    }

    /// Whether a new connection may help.
    pub(super) const fn is_broken_connection(&self) -> bool {
        !self.is_refusal() && !matches!(self, Self::TooLong { .. })
    }
}
