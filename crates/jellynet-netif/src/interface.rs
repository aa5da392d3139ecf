//! Interfaces, their addresses, and what changed between two readings.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};

use ipnet::IpNet;

use crate::addr::unmapped;

/// One network interface as it was when the table was read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Interface {
    /// The kernel's name, such as `eth0`.
    pub name: String,
    /// The kernel's index, 1 or more; unique at one time, reused later.
    pub index: u32,
    /// What the interface is and does.
    pub flags: InterfaceFlags,
    /// Its addresses, in the kernel's order.
    pub addresses: Vec<InterfaceAddr>,
}

/// What an interface is and does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct InterfaceFlags {
    /// Switched on and its link is there: packets can pass.
    pub up: bool,
    /// This host talking to itself.
    pub loopback: bool,
    /// Can send to groups.
    pub multicast: bool,
    /// A link with exactly two ends, such as a VPN.
    pub point_to_point: bool,
    /// Made by software: a container's, a bridge, a VPN.
    pub r#virtual: bool,
}

/// One address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct InterfaceAddr {
    /// The address with the length of its subnet, host bits kept: `192.168.1.10/24`.
    pub net: IpNet,
    /// IPv6 duplicate address detection is still running (RFC 4862 § 5.4): it cannot be bound
    /// yet.
    pub tentative: bool,
    /// An IPv6 privacy address (RFC 8981) or one that is deprecated: it will go away.
    pub temporary: bool,
}

impl InterfaceAddr {
    /// A settled address with the length of its subnet.
    #[must_use]
    pub const fn new(net: IpNet) -> Self {
        Self { net, tentative: false, temporary: false }
    }

    /// The same address, marked as tentative or settled.
    #[must_use]
    pub const fn with_tentative(mut self, tentative: bool) -> Self {
        self.tentative = tentative;
        self
    }

    /// The same address, marked as temporary or lasting.
    #[must_use]
    pub const fn with_temporary(mut self, temporary: bool) -> Self {
        self.temporary = temporary;
        self
    }

    /// The address without its prefix length.
    #[must_use]
    pub const fn ip(&self) -> IpAddr {
        match self.net {
            IpNet::V4(net) => IpAddr::V4(net.addr()),
            IpNet::V6(net) => IpAddr::V6(net.addr()),
        }
    }

    /// Whether `ip` is in the subnet of this address.
    #[must_use]
    pub fn on_link(&self, ip: IpAddr) -> bool {
        self.net.contains(&unmapped(ip))
    }

    /// The subnet's broadcast address; `None` for IPv6 and for IPv4 prefixes of 31 and 32, which
    /// have none (RFC 3021).
    #[must_use]
    pub fn broadcast(&self) -> Option<Ipv4Addr> {
        match self.net {
            IpNet::V4(net) if net.prefix_len() < 31 => Some(net.broadcast()),
            IpNet::V4(_) | IpNet::V6(_) => None,
        }
    }
}

impl Interface {
    /// An interface that is up, can multicast, and has no address yet.
    #[must_use]
    pub fn new(name: impl Into<String>, index: u32) -> Self {
        Self {
            name: name.into(),
            index,
            flags: InterfaceFlags { up: true, multicast: true, ..InterfaceFlags::default() },
            addresses: Vec::new(),
        }
    }

    /// The loopback interface with both of its addresses.
    #[must_use]
    pub fn loopback(index: u32) -> Self {
        let mut lo = Self::new("lo", index);
        lo.flags.loopback = true;
        lo.flags.multicast = false;
        lo.addresses = ["127.0.0.1/8", "::1/128"]
            .iter()
            .filter_map(|net| net.parse().ok())
            .map(InterfaceAddr::new)
            .collect();
        lo
    }

    /// The same interface with one more settled address.
    #[must_use]
    pub fn with_address(mut self, net: IpNet) -> Self {
        self.addresses.push(InterfaceAddr::new(net));
        self
    }

    /// The same interface with other flags.
    #[must_use]
    pub const fn with_flags(mut self, flags: InterfaceFlags) -> Self {
        self.flags = flags;
        self
    }

