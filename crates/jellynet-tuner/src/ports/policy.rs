//! Which ports, in which order, at which address.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

/// Which ports may be leased, and how.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PortPolicy {
    /// The ports. Default: 49152–65535, as Jellyfin; for a firewall or a container a small range
    /// such as 61000–61015, which Linux never uses for outgoing connections.
    pub range: RangeInclusive<u16>,
    /// Where the search begins. Default: [`Order::RandomStart`].
    pub order: Order,
    /// Ports of the range that are never used. Default: none.
    pub skip: Vec<u16>,
    /// How long a released port rests. Default: 2 s.
    pub quarantine: Duration,
    /// The address that devices are told to send to, where it is not the local one: behind NAT
    /// or in a container with published ports. Default: `None`, the local one.
    pub advertise: Option<IpAddr>,
}

impl Default for PortPolicy {
    fn default() -> Self {
        Self {
            range: 49152..=65535,
            order: Order::RandomStart,
            skip: Vec::new(),
            quarantine: Duration::from_secs(2),
            advertise: None,
        }
    }
}

impl PortPolicy {
    /// The defaults with this range.
    #[must_use]
    pub fn in_range(range: RangeInclusive<u16>) -> Self {
        Self { range, ..Self::default() }
    }
}

/// Why a text is no range of ports.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write a first and a last port from 1 to 65535, such as 61000-61015")]
#[non_exhaustive]
pub struct ParseRangeError {
    /// What was given.
    pub text: String,
}

/// Reads a range of ports, such as `61000-61015`; both ends belong to it.
///
/// # Errors
///
/// [`ParseRangeError`] when it is none, or empty.
pub fn parse_range(text: &str) -> Result<RangeInclusive<u16>, ParseRangeError> {
    let port = |text: &str| text.trim().parse().ok().filter(|port| *port > 0);
    let ends = text.split_once('-').and_then(|(first, last)| Some((port(first)?, port(last)?)));
    let range = ends.filter(|(first, last)| first <= last).map(|(first, last)| first..=last);
    range.ok_or_else(|| ParseRangeError { text: text.to_owned() })
}

/// Where the search for a port begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Order {
    /// At a random port of the range, then upwards and around.
    #[default]
    RandomStart,
    /// At the first port of the range.
    Sequential,
    /// Nowhere: the system picks, and the range is ignored.
    System,
}

/// At which local address to receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BindAt {
    /// The address from which this host reaches the device, by its routing table.
    Towards(SocketAddr),
    /// This address.
    Exact(IpAddr),
    /// Every IPv4 address: where the address may change while a stream runs.
    AnyV4,
    /// Every IPv6 address.
    AnyV6,
}

/// A sequence of random numbers from a seed (SplitMix64); enough to spread ports and lock keys.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) const fn next_u32(&mut self) -> u32 {
        let [a, b, c, d, ..] = self.next().to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }
}

/// The ports of a policy, each once, in the order in which they are tried.
pub(super) fn candidates(policy: &PortPolicy, random: u32) -> impl Iterator<Item = u16> {
    let first = u32::from(*policy.range.start());
    let count = (u32::from(*policy.range.end()) + 1).saturating_sub(first);
    let start = match policy.order {
        Order::RandomStart => random % count.max(1),
        Order::Sequential | Order::System => 0,
    };
    (0..count)
        .filter_map(move |n| u16::try_from(first + (start + n) % count).ok())
        .filter(|port| *port != 0 && !policy.skip.contains(port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_two_ends_in_order() {
        assert_eq!(parse_range("61000-61015"), Ok(61000..=61015));
        assert_eq!(parse_range("5-5"), Ok(5..=5));
        for text in ["", "61000", "0-5", "9-3", "1-65536", "a-b", "1-2-3"] {
            assert_eq!(parse_range(text), Err(ParseRangeError { text: text.into() }));
        }
    }

    #[test]
    fn every_port_is_tried_once_wherever_the_search_begins() {
        let mut policy = PortPolicy::in_range(61000..=61003);
        policy.skip = vec![61001];
        for random in [0, 1, 2, 3, u32::MAX] {
            let mut ports: Vec<_> = candidates(&policy, random).collect();
            ports.sort_unstable();
            assert_eq!(ports, [61000, 61002, 61003]);
        }
        assert_eq!(candidates(&policy, 2).next(), Some(61002));
        policy.order = Order::Sequential;
        assert_eq!(candidates(&policy, 7).next(), Some(61000));
        let low: Vec<_> = candidates(&PortPolicy::in_range(0..=1), 0).collect();
        assert_eq!(low, [1], "port 0 is no port");
        assert_eq!(candidates(&PortPolicy::default(), 9).count(), 16384);
        #[expect(clippy::reversed_empty_ranges, reason = "a range without ports")]
        let none = PortPolicy::in_range(2..=1);
        assert_eq!(candidates(&none, 9).count(), 0);
    }

    #[test]
    fn the_same_seed_gives_the_same_sequence() {
        let take = |seed| {
            let mut random = Random::new(seed);
            [random.next(), random.next()]
        };
        assert_eq!(take(1), take(1));
        assert_ne!(take(1), take(2));
        // The reference value of the algorithm.
        assert_eq!(Random::new(0).next(), 0xE220_A839_7B1D_CDAF);
    }
}
