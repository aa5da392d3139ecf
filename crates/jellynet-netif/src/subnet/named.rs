//! Sets of subnets that have a name.

use std::fmt;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{Ipv4Addr, Ipv6Addr};

/// A set of subnets that an entry can name instead of listing it.
///
/// None of them is ever implied: 100.64.0.0/10 is not part of [`Private`](Self::Private), because
/// behind a provider's NAT these are strangers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NamedSubnets {
    /// `private`: Jellyfin's default LAN. Loopback, RFC 1918, and IPv6 link-local and unique
    /// local addresses (RFC 4193); not 169.254.0.0/16.
    Private,
    /// `tailscale`: 100.64.0.0/10 and fd7a:115c:a1e0::/48.
    Tailscale,
    /// `cgnat`: 100.64.0.0/10, addresses shared behind a provider's NAT (RFC 6598).
    Cgnat,
    /// `link-local`: 169.254.0.0/16 (RFC 3927) and fe80::/10 (RFC 4291 § 2.5.6).
    LinkLocal,
    /// `loopback`: 127.0.0.0/8 and ::1.
    Loopback,
}

const LOOPBACK_V4: IpNet = v4([127, 0, 0, 0], 8);
const LOOPBACK_V6: IpNet = v6([0, 0, 0, 0, 0, 0, 0, 1], 128);
const LINK_LOCAL_V6: IpNet = v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10);
const SHARED: IpNet = v4([100, 64, 0, 0], 10);

impl NamedSubnets {
    /// Every named set.
    pub const ALL: [Self; 5] =
        [Self::Private, Self::Tailscale, Self::Cgnat, Self::LinkLocal, Self::Loopback];

    /// The name as an entry writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Tailscale => "tailscale",
            Self::Cgnat => "cgnat",
            Self::LinkLocal => "link-local",
            Self::Loopback => "loopback",
        }
    }

    /// The set with this name, letter case ignored.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|named| named.name().eq_ignore_ascii_case(name))
    }

    /// The subnets it stands for.
    #[must_use]
    pub fn subnets(self) -> impl ExactSizeIterator<Item = IpNet> {
        let subnets: &'static [IpNet] = match self {
            Self::Private => &[
                LOOPBACK_V4,
                const { v4([10, 0, 0, 0], 8) },
                const { v4([172, 16, 0, 0], 12) },
                const { v4([192, 168, 0, 0], 16) },
                LOOPBACK_V6,
                LINK_LOCAL_V6,
                const { v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7) },
            ],
            Self::Tailscale => &[SHARED, const { v6([0xfd7a, 0x115c, 0xa1e0, 0, 0, 0, 0, 0], 48) }],
            Self::Cgnat => &[SHARED],
            Self::LinkLocal => &[const { v4([169, 254, 0, 0], 16) }, LINK_LOCAL_V6],
            Self::Loopback => &[LOOPBACK_V4, LOOPBACK_V6],
        };
        subnets.iter().copied()
    }
}

impl fmt::Display for NamedSubnets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

const fn v4(octets: [u8; 4], prefix_len: u8) -> IpNet {
    let [a, b, c, d] = octets;
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix_len))
}

const fn v6(groups: [u16; 8], prefix_len: u8) -> IpNet {
    let [a, b, c, d, e, f, g, h] = groups;
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), prefix_len))
}
