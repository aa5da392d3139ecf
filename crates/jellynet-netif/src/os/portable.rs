//! Asks `getifaddrs`, where there is no netlink.

use std::io;

use ipnet::IpNet;

use crate::interface::{Interface, InterfaceAddr, InterfaceFlags, InterfaceTable};

/// How software interfaces are called on the systems that do not say what they are.
const VIRTUAL_NAMES: [&str; 14] = [
    "bridge",
    "br-",
    "docker",
    "gif",
    "stf",
    "tailscale",
    "tap",
    "tun",
    "utun",
    "vboxnet",
    "vEthernet",
    "vmnet",
    "wg",
    "zt",
];

pub(super) fn interfaces() -> io::Result<InterfaceTable> {
    let mut interfaces: Vec<Interface> = Vec::new();
    for entry in if_addrs::get_if_addrs()? {
        let Some(index) = entry.index else { continue };
        let address = match &entry.addr {
            if_addrs::IfAddr::V4(v4) => IpNet::new(v4.ip.into(), v4.prefixlen),
            if_addrs::IfAddr::V6(v6) => IpNet::new(v6.ip.into(), v6.prefixlen),
        };
        let Ok(net) = address else { continue };
        let known = interfaces.iter().position(|i| i.index == index);
        let at = known.unwrap_or_else(|| {
            interfaces.push(describe(&entry, index));
            interfaces.len() - 1
        });
        if let Some(interface) = interfaces.get_mut(at) {
            interface.addresses.push(InterfaceAddr::new(net));
        }
    }
    Ok(InterfaceTable::new(interfaces))
}

fn describe(entry: &if_addrs::Interface, index: u32) -> Interface {
    let loopback = entry.is_loopback();
    Interface::new(entry.name.clone(), index).with_flags(InterfaceFlags {
        up: entry.is_oper_up(),
        loopback,
        multicast: !loopback && !entry.is_p2p(),
        point_to_point: entry.is_p2p(),
        r#virtual: VIRTUAL_NAMES.iter().any(|name| entry.name.starts_with(name)),
    })
}
