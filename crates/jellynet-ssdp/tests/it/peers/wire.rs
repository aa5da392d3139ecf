//! What a changing host puts on a real wire.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use jellynet_ssdp::message::{Message, NotifyKind};
use jellynet_test::netns::Namespace;

use super::stage::{PATIENCE, Server, Stage};

/// An announcement of the root device, briefly.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Heard {
    kind: NotifyKind,
    boot: Option<u32>,
    next: Option<u32>,
    location: Option<String>,
}

/// Hears the announcements on a client's LAN.
fn listen(client: &Namespace, address: Ipv4Addr) -> mpsc::Receiver<Heard> {
    let socket = client.run(|| {
        let socket = UdpSocket::bind("0.0.0.0:1900").unwrap();
        let group = Ipv4Addr::new(239, 255, 255, 250);
        socket.join_multicast_v4(&group, &address).unwrap();
        socket
    });
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok(length) = socket.recv(&mut buffer) {
            let Ok(Message::Notify(notify)) = Message::parse(&buffer[..length]) else {
                continue;
            };
            if notify.target.as_str() != "upnp:rootdevice" {
                continue;
            }
            let heard = Heard {
                kind: notify.kind,
                boot: notify.details.boot_id,
                next: notify.details.next_boot_id,
                location: notify.details.location.map(|l| l.to_string()),
            };
            if sender.send(heard).is_err() {
                return;
            }
        }
    });
    receiver
}

fn wait_for(heard: &mpsc::Receiver<Heard>, what: impl Fn(&Heard) -> bool) -> Vec<Heard> {
    let mut all = Vec::new();
    loop {
        let one = heard.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{all:#?}"));
        let last = what(&one);
        all.push(one);
        if last {
            return all;
        }
    }
}

#[test]
fn a_changed_address_is_told_in_the_order_of_the_architecture() {
    let Some(stage) = Stage::set() else { return };
    let unaffected = listen(&stage.clients[0], Ipv4Addr::new(10, 77, 1, 2));
    let affected = listen(&stage.clients[1], Ipv4Addr::new(10, 77, 2, 2));
    let server = Server::start(&stage.server);
    let alive = |heard: &Heard| heard.kind == NotifyKind::Alive;
    wait_for(&unaffected, alive);
    wait_for(&affected, alive);

    stage.server.ip("address del 10.77.2.1/24 dev eth2");
    stage.server.address("eth2", "10.77.2.99/24");
    let new = |heard: &Heard| {
        let location = heard.location.as_deref().unwrap_or_default();
        alive(heard) && location.contains("10.77.2.99")
    };
    let told = wait_for(&affected, new);
    let boot = told.last().unwrap().boot;
    // The byebye leaves under the old id, if the old one was announced at all.
    assert!(told.iter().any(|h| h.kind == NotifyKind::ByeBye && h.boot < boot), "{told:#?}");

    let told = wait_for(&unaffected, |h| alive(h) && h.boot == boot);
    let update = told.iter().rfind(|h| h.kind == NotifyKind::Update).unwrap();
    assert_eq!(update.next, boot, "{told:#?}");
    assert!(update.boot < boot, "{told:#?}");
    assert!(told.iter().all(|h| h.kind != NotifyKind::ByeBye || h.boot < boot), "{told:#?}");
    server.stop();
}

#[test]
fn a_flapping_link_makes_no_storm() {
    let Some(stage) = Stage::set() else { return };
    let heard = listen(&stage.clients[0], Ipv4Addr::new(10, 77, 1, 2));
    let server = Server::start(&stage.server);
    wait_for(&heard, |h| h.kind == NotifyKind::Alive);
    let pause = mpsc::channel::<()>().1;
    for _ in 0..25 {
        stage.server.ip("link set eth2 down");
        let _ = pause.recv_timeout(Duration::from_millis(200));
        stage.server.ip("link set eth2 up");
        let _ = pause.recv_timeout(Duration::from_millis(200));
    }
    server.stop();
    let after = wait_for(&heard, |h| h.kind == NotifyKind::ByeBye && h.location.is_none());
    // Three sequences at once, one more each 20 s, each one update and three alives, and the end.
    assert!(after.len() <= 5 * 5, "{} announcements: {after:#?}", after.len());
    assert!(after.iter().map(|h| h.boot).is_sorted(), "{after:#?}");
}
