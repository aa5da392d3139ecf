//! Found and reached: discovery, the right address for each peer, and the way to the upstream.

use std::fs;
use std::net::UdpSocket;
use std::process::Command;
use std::time::Duration;

use jellynet_test::netns::Namespace;
use jellynet_test::peer;

use crate::rig::{CHANGE, MEDIA_SERVER_ID, MediaServer, Network, SOON, Server, get, jellynet};

/// What a client of a LAN gets to hear when it asks by broadcast.
fn discover(from: &Namespace, to: &str) -> Option<String> {
    from.run(|| {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.set_broadcast(true).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(700))).unwrap();
        socket.send_to(b"Who is JellyfinServer?", to).ok()?;
        let mut buffer = [0; 2048];
        let length = socket.recv(&mut buffer).ok()?;
        Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
    })
}

fn announced(address: &str) -> String {
    format!(
        "{{\"Address\":\"{address}\",\"Id\":\"{MEDIA_SERVER_ID}\",\"Name\":\"Living Room\",\"EndpointAddress\":null}}"
    )
}

#[test]
fn each_lan_finds_the_server_at_its_own_address() {
    let Some(net) = Network::new() else { return };
    MediaServer::start(&net.server, "127.0.0.1:8097");
    let server = Server::start(&net.server, "[[upstream]]\nurl = 'http://127.0.0.1:8097'\n");
    server.process.wait_for_line("Living Room", SOON);

    peer::wait_until("the first answer", SOON, || {
        discover(&net.one, "255.255.255.255:7359").is_some()
    });
    assert_eq!(
        discover(&net.one, "255.255.255.255:7359"),
        Some(announced("http://10.77.1.1:8096"))
    );
    assert_eq!(discover(&net.one, "10.77.1.255:7359"), Some(announced("http://10.77.1.1:8096")));
    assert_eq!(
        discover(&net.two, "255.255.255.255:7359"),
        Some(announced("http://10.77.2.1:8096"))
    );
    assert_eq!(discover(&net.remote, "10.77.1.1:7359"), None, "a remote host gets no answer");

    for (host, address) in [
        (&net.one, "10.77.1.1:8096"),
        (&net.two, "10.77.2.1:8096"),
        (&net.remote, "10.77.1.1:8096"),
    ] {
        let answer = get(host, address, "/System/Info/Public").unwrap();
        assert_eq!(answer.status, 200);
        assert!(answer.body.contains(MEDIA_SERVER_ID), "{}", answer.body);
    }
    let v6 = get(&net.one, "[fd77:1::1]:8096", "/System/Info/Public").unwrap();
    assert_eq!(v6.status, 200);
}

#[test]
fn jellyfins_python_client_finds_and_connects_from_both_lans() {
    let Some(python) = peer::find_python("jellyfin-apiclient-python") else {
        return;
    };
    let Some(net) = Network::new() else { return };
    MediaServer::start(&net.server, "127.0.0.1:8097");
    let server = Server::start(&net.server, "[[upstream]]\nurl = 'http://127.0.0.1:8097'\n");
    server.process.wait_for_line("Living Room", SOON);
    for (host, address) in
        [(&net.one, "http://10.77.1.1:8096"), (&net.two, "http://10.77.2.1:8096")]
    {
        let mut command = python.command();
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/peers/apiclient.py"));
        let client = host.spawn(command);
        let line = client.wait_for_line("\"found\"", SOON);
        let seen: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(seen["found"]["address"], address, "{line}");
        assert_eq!(seen["connected"]["Id"], MEDIA_SERVER_ID, "{line}");
    }
}

#[test]
fn an_address_that_comes_or_changes_is_served_and_announced_at_once() {
    let Some(net) = Network::new() else { return };
    MediaServer::start(&net.server, "127.0.0.1:8097");
    let config = "[http]\nlisten = ['eth0:8096', 'eth1:8096']\n[[upstream]]\nurl = 'http://127.0.0.1:8097'\n";
    let server = Server::start(&net.server, config);
    server.process.wait_for_line("Living Room", SOON);

    net.server.ip("address del 10.77.2.1/24 dev eth1");
    net.server.address("eth1", "10.77.3.1/24");
    net.two.ip("address flush dev eth0");
    net.two.address("eth0", "10.77.3.2/24");
    net.two.default_route("10.77.3.1".parse().unwrap());
    peer::wait_until("the new address to be served", CHANGE, || {
        get(&net.two, "10.77.3.1:8096", "/health").is_ok()
    });
    peer::wait_until("the new address to be announced", CHANGE, || {
        discover(&net.two, "255.255.255.255:7359") == Some(announced("http://10.77.3.1:8096"))
    });

    net.server.ip("link del eth1");
    peer::wait_until("no listener of the gone address", SOON, || {
        let listening = net.server.run(|| fs::read_to_string("/proc/thread-self/net/tcp").unwrap());
        // 10.77.3.1 as the kernel writes it, and the state LISTEN.
        !listening.lines().any(|line| line.contains("01034D0A:1FA0") && line.contains(" 0A "))
    });
    assert!(
        get(&net.one, "10.77.1.1:8096", "/health").is_ok(),
        "the other LAN is served as before"
    );
}

