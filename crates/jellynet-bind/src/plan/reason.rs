//! What a listener waits for.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::Presence;

/// What a listener waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitReason {
    /// No interface has this name.
    NoInterface {
        /// The name.
        interface: String,
    },
    /// The interface has no address yet.
    NoAddress {
        /// The name.
        interface: String,
    },
    /// No interface has this address.
    AddressMissing {
        /// The address.
        addr: SocketAddr,
        /// This host's addresses of the same family, the most similar first; at most three.
        nearest: Vec<IpAddr>,
    },
    /// Duplicate address detection still runs on it.
    AddressTentative {
        /// The address.
        addr: SocketAddr,
        /// The interface that has it.
        interface: String,
    },
}

impl Presence {
    /// What a socket at `addr` waits for; `None` when it should be there.
    #[must_use]
    pub fn wait_reason(&self, addr: SocketAddr) -> Option<WaitReason> {
        match self {
            Self::Here => None,
            Self::Tentative { interface } => {
                Some(WaitReason::AddressTentative { addr, interface: interface.clone() })
            }
            Self::Missing { nearest } => {
                Some(WaitReason::AddressMissing { addr, nearest: nearest.clone() })
            }
        }
    }
}

impl fmt::Display for WaitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoInterface { interface } => {
                write!(f, "interface {interface} is not there yet")
            }
            Self::NoAddress { interface } => {
                write!(f, "interface {interface} has no address yet")
            }
            Self::AddressMissing { addr, nearest } => {
                write!(f, "no interface has the address {} yet", addr.ip())?;
                write_nearest(f, nearest)
            }
            Self::AddressTentative { addr, interface } => write!(
                f,
                "interface {interface} is still checking that nobody else has {}",
                addr.ip()
            ),
        }
    }
}

/// Writes ` (this host has …)`.
fn write_nearest(f: &mut fmt::Formatter<'_>, nearest: &[IpAddr]) -> fmt::Result {
    for (n, ip) in nearest.iter().enumerate() {
        let before = if n == 0 { " (this host has " } else { ", " };
        write!(f, "{before}{ip}")?;
    }
    if nearest.is_empty() { Ok(()) } else { f.write_str(")") }
}
