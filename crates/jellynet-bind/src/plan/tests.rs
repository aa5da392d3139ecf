use super::*;
use jellynet_netif::InterfaceAddr;

fn table() -> InterfaceTable {
    let mut eth1 = Interface::new("eth1", 3).with_address("192.168.1.20/24".parse().unwrap());
    eth1.addresses.push(InterfaceAddr::new("fd77::9/64".parse().unwrap()).with_tentative(true));
    InterfaceTable::new([
        Interface::loopback(1),
        Interface::new("eth0", 2)
            .with_address("192.168.1.10/24".parse().unwrap())
            .with_address("fe80::1/64".parse().unwrap())
            .with_address("fd77::5/64".parse().unwrap()),
        eth1,
        Interface::new("wg0", 4),
        // macvlan: the same address on two interfaces (jellyfin#11618)
        Interface::new("shim0", 5).with_address("192.168.1.10/32".parse().unwrap()),
    ])
}

fn plan(listens: &[(&str, &str)]) -> BindPlan {
    let requests: Vec<_> =
        listens.iter().map(|(name, listen)| Request::new(*name, listen.parse().unwrap())).collect();
    BindPlan::new(&requests, &table())
}

fn sockets(plan: &BindPlan) -> Vec<String> {
    plan.sockets
        .iter()
        .map(|s| {
            let mark = match &s.presence {
                Presence::Here => "",
                Presence::Tentative { .. } => " tentative",
                Presence::Missing { .. } => " missing",
            };
            format!("{}{mark}", s.endpoint)
        })
        .collect()
}

#[test]
fn one_request_gives_exactly_its_sockets() {
    let none: &[&str] = &[];
    for (listen, expected, why) in [
        ("*:80", &["0.0.0.0:80", "[::]:80"][..], "one socket per family"),
        ("0.0.0.0:80", &["0.0.0.0:80"], "IPv4 only"),
        ("[::]:80", &["[::]:80"], "IPv6 only"),
        ("localhost:80", &["127.0.0.1:80", "[::1]:80"], "both loopbacks"),
        ("192.168.1.10:80", &["192.168.1.10:80"], "there"),
        ("127.0.0.53:80", &["127.0.0.53:80"], "all of 127/8 is local"),
        ("192.168.1.99:80", &["192.168.1.99:80 missing"], "tried, never widened"),
        ("[fd77::9]:80", &["[fd77::9]:80 tentative"], "duplicate address detection"),
        ("[fe80::1%eth0]:80", &["[fe80::1%2]:80"], "zone by name"),
        ("[fe80::1%2]:80", &["[fe80::1%2]:80"], "zone by index"),
        ("[fe80::1%eth1]:80", &["[fe80::1%3]:80 missing"], "on another interface"),
        ("eth0:80", &["192.168.1.10:80", "[fe80::1%2]:80", "[fd77::5]:80"], "all its addresses"),
        ("eth1:80", &["192.168.1.20:80", "[fd77::9]:80 tentative"], "tentative ones too"),
        ("wg0:80", none, "no address yet"),
        ("eth9:80", none, "no interface yet"),
        ("[fe80::1%eth9]:80", none, "no zone yet"),
        ("*:0", &["0.0.0.0:0", "[::]:0"], "any port"),
        ("unix:/run/x", &["unix:/run/x"], "no address needed"),
        ("systemd:http", &["systemd:http"], "no address needed"),
        ("fd:3", &["fd:3"], "no address needed"),
    ] {
        assert_eq!(sockets(&plan(&[("http", listen)])), expected, "{listen}: {why}");
    }
}

#[test]
fn what_has_no_socket_says_what_it_waits_for() {
    for (listen, expected) in [
        ("wg0:80", "interface wg0 has no address yet"),
        ("eth9:80", "interface eth9 is not there yet"),
        ("[fe80::1%eth9]:80", "interface eth9 is not there yet"),
    ] {
        let plan = plan(&[("http", listen)]);
        assert_eq!(plan.waiting[0].why.to_string(), expected);
        assert!(plan.sockets.is_empty(), "nothing usable never widens");
    }
    let missing = &plan(&[("http", "192.168.1.99:80")]).sockets[0];
    let Endpoint::Tcp(addr) = missing.endpoint else {
        panic!("a TCP address");
    };
    assert_eq!(
        missing.presence.wait_reason(addr).unwrap().to_string(),
        "no interface has the address 192.168.1.99 yet \
         (this host has 192.168.1.10, 192.168.1.20)"
    );
}

#[test]
fn the_same_address_and_port_is_planned_once() {
    for (listens, expected, repeated, clashes, why) in [
        (
            &[("http", "*:80"), ("http", "*:80")][..],
            &["0.0.0.0:80", "[::]:80"][..],
            2,
            0,
            "twice the same text",
        ),
        (
            &[("http", "192.168.1.10:80"), ("http", "eth0:80")],
            &["192.168.1.10:80", "[fe80::1%2]:80", "[fd77::5]:80"],
            1,
            0,
            "by address and by interface",
        ),
        (
            &[("http", "192.168.1.10:80"), ("http", "*:80")],
            &["0.0.0.0:80", "[::]:80"],
            1,
            0,
            "the wildcard covers it, wherever it stands",
        ),
        (
            &[("http", "[fd77::5]:80"), ("http", "0.0.0.0:80")],
            &["[fd77::5]:80", "0.0.0.0:80"],
            0,
            0,
            "another family covers nothing",
        ),
        (
            &[("http", "eth0:80"), ("http", "shim0:80")],
            &["192.168.1.10:80", "[fe80::1%2]:80", "[fd77::5]:80"],
            1,
            0,
            "one address on two interfaces",
        ),
        (
            &[("http", "*:80"), ("https", "*:80")],
            &["0.0.0.0:80", "[::]:80"],
            0,
            2,
            "two names for one port",
        ),
        (
            &[("http", "*:80"), ("https", "*:443")],
            &["0.0.0.0:80", "[::]:80", "0.0.0.0:443", "[::]:443"],
            0,
            0,
            "two ports",
        ),
        (
            &[("a", "127.0.0.1:0"), ("b", "127.0.0.1:0")],
            &["127.0.0.1:0", "127.0.0.1:0"],
            0,
            0,
            "port 0 is another port each time",
        ),
        (
            &[("a", "unix:/run/x"), ("b", "unix:/run/x")],
            &["unix:/run/x"],
            0,
            1,
            "one path, two names",
        ),
    ] {
        let plan = plan(listens);
        assert_eq!(sockets(&plan), expected, "{why}");
        assert_eq!(plan.repeated.len(), repeated, "{why}");
        assert_eq!(plan.clashes.len(), clashes, "{why}");
    }
}
