//! Finding tuners.
//!
//! 1. Every settled address of every interface that is up asks for itself: a datagram to
//!    255.255.255.255 leaves only by the interface of the address it is sent from.
//! 2. IPv4 asks by broadcast; IPv6 asks `ff02::176` from link-local addresses and `ff05::176`
//!    from wider ones. Loopback and point-to-point links are not asked unless that is wanted.
//! 3. Each question goes out in the old and in the new form, twice, 200 ms apart.
//! 4. Answers are merged by device id; what old firmware leaves out is filled in.

mod device;
mod seeker;
#[cfg(feature = "udp")]
mod shell;
mod target;

pub use self::device::Device;
pub use self::seeker::{SeekConfig, SeekEvent, SeekStats, Seeker};
#[cfg(feature = "udp")]
pub use self::shell::{DiscoverError, Discovery, FindError, discover, find};
pub use self::target::{ParseTargetError, Target};

#[cfg(test)]
mod tests;
