//! Where this host speaks SSDP: the groups, and by which interface and address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use jellynet_netif::{Interface, InterfaceAddr, InterfaceTable};

use crate::message::FieldValue;

/// The port of SSDP.
pub const PORT: u16 = 1900;

/// The SSDP group of IPv4.
pub const GROUP_V4: Ipv4Addr = Ipv4Addr::new(239, 255, 255, 250);

/// The SSDP group of IPv6 for one link (UPnP Device Architecture 2.0 Annex A).
pub const GROUP_V6_LINK: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x0c);

/// The SSDP group of IPv6 for one site (UPnP Device Architecture 2.0 Annex A).
pub const GROUP_V6_SITE: Ipv6Addr = Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 0, 0x0c);

/// The most links that are used at once; a host with more networks than this is a router.
pub(crate) const MAX_LINKS: usize = 64;

/// Which families are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Families {
    /// IPv4.
    pub v4: bool,
    /// IPv6, on both groups.
    pub v6: bool,
}

impl Default for Families {
    fn default() -> Self {
        Self { v4: true, v6: true }
    }
}

/// Says which interfaces are used.
///
/// Interfaces that are down or cannot multicast are never used.
#[derive(Clone)]
pub struct InterfaceFilter(Arc<dyn Fn(&Interface) -> bool + Send + Sync>);

impl InterfaceFilter {
    /// Uses the interfaces that `filter` accepts.
    #[must_use]
    pub fn new(filter: impl Fn(&Interface) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(filter))
    }

    pub(crate) fn accepts(&self, interface: &Interface) -> bool {
        interface.flags.up && interface.flags.multicast && (self.0)(interface)
    }
}

impl Default for InterfaceFilter {
    /// Every interface but loopback and those with two ends, such as a VPN: groups do not belong
    /// there.
    fn default() -> Self {
        Self::new(|i| !i.flags.loopback && !i.flags.point_to_point)
    }
}

impl std::fmt::Debug for InterfaceFilter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InterfaceFilter(..)")
    }
}

/// One of the three groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Group {
    V4,
    V6Link,
    V6Site,
}

impl Group {
    pub(crate) const fn ip(self) -> IpAddr {
        match self {
            Self::V4 => IpAddr::V4(GROUP_V4),
            Self::V6Link => IpAddr::V6(GROUP_V6_LINK),
            Self::V6Site => IpAddr::V6(GROUP_V6_SITE),
        }
    }

    /// The value of `HOST` for this group.
    pub(crate) const fn host(self) -> FieldValue<'static> {
        FieldValue::trusted(match self {
            Self::V4 => "239.255.255.250:1900",
            Self::V6Link => "[FF02::C]:1900",
            Self::V6Site => "[FF05::C]:1900",
        })
    }
}

/// A way to a group: by one interface, from one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Link {
    pub(crate) interface: u32,
    pub(crate) group: Group,
    /// The address that datagrams leave from.
    pub(crate) source: IpAddr,
    /// The address under which others reach this host here: of the same family, of wider scope
    /// than `source` where there is one.
    pub(crate) address: IpAddr,
}

impl Link {
    pub(crate) const fn destination(&self) -> SocketAddr {
        InterfaceTable::scoped(self.group.ip(), PORT, self.interface)
    }
}

/// The links of a host: each subnet of each interface for IPv4 and for the site group of IPv6,
/// each interface for the link group of IPv6. Uses no more than [`MAX_LINKS`] of them.
pub(crate) fn links(
    table: &InterfaceTable,
    families: Families,
    filter: &InterfaceFilter,
    link_local_locations: bool,
) -> Vec<Link> {
    let mut all = Vec::new();
    for interface in table.iter().filter(|i| filter.accepts(i)) {
        if families.v4 {
            let subnets = subnets(interface, |ip| ip.is_ipv4()).into_iter();
            all.extend(subnets.map(|ip| link(interface, Group::V4, ip, ip)));
        }
        if families.v6 {
            let routable = subnets(interface, is_routable_v6);
            let local = subnets(interface, is_link_local_v6).first().copied();
            let shown = routable.first().copied().filter(|_| !link_local_locations);
            all.extend(local.map(|ip| link(interface, Group::V6Link, ip, shown.unwrap_or(ip))));
            all.extend(routable.into_iter().map(|ip| link(interface, Group::V6Site, ip, ip)));
        }
    }
    all
}

const fn link(interface: &Interface, group: Group, source: IpAddr, address: IpAddr) -> Link {
    Link { interface: interface.index, group, source, address }
}

/// The first lasting and settled address of each subnet that `wanted` accepts.
fn subnets(interface: &Interface, wanted: impl Fn(IpAddr) -> bool) -> Vec<IpAddr> {
    let mut firsts: Vec<&InterfaceAddr> = Vec::new();
    for address in &interface.addresses {
        let usable = !address.tentative && !address.temporary && wanted(address.ip());
        let same = |first: &&InterfaceAddr| first.net.trunc() == address.net.trunc();
        if usable && !firsts.iter().any(same) {
            firsts.push(address);
        }
    }
    firsts.into_iter().map(InterfaceAddr::ip).collect()
}

const fn is_link_local_v6(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

const fn is_routable_v6(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(v6)
        if !v6.is_unicast_link_local() && !v6.is_loopback() && !v6.is_unspecified())
}
