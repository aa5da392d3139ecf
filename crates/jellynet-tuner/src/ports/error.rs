//! Why there is no port.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use super::holders::PortHolder;

/// Why no port was leased.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PortError {
    /// Every port of the range is taken.
    #[error(
        "no free UDP port in {}-{} at {at}: {ours} in use by this program, {others} by others, \
         {denied} refused by the system{}",
        range.start(), range.end(), Listed(sample)
    )]
    Exhausted {
        /// The range.
        range: RangeInclusive<u16>,
        /// The address.
        at: IpAddr,
        /// How many ports were tried.
        tried: usize,
        /// How many are leased to streams of this program.
        ours: usize,
        /// How many other programs hold.
        others: usize,
        /// How many the system refuses to everyone.
        denied: usize,
        /// Who holds the first sixteen.
        sample: Vec<PortHolder>,
    },
    /// This host has no route to the device.
    #[error("no route to {device}")]
    NoRoute {
        /// The device.
        device: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// This host does not have the address.
    #[error("not an address of this host: {at}")]
    NotLocal {
        /// The address.
        at: IpAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Anything else.
    #[error("cannot {operation} at {at}")]
    Os {
        /// What was attempted.
        operation: &'static str,
        /// The address and port.
        at: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

struct Listed<'a>(&'a [PortHolder]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, holder) in self.0.iter().enumerate() {
            let separator = if n == 0 { ": " } else { ", " };
            write!(f, "{separator}{holder}")?;
        }
        Ok(())
    }
}