#[test]
fn with_no_interface_at_start_it_serves_when_one_comes() {
    let Some(server_host) = Namespace::new("jellynet-server") else {
        return;
    };
    let Some(client) = Namespace::new("jellynet-server") else {
        return;
    };
    let server = Server::start(&server_host, "");
    server_host.link("late0", &client, "eth0");
    server_host.address("late0", "10.77.9.1/24");
    client.address("eth0", "10.77.9.2/24");
    client.default_route("10.77.9.1".parse().unwrap());
    peer::wait_until("the page", CHANGE, || get(&client, "10.77.9.1:8096", "/").is_ok());
    peer::wait_until("an answer on 7359", CHANGE, || {
        discover(&client, "255.255.255.255:7359")
            .is_some_and(|a| a.contains("http://10.77.9.1:8096"))
    });
    assert!(server.process.exit_status().is_none());
}

#[test]
fn clients_never_hear_of_an_address_inside_a_container_network() {
    let Some(net) = Network::new() else { return };
    let Some(container) = Namespace::new("jellynet-server") else {
        return;
    };
    net.server.link("veth1234", &container, "eth0");
    net.server.address("veth1234", "172.18.0.1/16");
    container.address("eth0", "172.18.0.2/16");
    container.default_route("172.18.0.1".parse().unwrap());
    MediaServer::start(&container, "172.18.0.2:8096");
    let server = Server::start(&net.server, "[[upstream]]\nurl = 'http://172.18.0.2:8096'\n");
    server.process.wait_for_line("Living Room", SOON);
    for (host, address) in
        [(&net.one, "http://10.77.1.1:8096"), (&net.two, "http://10.77.2.1:8096")]
    {
        assert_eq!(discover(host, "255.255.255.255:7359"), Some(announced(address)));
        let answer =
            get(host, address.trim_start_matches("http://"), "/System/Info/Public").unwrap();
        assert!(
            answer.body.contains(&format!("\"LocalAddress\":\"{address}\"")),
            "{}",
            answer.body
        );
        assert!(!answer.body.contains("172.18."), "{}", answer.body);
    }
}

#[test]
fn the_upstream_may_go_and_come_back() {
    let Some(net) = Network::new() else { return };
    let server = Server::start(&net.server, "[[upstream]]\nurl = 'http://127.0.0.1:8097'\n");
    let down = get(&net.one, "10.77.1.1:8096", "/System/Info/Public").unwrap();
    assert_eq!(down.status, 503);
    assert!(down.header("retry-after").is_some(), "{}", down.head);
    assert_eq!(discover(&net.one, "255.255.255.255:7359"), None, "no identity is invented");
    MediaServer::start(&net.server, "127.0.0.1:8097");
    server.process.wait_for_line("Living Room", SOON);
    assert_eq!(get(&net.one, "10.77.1.1:8096", "/x").unwrap().status, 200);
}

#[test]
fn another_server_with_the_same_id_is_reported() {
    let Some(net) = Network::new() else { return };
    MediaServer::start(&net.one, "127.0.0.1:8097");
    MediaServer::start(&net.server, "127.0.0.1:8097");
    let config = "[[upstream]]\nurl = 'http://127.0.0.1:8097'\n";
    let other = Server::start(&net.one, config);
    peer::wait_until("the other server", SOON, || {
        discover(&net.server, "10.77.1.255:7359").is_some()
    });
    let server = Server::start(&net.server, config);
    let line = server.process.wait_for_line("another server has our id", SOON);
    assert!(line.contains("10.77.1.2:7359") && line.contains(MEDIA_SERVER_ID), "{line}");
    drop(other);
}

#[test]
fn the_discover_verb_lists_who_answers() {
    let Some(net) = Network::new() else { return };
    MediaServer::start(&net.server, "127.0.0.1:8097");
    let server = Server::start(&net.server, "[[upstream]]\nurl = 'http://127.0.0.1:8097'\n");
    server.process.wait_for_line("Living Room", SOON);
    let output = run(&net.two, jellynet(&["discover", "--timeout", "1s", "--format", "json"]));
    let line: serde_json::Value = serde_json::from_str(output.lines().next().unwrap()).unwrap();
    assert_eq!(line["address"], "http://10.77.2.1:8096");
    assert_eq!(line["id"], MEDIA_SERVER_ID);
    let text = run(&net.two, jellynet(&["discover", "--timeout", "1s"]));
    assert!(text.contains("Living Room"), "{text}");
}

fn run(on: &Namespace, mut command: Command) -> String {
    let output = on.run(move || command.output().unwrap());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
