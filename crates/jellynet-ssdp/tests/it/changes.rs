//! Interfaces that come, go, change address and flap.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use jellynet_netif::{Interface, InterfaceAddr};
use jellynet_ssdp::message::NotifyKind;
use jellynet_test::wire::{Host, Lan, Network};

use crate::support::{
    BOOT, MEDIA_SERVER, SECOND, SET, Said, address, advertiser, answers, eth, group, kinds, said,
    search,
};

struct TwoLans {
    network: Network,
    host: Host,
    lans: [Lan; 2],
}

/// A server on one LAN, long announced, and a second LAN that it is not on yet.
fn on_one_of_two_lans() -> TwoLans {
    let mut network = Network::new(3);
    let lans = [network.lan(), network.lan()];
    let host = network.host("server");
    network.attach(host, lans[0], eth(1));
    network.seat(host, 1900, advertiser());
    network.run_for(SECOND * 10);
    network.clear_packets();
    TwoLans { network, host, lans }
}

fn from(said: &[Said], address: [u8; 4]) -> Vec<&Said> {
    let wanted = IpAddr::from(address);
    said.iter().filter(|s| s.from == wanted).collect()
}

#[test]
fn a_new_interface_makes_an_update_elsewhere_and_then_alive_everywhere() {
    let TwoLans { mut network, host, lans } = on_one_of_two_lans();
    network.attach(host, lans[1], eth(2));
    network.run_for(SECOND * 10);
    let said = said(&network);
    let (old, new) = (from(&said, [10, 77, 1, 1]), from(&said, [10, 77, 2, 1]));
    assert_eq!(
        kinds(old.iter().copied()),
        [NotifyKind::Update, NotifyKind::Alive],
        "the unaffected interface"
    );
    assert_eq!(
        kinds(new.iter().copied()),
        [NotifyKind::ByeBye, NotifyKind::Alive],
        "the new interface"
    );
    let updates: Vec<_> = said.iter().filter(|s| s.kind == NotifyKind::Update).collect();
    assert_eq!(updates.len(), SET);
    assert_eq!(updates[0].nt, "upnp:rootdevice", "the root as soon as possible");
    for update in &updates {
        assert_eq!((update.boot, update.next_boot), (Some(BOOT), Some(BOOT + 1)));
        assert!(update.location.is_some());
    }
    let first_alive = said.iter().position(|s| s.kind == NotifyKind::Alive).unwrap();
    let last_update = said.iter().rposition(|s| s.kind == NotifyKind::Update).unwrap();
    assert!(last_update < first_alive, "all updates before any alive");
    let alives: Vec<_> = said.iter().filter(|s| s.kind == NotifyKind::Alive).collect();
    assert_eq!(alives.len(), 2 * 3 * SET);
    assert!(alives.iter().all(|s| s.boot == Some(BOOT + 1) && s.next_boot.is_none()));
}

#[test]
fn an_interface_that_is_gone_is_nobody_elses_business() {
    let TwoLans { mut network, host, lans } = on_one_of_two_lans();
    network.attach(host, lans[1], eth(2));
    network.run_for(SECOND * 10);
    network.clear_packets();
    network.detach(host, eth(2).index);
    network.run_for(SECOND * 10);
    assert_eq!(said(&network), [], "no byebye and no update where it still is");

    // When it comes back, it is a change: the boot id has grown again.
    network.attach(host, lans[1], eth(2));
    network.run_for(SECOND * 10);
    let said = said(&network);
    let alive = said.iter().rev().find(|s| s.kind == NotifyKind::Alive).unwrap();
    assert_eq!(alive.boot, Some(BOOT + 2));
    assert_eq!(kinds(from(&said, [10, 77, 1, 1])), [NotifyKind::Update, NotifyKind::Alive]);
}

#[test]
fn a_changed_address_is_revoked_updated_and_never_named_again() {
    let TwoLans { mut network, host, lans } = on_one_of_two_lans();
    network.attach(host, lans[1], eth(2));
    network.run_for(SECOND * 10);
    network.clear_packets();
    let moved = Interface::new("eth2", 4).with_address("10.77.2.99/24".parse().unwrap());
    network.attach(host, lans[1], moved);
    network.run_for(SECOND * 10);
    let said = said(&network);
    assert!(from(&said, [10, 77, 2, 1]).is_empty(), "nothing leaves from the lost address");
    assert!(
        said.iter().all(|s| !s.location.as_deref().unwrap_or_default().contains("10.77.2.1:")),
        "no stale LOCATION"
    );
    assert_eq!(
        kinds(from(&said, [10, 77, 2, 99])),
        [NotifyKind::ByeBye, NotifyKind::Alive],
        "the affected interface"
    );
    assert_eq!(
        kinds(from(&said, [10, 77, 1, 1])),
        [NotifyKind::Update, NotifyKind::Alive],
        "the unaffected interface"
    );
    let byebye = said.iter().find(|s| s.kind == NotifyKind::ByeBye).unwrap();
    assert_eq!(byebye.boot, Some(BOOT + 1), "under the id it was known by");
}

