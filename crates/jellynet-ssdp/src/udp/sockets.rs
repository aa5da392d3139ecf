//! Which sockets the engines need.

use jellynet_netif::{Families as UdpFamilies, Interface, UdpConfig};

use crate::link::{Families, GROUP_V4, GROUP_V6_LINK, GROUP_V6_SITE, InterfaceFilter, PORT};

/// How many routers an announcement may pass, plus one (UPnP Device Architecture 2.0 § 1.1).
pub(super) const DEFAULT_HOPS: u8 = 2;

/// Port 1900 with the groups, and an ephemeral port per address.
pub(super) fn ssdp(families: Families, filter: &InterfaceFilter, hops: u8) -> UdpConfig {
    with_interfaces(UdpConfig::listen(PORT), families, filter)
        .with_group(GROUP_V4)
        .with_group(GROUP_V6_LINK)
        .with_group(GROUP_V6_SITE)
        .with_multicast_hops(hops)
        .with_announcing()
}

/// Those families and interfaces. Loopback is always heard: by it comes what this host sends to
/// its own addresses.
pub(super) fn with_interfaces(
    config: UdpConfig,
    families: Families,
    filter: &InterfaceFilter,
) -> UdpConfig {
    let filter = filter.clone();
    let uses = move |i: &Interface| i.flags.loopback || filter.accepts(i);
    let families = match (families.v4, families.v6) {
        (_, false) => UdpFamilies::V4,
        (false, true) => UdpFamilies::V6,
        (true, true) => UdpFamilies::Both,
    };
    config.with_families(families).with_interfaces(uses)
}
