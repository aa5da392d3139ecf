use std::net::{SocketAddr, TcpListener, TcpStream};

use jellynet_bind::{Bind, BindError, Bound, IfMissing, Listen, OutcomeKind, StdListener};
use jellynet_netif::{Interface, InterfaceTable};

fn table() -> InterfaceTable {
    InterfaceTable::new([Interface::loopback(1)])
}

fn bind(listens: &[(&str, &str)]) -> Bound {
    let add = |bind: Bind, (name, listen): &(&str, &str)| {
        bind.listen(*name, listen.parse::<Listen>().unwrap())
    };
    listens.iter().fold(Bind::new(), add).bind(&table())
}

#[test]
fn a_wildcard_has_one_socket_per_family_on_one_port() {
    let sockets = bind(&[("http", "*:0")]).into_sockets();
    let [v4, v6] = &sockets[..] else {
        panic!("two sockets: {sockets:?}");
    };
    assert_eq!(v4.addr.port(), v6.addr.port());
    let StdListener::Tcp(v6_socket) = &v6.listener else {
        panic!("TCP");
    };
    assert!(socket2::SockRef::from(v6_socket).only_v6().unwrap());
    let port = v4.addr.port().unwrap();
    for addr in [format!("127.0.0.1:{port}"), format!("[::1]:{port}")] {
        TcpStream::connect(addr.parse::<SocketAddr>().unwrap()).unwrap();
    }
}

#[test]
fn an_ipv6_wildcard_leaves_ipv4_to_others() {
    let sockets = bind(&[("http", "[::]:0")]).into_sockets();
    let port = sockets[0].addr.port().unwrap();
    TcpListener::bind(("0.0.0.0", port)).unwrap();
}

#[test]
fn a_busy_port_names_its_holder_and_the_others_serve() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = held.local_addr().unwrap();
    let bound = bind(&[("http", &format!("*:{}", addr.port())), ("admin", "127.0.0.1:0")]);
    assert!(bound.is_listening() && bound.has_failures());
    let outcomes = bound.outcomes();
    let lines: Vec<String> = outcomes.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines[0],
        format!(
            "http: cannot listen on 0.0.0.0:{port}: held by this process itself, whose \
             127.0.0.1:{port} is one of the addresses asked for, stop it or choose another port: \
             Address already in use (os error 98)",
            port = addr.port()
        )
    );
    assert!(lines[1].starts_with("http: listening on [::]:"), "{lines:?}");
    assert!(lines[2].starts_with("admin: listening on 127.0.0.1:"), "{lines:?}");
}

#[test]
fn a_dual_stack_socket_in_the_way_is_explained() {
    // std's listener on [::] is dual-stack by the system's default.
    let held = TcpListener::bind("[::]:0").unwrap();
    let port = held.local_addr().unwrap().port();
    let outcomes = bind(&[("http", &format!("127.0.0.1:{port}"))]).outcomes();
    let line = outcomes[0].to_string();
    assert!(line.contains(&format!("whose [::]:{port} takes IPv4 too")), "{line}");
}

#[test]
fn a_missing_address_waits_or_fails_as_asked_and_never_widens() {
    let waits = bind(&[("http", "198.51.100.7:0")]);
    assert!(!waits.is_listening() && !waits.has_failures());
    assert_eq!(
        waits.outcomes()[0].to_string(),
        "http: waiting: no interface has the address 198.51.100.7 yet"
    );
    let fails = Bind::new()
        .listen("http", "127.0.0.1:0".parse().unwrap())
        .listen("http", "198.51.100.7:0".parse().unwrap())
        .if_missing(IfMissing::Fail)
        .bind(&table());
    let OutcomeKind::Failed { error } = &fails.outcomes()[1].kind else {
        panic!("a failure");
    };
    assert!(matches!(**error, BindError::NotLocal { .. }), "{error}");
    assert_eq!(fails.into_sockets().len(), 1);
}

#[test]
fn two_names_for_one_place_are_a_failure_of_the_second() {
    let bound = bind(&[("http", "127.18.96.1:18096"), ("https", "127.18.96.1:18096")]);
    let outcomes = bound.outcomes();
    assert!(!outcomes[0].is_failure());
    assert_eq!(
        outcomes[1].to_string(),
        "https: cannot listen on 127.18.96.1:18096 for https: http has it already, \
         give each a place of its own"
    );
}

#[test]
fn nothing_passed_by_systemd_says_what_to_do() {
    let outcomes = bind(&[("http", "systemd:http"), ("raw", "fd:987")]).outcomes();
    assert_eq!(
        outcomes[0].to_string(),
        "http: cannot listen on systemd:http: systemd passed no socket (LISTEN_FDS is not set \
         for this process), start the socket unit instead of the service"
    );
    assert_eq!(
        outcomes[1].to_string(),
        "raw: cannot listen on fd:987: it is not open: Bad file descriptor (os error 9)"
    );
}