#[test]
fn one_of_two_addresses_of_an_interface_can_go() {
    let mut network = Network::new(3);
    let lan = network.lan();
    let host = network.host("server");
    let both = eth(1).with_address("10.88.0.1/16".parse().unwrap());
    network.attach(host, lan, both);
    network.seat(host, 1900, advertiser());
    network.run_for(SECOND * 10);
    network.clear_packets();
    network.attach(host, lan, eth(1));
    network.run_for(SECOND * 10);
    let said = said(&network);
    assert!(said.iter().all(|s| s.from == IpAddr::from([10, 77, 1, 1])));
    // Control points on the link forget the lost URL, and learn the other one again.
    assert_eq!(kinds(&said), [NotifyKind::ByeBye, NotifyKind::Alive]);
    assert_eq!(said.last().unwrap().boot, Some(BOOT + 1));
}

#[test]
fn an_address_is_used_when_it_has_settled_and_not_when_it_is_temporary() {
    let TwoLans { mut network, host, lans } = on_one_of_two_lans();
    let with = |tentative, temporary| {
        let mut eth2 = Interface::new("eth2", 4);
        let net = "fd77:2::1/64".parse().unwrap();
        let address = InterfaceAddr::new(net).with_tentative(tentative);
        eth2.addresses.push(address.with_temporary(temporary));
        eth2
    };
    for (interface, expected) in
        [(with(true, false), false), (with(false, true), false), (with(false, false), true)]
    {
        network.clear_packets();
        network.attach(host, lans[1], interface);
        network.run_for(SECOND * 30);
        assert_eq!(!said(&network).is_empty(), expected);
    }
}

#[test]
fn an_answer_that_waits_for_a_lost_link_is_dropped() {
    let TwoLans { mut network, host, lans } = on_one_of_two_lans();
    let client = address("10.77.1.2:5000");
    network.inject(lans[0], client, group(), search(MEDIA_SERVER, 5));
    network.run_for(Duration::from_millis(5));
    let moved = Interface::new("eth1", 3).with_address("10.77.1.99/24".parse().unwrap());
    network.attach(host, lans[0], moved);
    network.run_for(SECOND * 10);
    let stale: Vec<_> = answers(&network, client)
        .into_iter()
        .filter(|(_, _, _, location)| location.contains("10.77.1.1:"))
        .collect();
    assert_eq!(stale, []);
}

#[test]
fn a_flapping_interface_makes_no_storm_and_searches_are_answered() {
    let TwoLans { mut network, host, lans } = on_one_of_two_lans();
    let mut clients = 0;
    for flap in 0..300_u32 {
        // Up and down every 200 ms for a minute, each time with another address.
        let last = u8::try_from(flap % 200 + 10).unwrap();
        let net = format!("10.77.2.{last}/24").parse().unwrap();
        network.attach(host, lans[1], Interface::new("eth2", 4).with_address(net));
        network.run_for(Duration::from_millis(100));
        if flap % 10 == 0 {
            let client = address("10.77.1.2:6000");
            network.inject(lans[0], client, group(), search(MEDIA_SERVER, 1));
            clients += 1;
        }
        network.detach(host, 4);
        network.run_for(Duration::from_millis(100));
    }
    network.run_for(SECOND * 60);
    let answered = answers(&network, address("10.77.1.2:6000")).len();
    assert_eq!(answered, clients, "searches on the other interface");
    let said = said(&network);
    // Three sequences at once and one each 20 s, of at most 4 sets on 2 links.
    assert!(said.len() <= (3 + 6) * 5 * SET * 2, "{} messages", said.len());
    let boots: Vec<_> = said.iter().filter_map(|s| s.boot).collect();
    assert!(boots.is_sorted(), "the boot id never goes back");
    assert!(boots.iter().collect::<BTreeSet<_>>().len() <= 10);
}

#[test]
fn a_flap_that_is_over_is_announced_in_the_end() {
    let TwoLans { mut network, host, lans } = on_one_of_two_lans();
    for _ in 0..20 {
        network.attach(host, lans[1], eth(2));
        network.run_for(Duration::from_millis(300));
        network.detach(host, 4);
        network.run_for(Duration::from_millis(300));
    }
    network.attach(host, lans[1], eth(2));
    network.clear_packets();
    network.run_for(SECOND * 61);
    let said = said(&network);
    let alives = from(&said, [10, 77, 2, 1]);
    let alives = alives.iter().filter(|s| s.kind == NotifyKind::Alive);
    assert_eq!(alives.count(), 3 * SET);
}

#[test]
fn a_new_link_is_answered_before_it_is_announced() {
    let TwoLans { mut network, host, lans } = on_one_of_two_lans();
    // Uses up the sequences that are had at once.
    for _ in 0..5 {
        network.attach(host, lans[1], eth(2));
        network.run_for(SECOND);
        network.detach(host, 4);
        network.run_for(SECOND);
    }
    network.attach(host, lans[1], eth(2));
    let client = address("10.77.2.2:5000");
    network.inject(lans[1], client, group(), search(MEDIA_SERVER, 1));
    network.run_for(SECOND);
    let answers = answers(&network, client);
    assert_eq!(answers.len(), 1);
    assert!(answers[0].3.contains("10.77.2.1"));
}
