//! The sockets under an engine: what is wanted, what is open, what failed and why.

mod config;
#[cfg(target_os = "linux")]
mod pktinfo;
mod plan;
mod receive;
mod send;
mod set;
mod socket;
mod status;

pub use self::config::{Families, Sharing, UdpConfig};
pub(crate) use self::receive::Buffers;
pub(crate) use self::set::UdpSet;
pub(crate) use self::status::Counters;
pub use self::status::{
    Membership, SendFailures, SocketRole, SocketState, UdpCounters, UdpSocketStatus, UdpStatus,
};