    /// The address of this interface from which `peer` is answered: the one whose subnet holds
    /// the peer (longest prefix), else a settled one of the same family, lasting and of wider
    /// scope before temporary and link-local. A tentative address is never chosen, nor another
    /// family's.
    #[must_use]
    pub fn address_towards(&self, peer: IpAddr) -> Option<IpAddr> {
        let peer = unmapped(peer);
        self.addresses
            .iter()
            .filter(|a| !a.tentative && a.ip().is_ipv4() == peer.is_ipv4())
            .max_by_key(|a| {
                let on_link = a.on_link(peer).then(|| a.net.prefix_len());
                // Equal rank: the kernel's first, because `max_by_key` keeps the last.
                (on_link, !is_link_local(a.ip()), !a.temporary, std::cmp::Reverse(self.rank(a)))
            })
            .map(InterfaceAddr::ip)
    }

    fn rank(&self, address: &InterfaceAddr) -> usize {
        self.addresses.iter().position(|a| a == address).unwrap_or(usize::MAX)
    }
}

/// Whether the address is valid on one link only: 169.254.0.0/16 (RFC 3927) or fe80::/10
/// (RFC 4291 § 2.5.6).
const fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// All interfaces of a host at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(transparent))]
pub struct InterfaceTable {
    interfaces: Vec<Interface>,
}

impl InterfaceTable {
    /// A table of these interfaces, ordered by index.
    #[must_use]
    pub fn new(interfaces: impl IntoIterator<Item = Interface>) -> Self {
        let mut interfaces: Vec<_> = interfaces.into_iter().collect();
        interfaces.sort_by_key(|i| i.index);
        Self { interfaces }
    }

    /// All interfaces, by index.
    pub fn iter(&self) -> std::slice::Iter<'_, Interface> {
        self.interfaces.iter()
    }

    /// Whether there is no interface at all.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.interfaces.is_empty()
    }

    /// The interface with this index.
    #[must_use]
    pub fn by_index(&self, index: u32) -> Option<&Interface> {
        self.interfaces.iter().find(|i| i.index == index)
    }

    /// The interface with this name; letter case counts, as for the kernel.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<&Interface> {
        self.interfaces.iter().find(|i| i.name == name)
    }

    /// Every address with its interface.
    pub fn addresses(&self) -> impl Iterator<Item = (&Interface, &InterfaceAddr)> {
        self.interfaces.iter().flat_map(|i| i.addresses.iter().map(move |a| (i, a)))
    }

    /// The interface that has exactly this address.
    #[must_use]
    pub fn holding(&self, ip: IpAddr) -> Option<&Interface> {
        let ip = unmapped(ip);
        self.addresses().find(|(_, a)| a.ip() == ip).map(|(i, _)| i)
    }

    /// The address whose subnet holds `ip`, with its interface: the longest prefix, then the
    /// lowest index. Interfaces that are down do not count.
    #[must_use]
    pub fn on_link(&self, ip: IpAddr) -> Option<(&Interface, &InterfaceAddr)> {
        let ip = unmapped(ip);
        self.addresses()
            .filter(|(i, a)| i.flags.up && a.on_link(ip))
            .max_by_key(|(i, a)| (a.net.prefix_len(), std::cmp::Reverse(i.index)))
    }

    /// Whether a datagram from `source` that came in by the interface `index` can be from that
    /// link: the source is in a subnet of the interface, or link-local, or one of this host's own
    /// addresses (which arrive by whatever interface they were sent to).
    ///
    /// Unspecified, broadcast and multicast sources and port 0 are from nobody.
    #[must_use]
    pub fn is_on_link(&self, index: u32, source: SocketAddr) -> bool {
        let ip = unmapped(source.ip());
        if source.port() == 0 || ip.is_unspecified() || ip.is_multicast() || is_broadcast(ip) {
            return false;
        }
        if self.holding(ip).is_some() {
            return true;
        }
        let Some(interface) = self.by_index(index) else {
            return false;
        };
        let subnets = interface.addresses.iter().filter(|a| a.on_link(ip));
        let mut subnets = subnets.peekable();
        if subnets.peek().is_none() {
            return is_link_local(ip) && ip.is_ipv6();
        }
        // The subnet's own broadcast address is no host.
        !subnets.any(|a| a.broadcast().map(IpAddr::V4) == Some(ip))
    }

    /// The socket address for `ip` as a destination: a link-local IPv6 address gets the scope id
    /// of the interface `index`.
    #[must_use]
    pub const fn scoped(ip: IpAddr, port: u16, index: u32) -> SocketAddr {
        match ip {
            IpAddr::V6(v6) if v6.is_unicast_link_local() || v6.is_multicast() => {
                SocketAddr::V6(SocketAddrV6::new(v6, port, 0, index))
            }
            IpAddr::V4(_) | IpAddr::V6(_) => SocketAddr::new(ip, port),
        }
    }
}

