//! From which networks an address can be reached.

use std::net::IpAddr;

/// A part of the world in which addresses are unique.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// This host, or one link.
    Local,
    /// A site: RFC 1918, RFC 4193.
    Site,
    /// Behind a provider's NAT, and Tailscale's network, which borrows the range (RFC 6598).
    Shared,
    Global,
}

impl Scope {
    fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(v4) => match v4.octets() {
                [127 | 0, ..] | [169, 254, ..] => Self::Local,
                [100, 64..=127, ..] => Self::Shared,
                _ if v4.is_private() => Self::Site,
                _ => Self::Global,
            },
            IpAddr::V6(v6) => match v6.segments() {
                [0xfd7a, 0x115c, 0xa1e0, ..] => Self::Shared,
                _ if v6.is_unique_local() => Self::Site,
                _ if v6.is_unicast_link_local() || v6.is_loopback() || v6.is_unspecified() => {
                    Self::Local
                }
                _ => Self::Global,
            },
        }
    }
}

/// Whether a router can lead from `peer` to `ip`: a global address is reached from everywhere
/// but a single link, another one from its own kind of network alone.
pub(crate) fn reaches(peer: IpAddr, ip: IpAddr) -> bool {
    match (Scope::of(peer), Scope::of(ip)) {
        (_, Scope::Local) | (Scope::Local, _) => false,
        (_, Scope::Global) => true,
        (from, to) => from == to,
    }
}

/// How many leading bits two addresses share (RFC 6724 § 2.2); 0 for different families.
pub(crate) fn common_bits(one: IpAddr, other: IpAddr) -> u8 {
    let bits = match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => (one.to_bits() ^ other.to_bits()).leading_zeros(),
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits() ^ other.to_bits()).leading_zeros(),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => 0,
    };
    u8::try_from(bits).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_networks_reach_their_own_kind_and_the_world() {
        for (peer, ours, expected) in [
            ("10.0.0.1", "192.168.1.1", true),
            ("10.0.0.1", "203.0.113.1", true),
            ("203.0.113.1", "192.168.1.1", false),
            ("100.101.1.1", "192.168.1.1", false),
            ("100.101.1.1", "100.64.0.1", true),
            ("192.168.1.1", "100.64.0.1", false),
            ("2001:db8::1", "fd00::1", false),
            ("fd00::1", "fd11::1", true),
            ("fd7a:115c:a1e0::1", "fd00::1", false),
            ("192.168.1.1", "169.254.1.1", false),
            ("fe80::1", "2001:db8::1", false),
            ("10.0.0.1", "2001:db8::1", true),
        ] {
            let [from, to] = [peer, ours].map(|ip| ip.parse().unwrap());
            assert_eq!(reaches(from, to), expected, "{peer} to {ours}");
        }
    }
}
