//! Hosts to ask about.

use jellynet_netif::{Interface, InterfaceAddr, InterfaceFlags, InterfaceTable};
use jellynet_published::{Listener, Published, PublishedConfig};

pub(crate) fn interface(name: &str, index: u32, nets: &[&str]) -> Interface {
    let nets = nets.iter().map(|net| net.parse().unwrap());
    nets.fold(Interface::new(name, index), Interface::with_address)
}

pub(crate) fn software(mut interface: Interface) -> Interface {
    interface.flags.r#virtual = true;
    interface
}

pub(crate) fn tunnel(interface: Interface) -> Interface {
    let mut flags = InterfaceFlags::default();
    (flags.up, flags.point_to_point, flags.r#virtual) = (true, true, true);
    interface.with_flags(flags)
}

/// Two LANs, a bridge for containers, a tunnel, and addresses that cannot be used.
pub(crate) fn house() -> InterfaceTable {
    let mut eth0 = interface(
        "eth0",
        2,
        &["192.168.1.10/24", "2001:db8:1::10/64", "fd00:1::10/64", "fe80::10/64"],
    );
    let later = InterfaceAddr::new("192.168.1.11/25".parse().unwrap()).with_tentative(true);
    eth0.addresses.push(later);
    let mut eth2 = interface("eth2", 7, &["192.168.9.10/24"]);
    eth2.flags.up = false;
    InterfaceTable::new([
        Interface::loopback(1),
        eth0,
        interface("eth1", 3, &["10.20.0.10/16", "169.254.7.7/16"]),
        software(interface("docker0", 4, &["172.17.0.1/16", "fd17::1/64"])),
        tunnel(interface("tailscale0", 5, &["100.101.1.1/32"])),
        eth2,
    ])
}

/// A container on a bridge network: all that it has is inside.
pub(crate) fn container() -> InterfaceTable {
    InterfaceTable::new([
        Interface::loopback(1),
        software(interface("eth0", 2, &["172.18.0.2/16"])),
    ])
}

/// A rented server with a public address.
pub(crate) fn rented() -> InterfaceTable {
    InterfaceTable::new([
        Interface::loopback(1),
        interface("eth0", 2, &["203.0.113.10/24", "2001:db8:9::10/64", "fe80::1/64"]),
        interface("eth1", 3, &["10.0.0.10/24"]),
    ])
}

pub(crate) fn everywhere() -> Vec<Listener> {
    ["0.0.0.0:8096", "[::]:8096"]
        .iter()
        .map(|address| Listener::http(address.parse().unwrap()))
        .collect()
}

pub(crate) fn published(overrides: &[&str]) -> Published {
    let mut config = PublishedConfig::default();
    config.overrides = overrides.iter().map(ToString::to_string).collect();
    Published::new(config).unwrap()
}