const fn is_broadcast(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V4(v4) if v4.is_broadcast())
}

impl<'a> IntoIterator for &'a InterfaceTable {
    type Item = &'a Interface;
    type IntoIter = std::slice::Iter<'a, Interface>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl FromIterator<Interface> for InterfaceTable {
    fn from_iter<T: IntoIterator<Item = Interface>>(interfaces: T) -> Self {
        Self::new(interfaces)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn two_lans() -> InterfaceTable {
        InterfaceTable::new([
            Interface::new("eth1", 3).with_address(net("10.77.2.1/24")),
            Interface::loopback(1),
            Interface::new("eth0", 2)
                .with_address(net("fe80::1/64"))
                .with_address(net("10.77.1.1/24"))
                .with_address(net("10.77.1.9/16"))
                .with_address(net("fd77:1::1/64")),
        ])
    }

    #[test]
    fn the_longest_prefix_holds_an_address() {
        let table = two_lans();
        let (interface, address) = table.on_link(ip("10.77.1.50")).unwrap();
        assert_eq!((interface.name.as_str(), address.net), ("eth0", net("10.77.1.1/24")));
        assert_eq!(table.on_link(ip("10.77.9.9")).unwrap().1.net, net("10.77.1.9/16"));
        assert!(table.on_link(ip("192.0.2.1")).is_none());
    }

    #[test]
    fn an_answer_leaves_from_the_peers_subnet_and_family() {
        let table = two_lans();
        let eth0 = table.by_name("eth0").unwrap();
        for (peer, expected) in [
            ("10.77.1.2", Some("10.77.1.1")),
            ("10.77.3.2", Some("10.77.1.9")),
            ("::ffff:10.77.1.2", Some("10.77.1.1")),
            ("192.0.2.1", Some("10.77.1.1")),
            ("fe80::2", Some("fe80::1")),
            ("2001:db8::2", Some("fd77:1::1")),
        ] {
            assert_eq!(eth0.address_towards(ip(peer)), expected.map(ip), "{peer}");
        }
        assert_eq!(table.by_name("eth1").unwrap().address_towards(ip("fe80::2")), None);
    }

    #[test]
    fn sources_that_cannot_be_on_the_link_are_refused() {
        let table = two_lans();
        for (index, source, expected, why) in [
            (2, "10.77.1.50:7359", true, "in the subnet"),
            (2, "10.77.1.50:0", false, "port 0"),
            (3, "10.77.1.50:7359", false, "in another interface's subnet"),
            (2, "10.77.255.255:9", false, "the subnet's broadcast address"),
            (2, "192.0.2.1:9", false, "nowhere near"),
            (2, "[fe80::9%2]:9", true, "link-local"),
            (3, "[fe80::9%3]:9", true, "link-local needs no address of ours"),
            (2, "10.77.2.1:9", true, "this host's own"),
            (2, "0.0.0.0:9", false, "unspecified"),
            (2, "255.255.255.255:9", false, "broadcast"),
            (2, "239.255.255.250:9", false, "a group"),
            (9, "10.77.1.50:9", false, "no such interface"),
        ] {
            assert_eq!(table.is_on_link(index, source.parse().unwrap()), expected, "{why}");
        }
    }
}
