//! Other programs on port 1900 of the same host.

use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;

use jellynet_ssdp::{Rung, SsdpServiceConfig};
use jellynet_test::netns::Namespace;
use jellynet_test::peer::{self, Process};
use socket2::{Domain, Socket, Type};

use super::stage::{PATIENCE, Server, Stage};
use crate::support::{MEDIA_SERVER, USN, UUID, search, unicast_search};

/// A directory that a program may fill, gone with the handle.
pub(super) struct Scratch(std::path::PathBuf);

impl Scratch {
    pub(super) fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("jellynet-ssdp-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// minidlna on both LANs of the server, or on the one interface that is named.
pub(super) fn minidlna(namespace: &Namespace, interfaces: &str) -> Option<(Process, Scratch)> {
    let minidlna = peer::find_with("minidlnad", &["-V"])?;
    let scratch = Scratch::new(&format!("minidlna-{}", namespace.name()));
    let directory = scratch.path().to_str().unwrap();
    let text = format!(
        "network_interface={interfaces}\nport=8200\nfriendly_name=Neighbour\ndb_dir={directory}\n\
         log_dir={directory}\nmedia_dir={directory}\ninotify=no\n"
    );
    let config = scratch.file("minidlna.conf");
    std::fs::write(&config, text).unwrap();
    let mut command = minidlna.command();
    command.args(["-S", "-f", &config, "-P", &scratch.file("minidlna.pid")]);
    let process = namespace.spawn(command);
    namespace.run(|| peer::wait_for_port(SocketAddr::from(([127, 0, 0, 1], 8200)), PATIENCE));
    Some((process, scratch))
}

/// Every location that a search for media servers brings, by gssdp.
fn locations(gssdp: &peer::Program, client: &Namespace) -> String {
    let mut command = gssdp.command();
    let target = format!("--target={MEDIA_SERVER}");
    command.args(["-i", "eth0", "--timeout=5", &target, "-n", "3"]);
    let process = client.spawn(command);
    process.wait(PATIENCE);
    process.output()
}

#[test]
fn both_are_seen_beside_minidlna() {
    let Some(gssdp) = peer::find_with("gssdp-discover", &[]) else {
        return;
    };
    let Some(stage) = Stage::set() else { return };
    for server_first in [true, false] {
        let early = server_first.then(|| Server::start(&stage.server));
        let Some(_minidlna) = minidlna(&stage.server, "eth1,eth2") else {
            return;
        };
        let server = early.unwrap_or_else(|| Server::start(&stage.server));
        assert_eq!(server.rung(), Rung::Shared);
        for (client, n) in stage.clients.iter().zip(1..) {
            let seen = locations(&gssdp, client);
            for port in [8096, 8200] {
                assert!(seen.contains(&format!("http://10.77.{n}.1:{port}/")), "{seen}");
            }
        }
    }
}

#[test]
fn it_is_seen_beside_minissdpd() {
    let (Some(gssdp), Some(minissdpd)) =
        (peer::find_with("gssdp-discover", &[]), peer::find_with("minissdpd", &[]))
    else {
        return;
    };
    let Some(stage) = Stage::set() else { return };
    let scratch = Scratch::new("minissdpd");
    let mut command = minissdpd.command();
    let (socket, pid) = (scratch.file("socket"), scratch.file("pid"));
    command.args(["-d", "-i", "eth1", "-i", "eth2", "-s", &socket, "-p", &pid]);
    let _minissdpd = stage.server.spawn(command);
    peer::wait_until("the socket of minissdpd", PATIENCE, || Path::new(&socket).exists());
    let server = Server::start(&stage.server);
    assert_eq!(server.rung(), Rung::Shared);
    for (client, n) in stage.clients.iter().zip(1..) {
        let seen = locations(&gssdp, client);
        assert!(seen.contains(&format!("http://10.77.{n}.1:8096/")), "{seen}");
    }
}

/// A program that has port 1900 for itself.
fn hog(namespace: &Namespace) -> Vec<UdpSocket> {
    namespace.run(|| vec![UdpSocket::bind("0.0.0.0:1900").unwrap()])
}

fn ask(client: &Namespace, server: SocketAddr) -> Option<String> {
    client.run(|| {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        socket.connect(server).unwrap();
        socket.send(unicast_search(MEDIA_SERVER).as_bytes()).unwrap();
        let mut buffer = [0; 2048];
        let length = socket.recv(&mut buffer).ok()?;
        Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
    })
}

#[test]
fn a_port_that_another_has_for_itself_is_named_otherwise_until_it_is_free() {
    let Some(stage) = Stage::set() else { return };
    let hogged = hog(&stage.server);
    let server = Server::start(&stage.server);
    let Rung::SearchPort { port, registered } = server.rung() else {
        panic!("{:?}", server.rung());
    };
    assert!(port >= 49152);
    assert!(!registered, "there is no minissdpd");
    // A connected socket takes the answer only from the address and port that it asked.
    let asked = SocketAddr::from(([10, 77, 2, 1], port));
    let answer = ask(&stage.clients[1], asked).unwrap();
    assert!(answer.contains("LOCATION: http://10.77.2.1:8096/"), "{answer}");
    assert!(answer.contains(&format!("SEARCHPORT.UPNP.ORG: {port}\r\n")), "{answer}");

    drop(hogged);
    peer::wait_until("port 1900 to be taken", Duration::from_secs(90), || {
        server.rung() == Rung::Shared
    });
    let answer = ask(&stage.clients[0], SocketAddr::from(([10, 77, 1, 1], 1900))).unwrap();
    assert!(!answer.contains("SEARCHPORT"), "{answer}");
}

/// A program that has port 1900 of IPv6 alone for itself.
fn hog_ipv6(namespace: &Namespace) -> Socket {
    namespace.run(|| {
        let socket = Socket::new(Domain::IPV6, Type::DGRAM, None).unwrap();
        socket.set_only_v6(true).unwrap();
        let address: SocketAddr = "[::]:1900".parse().unwrap();
        socket.bind(&address.into()).unwrap();
        socket
    })
}

/// Everything that a multicast search brings within three seconds.
fn ask_all(client: &Namespace) -> Vec<String> {
    client.run(|| {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
        let target = search(MEDIA_SERVER, 1);
        socket.send_to(target.as_bytes(), "239.255.255.250:1900").unwrap();
        let mut answers = Vec::new();
        let mut buffer = [0; 2048];
        while let Ok(length) = socket.recv(&mut buffer) {
            answers.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
        }
        answers
    })
}

#[test]
fn minissdpd_answers_for_us_while_port_1900_is_not_ours() {
    let Some(minissdpd) = peer::find_with("minissdpd", &[]) else {
        return;
    };
    let Some(stage) = Stage::set() else { return };
    let scratch = Scratch::new("minissdpd-help");
    let (socket, pid) = (scratch.file("socket"), scratch.file("pid"));
    let mut command = minissdpd.command();
    command.args(["-d", "-i", "eth1", "-s", &socket, "-p", &pid]);
    let _minissdpd = stage.server.spawn(command);
    peer::wait_until("the socket of minissdpd", PATIENCE, || Path::new(&socket).exists());
    // minissdpd itself shares port 1900 of IPv4: it is IPv6 that forces us down here.
    let _hog = hog_ipv6(&stage.server);
    let mut config = SsdpServiceConfig::default();
    config.minissdpd = Some(socket.into());
    let server = Server::start_with(&stage.server, UUID, config);
    peer::wait_until("the registration", PATIENCE, || {
        matches!(server.rung(), Rung::SearchPort { registered: true, .. })
    });
    // Ours is valid for half an hour, that of minissdpd for two minutes.
    let is_theirs = |text: &String| text.contains(USN) && !text.contains("max-age=1800");
    let mut theirs = None;
    peer::wait_until("an answer of minissdpd", PATIENCE, || {
        theirs = ask_all(&stage.clients[0]).into_iter().find(is_theirs);
        theirs.is_some()
    });
    let theirs = theirs.unwrap();
    assert!(theirs.contains("http://10.77.1.1:8096/dlna/"), "{theirs}");
}
