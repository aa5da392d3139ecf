//! This host: interfaces, the container around it, its clock, IPv6.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use jellynet_netif::Interface;
use jellynet_tls::Timestamp;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Finding, Patient};
use crate::doctor::urls;
use crate::reach;

/// No host that runs this program lives before it: 2026-01-01.
const BEFORE: i64 = 1_767_225_600;
/// Longer than a connection to oneself takes.
const CONNECT: Duration = Duration::from_secs(3);

/// The URL that a peer is told on each interface.
pub(super) async fn interfaces(patient: Patient) -> Vec<Finding> {
    const TEST: &str = "interfaces";
    let table = patient.table();
    let told = urls::by_address(&patient.config, &table);
    let rows = told.iter().map(|(interface, net, urls)| match urls.as_slice() {
        [] => Finding::note(
            TEST,
            format!("{interface} {net}: peers there are told nothing"),
            "listen on an address that they reach (http.listen), or publish a URL for them \
             (published.urls)",
        ),
        urls => {
            Finding::good(TEST, format!("{interface} {net}: peers are told {}", urls.join(" and ")))
        }
    });
    let mut found: Vec<_> = rows.collect();
    let down = table.iter().filter(|interface| !interface.flags.up && !interface.flags.loopback);
    found.extend(down.map(|interface| {
        Finding::note(TEST, format!("{} is down", interface.name), "nothing, if it is not used")
    }));
    if told.iter().all(|(_, _, urls)| urls.is_empty()) {
        found.push(Finding::problem(
            TEST,
            "no peer on any network can be told where this server is",
            "connect this host to a network, and listen on its addresses (http.listen)",
        ));
    }
    found
}

/// Whether this is a container, and one that its neighbours' broadcasts do not reach.
pub(super) async fn container(patient: Patient) -> Vec<Finding> {
    const TEST: &str = "container";
    let Some(kind) = container_at(Path::new("/")) else {
        return vec![Finding::good(TEST, "no container")];
    };
    let table = patient.table();
    let here = |i: &&Interface| !i.flags.loopback && is_addressed(i);
    let bridged = table.iter().filter(here).any(|i| is_veth(Path::new("/"), &i.name));
    vec![if !bridged {
        Finding::good(TEST, format!("a {kind} container on the host's own network"))
    } else if patient.config.discovery.enabled || patient.config.ssdp {
        Finding::problem(
            TEST,
            format!(
                "a {kind} container behind a bridge: searching clients do not reach it, and what \
                 it announces is the bridge's address"
            ),
            "give the container the host's network (network_mode: host); or switch discovery off, \
             publish a URL (published.urls), and run a second jellynet on the host that answers",
        )
    } else {
        Finding::note(
            TEST,
            format!("a {kind} container behind a bridge"),
            "publish a URL that clients reach (published.urls)",
        )
    }]
}

/// What kind of container has this root: by what its maker puts there, else by the name of the
/// group of the first process, which a container with a namespace of its own for groups does not
/// show.
fn container_at(root: &Path) -> Option<&'static str> {
    const FILES: [(&str, &str); 3] = [
        (".dockerenv", "Docker"),
        ("run/.containerenv", "Podman"),
        ("var/run/secrets/kubernetes.io", "Kubernetes"),
    ];
    if let Some((_, kind)) = FILES.into_iter().find(|(file, _)| root.join(file).exists()) {
        return Some(kind);
    }
    let read = |file: &str| std::fs::read_to_string(root.join(file)).unwrap_or_default();
    // systemd's Container Interface: the name of the manager.
    let managers = ["run/host/container-manager", "run/systemd/container"].map(read).concat();
    let words = [managers, read("proc/1/cgroup")].concat();
    [
        ("kubepods", "Kubernetes"),
        ("docker", "Docker"),
        ("podman", "Podman"),
        ("lxc", "LXC"),
        ("systemd-nspawn", "systemd-nspawn"),
    ]
    .into_iter()
    .find_map(|(word, kind)| words.contains(word).then_some(kind))
}

/// Whether an interface is one end of a cable whose other end is in another namespace.
fn is_veth(root: &Path, name: &str) -> bool {
    let read =
        |file: &str| std::fs::read_to_string(root.join("sys/class/net").join(name).join(file)).ok();
    matches!((read("iflink"), read("ifindex")), (Some(link), Some(index)) if link != index)
}

