//! Which sockets and memberships a configuration asks for on a host as it is now.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::config::{Sharing, UdpConfig};
use super::status::SocketRole;
use crate::interface::{Interface, InterfaceTable};

/// Sockets and memberships that should exist.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) sockets: BTreeSet<SocketRole>,
    /// Group and interface index, the most wanted first: Linux lets a socket join 20 groups
    /// (`net.ipv4.igmp_max_memberships`), and a container host has more bridges than that.
    pub(super) memberships: Vec<(IpAddr, u32)>,
    /// Interfaces whose datagrams are heard.
    pub(super) interfaces: BTreeSet<u32>,
}

pub(super) fn plan(config: &UdpConfig, table: &InterfaceTable) -> Plan {
    let mut used: Vec<&Interface> = table.iter().filter(|i| config.uses(i)).collect();
    let mut sockets = listening(config);
    for interface in used.iter().filter(|i| i.flags.up) {
        for ip in settled(config, interface) {
            let index = interface.index;
            if config.announcing {
                sockets.insert(SocketRole::Announce { ip, index });
            }
            if config.unicast && config.port.is_some() && config.sharing == Sharing::Shared {
                sockets.insert(SocketRole::Unicast { ip, index });
            }
        }
    }
    let interfaces = used.iter().map(|i| i.index).collect();
    used.sort_by_key(|i| (i.flags.loopback, i.flags.r#virtual, i.index));
    let memberships = config.port.map(|_| memberships(config, &used));
    Plan { sockets, memberships: memberships.unwrap_or_default(), interfaces }
}

fn listening(config: &UdpConfig) -> BTreeSet<SocketRole> {
    const WILDCARDS: [IpAddr; 2] =
        [IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED)];
    let wildcards = WILDCARDS.iter().filter(|ip| config.families.has(**ip));
    let wildcards = wildcards.filter(|_| config.port.is_some());
    wildcards.map(|ip| SocketRole::Listen { ip: *ip }).collect()
}

fn settled<'a>(
    config: &'a UdpConfig,
    interface: &'a Interface,
) -> impl Iterator<Item = IpAddr> + 'a {
    let settled = interface.addresses.iter().filter(|a| !a.tentative);
    settled.map(|a| a.ip()).filter(|ip| config.families.has(*ip))
}

/// A group is joined where this host has an address of its family to answer from.
fn memberships(config: &UdpConfig, used: &[&Interface]) -> Vec<(IpAddr, u32)> {
    let mut memberships = Vec::new();
    for interface in used.iter().filter(|i| i.flags.up && i.flags.multicast) {
        let groups = config
            .groups
            .iter()
            .filter(|group| settled(config, interface).any(|ip| ip.is_ipv4() == group.is_ipv4()));
        memberships.extend(groups.map(|group| (*group, interface.index)));
    }
    memberships
}

#[cfg(test)]
mod tests {
    use crate::interface::{InterfaceAddr, InterfaceFlags};

    use super::*;

    fn host() -> InterfaceTable {
        let docker = InterfaceFlags {
            up: true,
            multicast: true,
            r#virtual: true,
            ..InterfaceFlags::default()
        };
        let mut eth0 = Interface::new("eth0", 7).with_address("10.0.0.1/24".parse().unwrap());
        let fresh = InterfaceAddr::new("fd77::1/64".parse().unwrap());
        eth0.addresses.push(fresh.with_tentative(true));
        InterfaceTable::new([
            Interface::loopback(1),
            Interface::new("docker0", 3)
                .with_flags(docker)
                .with_address("172.17.0.1/16".parse().unwrap()),
            eth0,
            Interface::new("eth1", 8)
                .with_flags(InterfaceFlags::default())
                .with_address("10.0.1.1/24".parse().unwrap()),
        ])
    }

    fn ssdp() -> UdpConfig {
        UdpConfig::listen(1900)
            .with_ipv6()
            .with_group([239, 255, 255, 250])
            .with_group("ff02::c".parse::<IpAddr>().unwrap())
            .with_announcing()
    }

    #[test]
    fn hardware_joins_before_software_and_a_tentative_address_waits() {
        let group: IpAddr = "239.255.255.250".parse().unwrap();
        let plan = plan(&ssdp(), &host());
        assert_eq!(plan.memberships, [(group, 7), (group, 3)]);
        let announcing: Vec<_> = plan
            .sockets
            .iter()
            .filter_map(|role| match role {
                SocketRole::Announce { ip, .. } => Some(ip.to_string()),
                SocketRole::Listen { .. } | SocketRole::Unicast { .. } => None,
            })
            .collect();
        assert_eq!(announcing, ["10.0.0.1", "127.0.0.1", "172.17.0.1", "::1"]);
    }

    #[test]
    fn a_filter_keeps_an_interface_out_of_everything() {
        let config = ssdp().with_interfaces(|i| !i.flags.r#virtual && !i.flags.loopback);
        let plan = plan(&config, &host());
        assert!(plan.memberships.iter().all(|(_, index)| *index == 7));
        assert_eq!(plan.interfaces, BTreeSet::from([7, 8]));
        assert_eq!(plan.sockets.len(), 3, "two listening, one announcing");
    }

    #[test]
    fn unicast_sockets_need_a_shared_port() {
        let unicast = |config: UdpConfig| {
            let plan = plan(&config.with_unicast_sockets(), &host());
            let unicast = |role: &&SocketRole| matches!(role, SocketRole::Unicast { .. });
            plan.sockets.iter().filter(unicast).count()
        };
        assert_eq!(unicast(UdpConfig::listen(1900)), 3);
        assert_eq!(unicast(UdpConfig::announce()), 0);
        let exclusive = UdpConfig::listen(1900).with_sharing(Sharing::Exclusive);
        assert_eq!(unicast(exclusive), 0);
    }
}
