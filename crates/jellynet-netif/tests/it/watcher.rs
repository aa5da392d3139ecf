//! Real interfaces that come, go and change, in network namespaces.

use std::time::Duration;

use jellynet_netif::{Change, Interfaces};
use jellynet_test::netns::Namespace;
use tokio::time::timeout;

use crate::lans::inside;

/// What the user is promised.
const SOON: Duration = Duration::from_secs(2);

/// Waits for a change, for as long as was promised.
async fn until(interfaces: &mut Interfaces, wanted: impl Fn(&Change) -> bool) {
    let change =
        async { while !interfaces.changed().await.unwrap().changes.iter().any(&wanted) {} };
    timeout(SOON, change).await.unwrap();
}

#[test]
fn an_address_is_seen_when_it_comes_and_when_it_goes() {
    let Some(host) = Namespace::new("jellynet-netif") else {
        return;
    };
    let Some(peer) = Namespace::new("jellynet-netif") else {
        return;
    };
    inside(&host, async {
        host.link("lan0", &peer, "eth0");
        let mut interfaces = Interfaces::watch().unwrap();
        host.address("lan0", "10.77.1.1/24");
        let is = |change: &Change, text: &str| match change {
            Change::AddressNew { address, .. } | Change::AddressGone { address, .. } => {
                address.net.to_string() == text
            }
            _ => false,
        };
        until(&mut interfaces, |c| is(c, "10.77.1.1/24")).await;
        host.ip("address del 10.77.1.1/24 dev lan0");
        until(&mut interfaces, |c| is(c, "10.77.1.1/24")).await;
        host.ip("link set lan0 down");
        until(&mut interfaces, |c| matches!(c, Change::FlagsChanged { up: false, .. })).await;
        host.ip("link delete lan0");
        until(&mut interfaces, |c| matches!(c, Change::InterfaceGone { .. })).await;
    });
}

#[test]
fn an_ipv6_address_is_seen_tentative_and_then_ready() {
    let Some(host) = Namespace::new("jellynet-netif") else {
        return;
    };
    let Some(peer) = Namespace::new("jellynet-netif") else {
        return;
    };
    host.link("eth0", &peer, "eth0");
    inside(&host, async {
        let mut interfaces = Interfaces::watch().unwrap();
        host.ip("address add fd77::1/64 dev eth0");
        let ours = |change: &Change, ready: bool| match change {
            Change::AddressNew { address, .. } => {
                !ready && address.tentative && address.net.to_string() == "fd77::1/64"
            }
            Change::AddressReady { address, .. } => {
                ready && !address.tentative && address.net.to_string() == "fd77::1/64"
            }
            _ => false,
        };
        until(&mut interfaces, |c| ours(c, false)).await;
        let bind = || std::net::UdpSocket::bind("[fd77::1]:0");
        assert!(bind().is_err(), "it is tentative");
        // Duplicate address detection takes a second and a half; the change is seen at once.
        let change = async {
            while !interfaces.changed().await.unwrap().changes.iter().any(|c| ours(c, true)) {}
        };
        timeout(2 * SOON, change).await.unwrap();
        bind().unwrap();
    });
}

#[test]
fn kinds_and_flags_are_what_they_are() {
    let Some(host) = Namespace::new("jellynet-netif") else {
        return;
    };
    let Some(peer) = Namespace::new("jellynet-netif") else {
        return;
    };
    host.link("veth0", &peer, "eth0");
    host.ip("link add br0 type bridge");
    host.ip("tuntap add tun0 mode tun");
    host.ip("address add 10.9.0.1 peer 10.9.0.2 dev tun0");
    let table = host.run(|| jellynet_netif::interfaces().unwrap());
    let flags = |name: &str| table.by_name(name).unwrap().flags;
    assert!(flags("lo").loopback && flags("lo").up && !flags("lo").r#virtual);
    assert!(flags("veth0").r#virtual && flags("veth0").up && flags("veth0").multicast);
    assert!(flags("br0").r#virtual && !flags("br0").up);
    assert!(flags("tun0").r#virtual && flags("tun0").point_to_point);
    let ours = table.by_name("tun0").unwrap().addresses[0];
    assert_eq!(ours.net.to_string(), "10.9.0.1/32", "not the other end");
}

#[test]
fn a_swarm_of_changes_ends_in_the_truth() {
    let Some(host) = Namespace::new("jellynet-netif") else {
        return;
    };
    inside(&host, async {
        let mut interfaces = Interfaces::watch().unwrap();
        // More events than a socket's buffer holds, without one being read.
        let mut batch = String::new();
        for number in 0..200 {
            batch.push_str(&format!("link add br{number} type bridge\n"));
            batch.push_str(&format!("link set br{number} up\n"));
            batch.push_str(&format!("address add 10.1.{number}.1/24 dev br{number}\n"));
        }
        let file = std::env::temp_dir().join(format!("{}.batch", host.name()));
        std::fs::write(&file, batch).unwrap();
        host.ip(&format!("-batch {}", file.display()));
        std::fs::remove_file(&file).unwrap();
        let count = |interfaces: &Interfaces| {
            let table = interfaces.current();
            table.addresses().filter(|(_, a)| a.ip().is_ipv4()).count()
        };
        let all = async {
            while count(&interfaces) < 201 {
                interfaces.changed().await.unwrap();
            }
        };
        timeout(2 * SOON, all).await.unwrap();
    });
}