/// Whether it has an address of a network. The host's ends of its containers' cables have none, or
/// what the kernel gives to every link.
fn is_addressed(interface: &Interface) -> bool {
    interface.addresses.iter().any(|address| match address.ip() {
        IpAddr::V4(_) => true,
        IpAddr::V6(v6) => !v6.is_unicast_link_local(),
    })
}

/// A wrong clock makes every certificate a bad one.
pub(super) async fn clock() -> Vec<Finding> {
    const TEST: &str = "clock";
    let now = Timestamp::now();
    let timesync = Path::new("/run/systemd/timesync");
    vec![if now.as_unix() < BEFORE {
        Finding::problem(
            TEST,
            format!("the clock says {now}: certificates are not valid yet"),
            "set the clock, or switch time synchronisation on: timedatectl set-ntp true",
        )
    } else if timesync.exists() && !timesync.join("synchronized").exists() {
        Finding::note(
            TEST,
            format!("the clock says {now}, and was not synchronised since this host started"),
            "look at: timedatectl timesync-status",
        )
    } else {
        Finding::good(TEST, format!("the clock says {now}"))
    }]
}

/// Whether the server answers at this host's own IPv6 addresses.
pub(super) async fn ipv6(patient: Patient) -> Vec<Finding> {
    const TEST: &str = "ipv6";
    let table = patient.table();
    let global = |ip: &IpAddr| match ip {
        IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unicast_link_local(),
        IpAddr::V4(_) => false,
    };
    let addresses = table.addresses().filter(|(i, a)| i.flags.up && !a.tentative && !a.temporary);
    let Some(ip) = addresses.map(|(_, address)| address.ip()).find(global) else {
        return vec![Finding::good(TEST, "this host has no IPv6 address beyond its links")];
    };
    let config = &patient.config;
    let planned = reach::planned_addresses(&config.http.listen, &config.https.listen, &table);
    let port = planned.iter().find_map(|wanted| {
        let fits = wanted.ip() == ip || (wanted.ip().is_unspecified() && wanted.is_ipv6());
        fits.then(|| wanted.port())
    });
    let Some(port) = port else {
        return vec![Finding::note(
            TEST,
            format!("this host has {ip}, and no listener is configured there"),
            "listen on both families: http.listen = [\"*:8096\"]",
        )];
    };
    let address = SocketAddr::new(ip, port);
    if !patient.running.answers() {
        return Vec::new();
    }
    vec![match timeout(CONNECT, TcpStream::connect(address)).await {
        Ok(Ok(_)) => Finding::good(TEST, format!("the server takes connections at {address}")),
        Ok(Err(error)) => Finding::problem(
            TEST,
            format!("the server takes no connection at {address}: {error}"),
            "look at the listeners and at the firewall (nft list ruleset)",
        ),
        Err(_) => Finding::problem(
            TEST,
            format!("nothing answers at {address}"),
            "a firewall drops it: nft list ruleset",
        ),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_known_by_what_lies_in_them() {
        let root = std::env::temp_dir().join(format!("jellynet-doctor-{}", std::process::id()));
        let put = |file: &str, text: &str| {
            let path = root.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        put("proc/1/cgroup", "0::/init.scope\n");
        assert_eq!(container_at(&root), None);
        put("proc/1/cgroup", "0::/kubepods/docker/pod1\n");
        assert_eq!(container_at(&root), Some("Kubernetes"));
        put("proc/1/cgroup", "0::/\n");
        put("run/systemd/container", "lxc\n");
        assert_eq!(container_at(&root), Some("LXC"));
        put("var/run/secrets/kubernetes.io/serviceaccount/token", "");
        assert_eq!(container_at(&root), Some("Kubernetes"));
        put("run/.containerenv", "");
        assert_eq!(container_at(&root), Some("Podman"));
        put(".dockerenv", "");
        assert_eq!(container_at(&root), Some("Docker"));
        put("sys/class/net/eth0/ifindex", "2\n");
        put("sys/class/net/eth0/iflink", "2\n");
        assert!(!is_veth(&root, "eth0"));
        put("sys/class/net/eth0/iflink", "17\n");
        assert!(is_veth(&root, "eth0"));
        std::fs::remove_dir_all(root).unwrap();
    }
}
