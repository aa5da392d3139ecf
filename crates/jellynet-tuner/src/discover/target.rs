//! Who is sought.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::device_id::{DeviceId, ParseDeviceIdError};

/// Who is sought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// Every tuner on every link.
    All,
    /// The device with this id, on every link.
    Device(DeviceId),
    /// Whoever is at this address, on the link or behind routers.
    Host(IpAddr),
}

/// Why a text names no device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseTargetError {
    /// It is neither an address nor an id.
    #[error("write an address, such as 192.168.1.5, or the eight digits of a device id: {text}")]
    Form {
        /// What was given.
        text: String,
    },
    /// It is an id with a mistake.
    #[error("no device has this id")]
    Id(#[source] ParseDeviceIdError),
}

/// An address or a device id.
impl FromStr for Target {
    type Err = ParseTargetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // An address of one link is asked for on every link that has it.
        let address = text.trim_matches(['[', ']']);
        let address = address.split_once('%').map_or(address, |(address, _)| address);
        if let Ok(address) = address.parse() {
            return Ok(Self::Host(address));
        }
        text.parse().map(Self::Device).map_err(|error| match error {
            ParseDeviceIdError::Digits { text } => ParseTargetError::Form { text },
            checksum => ParseTargetError::Id(checksum),
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("any device"),
            Self::Device(id) => write!(f, "device {id}"),
            Self::Host(address) => write!(f, "the device at {address}"),
        }
    }
}
