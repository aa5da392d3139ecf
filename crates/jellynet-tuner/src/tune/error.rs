//! Why there is no stream, or none any more.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::control::ControlError;
use crate::device_id::DeviceId;
use crate::doctor::Blocked;
use crate::journal::JournalError;
use crate::ports::PortError;
use crate::status::TunerStatus;

/// Why a tuner cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BusyReason {
    /// Someone holds its lock.
    Locked {
        /// The holder's address, as the device says.
        owner: String,
    },
    /// It streams to someone who took no lock.
    InUse {
        /// To whom.
        target: String,
    },
    /// It is tuned by someone who took no lock.
    Tuned {
        /// To what.
        channel: String,
    },
    /// It scans for channels.
    Scanning,
}

impl fmt::Display for BusyReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked { owner } => write!(f, "locked by {owner}"),
            Self::InUse { target } => write!(f, "streams to {target}"),
            Self::Tuned { channel } => write!(f, "tuned to {channel}"),
            Self::Scanning => f.write_str("scans for channels"),
        }
    }
}

struct Reasons<'a>(&'a [(u8, BusyReason)]);

impl fmt::Display for Reasons<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (tuner, reason)) in self.0.iter().enumerate() {
            let separator = if n == 0 { "" } else { "; " };
            write!(f, "{separator}tuner {tuner} {reason}")?;
        }
        Ok(())
    }
}

/// Why a channel was not opened. Whatever was taken until then is released.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The device has no address.
    #[error("the address of device {device} is not known")]
    NoAddress {
        /// The device.
        device: DeviceId,
    },
    /// The device does not answer, or refuses.
    #[error("cannot control the tuner")]
    Control(#[source] ControlError),
    /// Every tuner is taken.
    #[error("no free tuner: {}", Reasons(tuners))]
    AllBusy {
        /// Each tuner with the reason.
        tuners: Vec<(u8, BusyReason)>,
    },
    /// The device has no such tuner.
    #[error("the device at {device} has no tuner {tuner}")]
    NoSuchTuner {
        /// The device.
        device: SocketAddr,
        /// The tuner.
        tuner: u8,
    },
    /// There is no port to receive on.
    #[error("cannot lease a port to receive on")]
    Port(#[source] PortError),
    /// The lock could not be written down.
    #[error("cannot write down the tuner's lock")]
    Journal(#[source] JournalError),
    /// The socket could not be used.
    #[error("cannot use the receiving socket")]
    Socket(#[source] std::io::Error),
    /// The device refuses the channel, the programme or the target.
    #[error("the device refuses {value} as {variable}")]
    Rejected {
        /// The variable, such as `channel`.
        variable: &'static str,
        /// What it should have been set to.
        value: String,
        /// The device's own words.
        source: Box<ControlError>,
    },
    /// There is no signal on the channel.
    #[error("no signal on {channel}: {status}")]
    NoSignal {
        /// The channel.
        channel: String,
        /// What the tuner saw.
        status: TunerStatus,
    },
    /// There is a signal that the tuner cannot hold: too weak, or another modulation.
    #[error("the signal on {channel} cannot be decoded: {status}")]
    NoLock {
        /// The channel.
        channel: String,
        /// What the tuner saw.
        status: TunerStatus,
    },
    /// The tuner holds the signal but sends nothing.
    #[error("the tuner holds {channel} but sends no data within {after:?}: {status}")]
    LockedNoData {
        /// The channel.
        channel: String,
        /// How long was waited.
        after: Duration,
        /// What the tuner saw.
        status: TunerStatus,
    },
    /// The tuner sends, and nothing arrives.
    #[error("{0}")]
    DataBlocked(Box<Blocked>),
}

/// Why a stream ended by itself. Cheap to clone: every reader gets one.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// Someone took the tuner away.
    #[error("the lock of tuner {tuner} was taken over by {owner}")]
    LockLost {
        /// The tuner.
        tuner: u8,
        /// The new holder's address, as the device says.
        owner: String,
    },
    /// The device does not answer any more.
    #[error("the tuner at {device} is gone")]
    DeviceGone {
        /// The device.
        device: SocketAddr,
        /// What happened to the last question.
        source: Arc<ControlError>,
    },
    /// The device refuses to set up the stream anew.
    #[error("the tuner at {device} does not resume the stream")]
    Refused {
        /// The device.
        device: SocketAddr,
        /// Its own words.
        source: Arc<ControlError>,
    },
    /// The device answers, but sends nothing, however often it is asked.
    #[error("no data from the tuner at {device} for {silent:?}")]
    Silent {
        /// The device.
        device: SocketAddr,
        /// For how long.
        silent: Duration,
    },
}
