//! Both sides in virtual time.

use std::net::SocketAddr;
use std::time::Duration;

use jellynet_discovery::{
    Identity, PORT, Probes, Rate, Responder, ResponderConfig, ResponderEvent, SeekEvent, Seeker,
    SeekerConfig, ServerId,
};
use jellynet_netif::{Interface, SubnetSet};
use jellynet_test::wire::{Host, Lan, Network, Seat, Weather};

const ID: ServerId = ServerId::from_bytes([7; 16]);

fn interface(name: &str, index: u32, net: &str) -> Interface {
    Interface::new(name, index).with_address(net.parse().unwrap())
}

fn responder(id: ServerId) -> Responder {
    Responder::new(ResponderConfig::default())
        .with_identity(Identity::new(id, "Den", |asker| Some(asker.http(8096))))
}

struct TwoLans {
    network: Network,
    lans: [Lan; 2],
    server: Host,
    responder: Seat<Responder>,
}

/// A server at 10.77.1.1 and 10.77.2.1.
fn two_lans(responder: Responder) -> TwoLans {
    let mut network = Network::new(7);
    let lans = [network.lan(), network.lan()];
    let server = network.host("server");
    network.attach(server, lans[0], interface("eth0", 2, "10.77.1.1/24"));
    network.attach(server, lans[1], interface("eth1", 3, "10.77.2.1/24"));
    let responder = network.seat(server, PORT, responder);
    TwoLans { network, lans, server, responder }
}

impl TwoLans {
    /// The answers to one question.
    fn ask(&mut self, lan: usize, source: &str, destination: &str, payload: &str) -> Vec<String> {
        let source: SocketAddr = source.parse().unwrap();
        let destination = SocketAddr::new(destination.parse().unwrap(), PORT);
        self.network.clear_packets();
        self.network.inject(self.lans[lan], source, destination, payload);
        self.network.run_for(Duration::from_secs(1));
        let sent = self.network.sent_to(source);
        sent.iter()
            .map(|packet| {
                let text = String::from_utf8(packet.payload.to_vec()).unwrap();
                format!("{} {text}", packet.source)
            })
            .collect()
    }
}

#[test]
fn each_lan_is_told_its_own_address() {
    let mut here = two_lans(responder(ID));
    for (lan, source, to, from) in [
        (0, "10.77.1.9:40000", "255.255.255.255", "10.77.1.1"),
        (0, "10.77.1.9:40000", "10.77.1.255", "10.77.1.1"),
        (0, "10.77.1.9:7359", "10.77.1.1", "10.77.1.1"),
        (1, "10.77.2.9:40000", "255.255.255.255", "10.77.2.1"),
    ] {
        let answers = here.ask(lan, source, to, "who is JellyfinServer?");
        assert_eq!(
            answers,
            [format!(
                "{from}:7359 {{\"Address\":\"http://{from}:8096\",\"Id\":\"{ID}\",\"Name\":\"Den\",\"EndpointAddress\":null}}"
            )],
            "{source} to {to}"
        );
    }
    assert_eq!(here.network.events(here.responder).len(), 4);
}

#[test]
fn strangers_are_answered_only_when_listed() {
    let question = "who is JellyfinServer?";
    let stranger = "192.0.2.9:40000";
    let mut here = two_lans(responder(ID));
    let none: [String; 0] = [];
    assert_eq!(here.ask(0, stranger, "10.77.1.1", question), none);
    assert_eq!(here.ask(0, "10.77.2.9:40000", "10.77.1.1", question), none);
    let stats = here.network.act(here.responder, |r, _| r.stats());
    assert_eq!((stats.off_link, stats.answered), (2, 0));

    let mut config = ResponderConfig::default();
    config.allowed = SubnetSet::new(["192.0.2.0/24".parse().unwrap()]);
    let identity = Identity::new(ID, "Den", |asker| Some(asker.http(8096)));
    let mut here = two_lans(Responder::new(config).with_identity(identity));
    assert_eq!(here.ask(0, stranger, "10.77.1.1", question).len(), 1);
    assert_eq!(here.ask(0, "192.0.2.9:0", "10.77.1.1", question), none);
}

#[test]
fn every_identity_answers_and_one_without_a_url_does_not() {
    let other = ServerId::from_bytes([8; 16]);
    let third = ServerId::from_bytes([9; 16]);
    let responder = responder(ID)
        .with_identity(Identity::new(other, "Attic", |_| None))
        .with_identity(Identity::new(third, "Loft", |_| Some("https://x/".to_owned())));
    let mut here = two_lans(responder);
    let ask = |here: &mut TwoLans| {
        let answers = here.ask(0, "10.77.1.9:4", "255.255.255.255", "who is JellyfinServer?");
        answers.len()
    };
    assert_eq!(ask(&mut here), 2);
    here.network.act(here.responder, |r, _| r.withdraw(ID));
    here.network.act(here.responder, |r, _| r.withdraw(third));
    here.network.events(here.responder);
    assert_eq!(ask(&mut here), 0);
    let events = here.network.events(here.responder);
    assert!(matches!(events.as_slice(), [ResponderEvent::Unanswerable { .. }]));
}

#[test]
fn two_servers_do_not_talk_to_each_other_for_ever() {
    // The name is the question: who answers answers will never stop.
    let name = "who is JellyfinServer?";
    let mut config = ResponderConfig::default();
    config.probes = Probes::default().with("{");
    let identity = Identity::new(ID, name, |asker| Some(asker.http(8096)));
    let responder = Responder::new(config).with_identity(identity);
    let mut here = two_lans(responder);
    let second = here.network.host("second");
    let lan = here.lans[0];
    here.network.attach(second, lan, interface("eth0", 2, "10.77.1.2/24"));
    here.network.seat(second, PORT, self::responder(ServerId::from_bytes([8; 16])));
    let forged: SocketAddr = "10.77.1.2:7359".parse().unwrap();
    let to: SocketAddr = "10.77.1.1:7359".parse().unwrap();
    here.network.inject(lan, forged, to, "who is JellyfinServer?");
    here.network.run_for(Duration::from_secs(60));
    assert_eq!(here.network.packets().len(), 2, "the question and one answer");
}

#[test]
fn a_flood_is_answered_as_often_as_allowed() {
    let mut config = ResponderConfig::default();
    config.per_source = Rate::new(1, 5);
    let identity = Identity::new(ID, "Den", |asker| Some(asker.http(8096)));
    let mut here = two_lans(Responder::new(config).with_identity(identity));
    let source: SocketAddr = "10.77.1.9:4000".parse().unwrap();
    let to: SocketAddr = "10.77.1.1:7359".parse().unwrap();
    for _ in 0..1000 {
        here.network.inject(here.lans[0], source, to, "who is JellyfinServer?");
    }
    here.network.run_for(Duration::from_secs(1));
    assert_eq!(here.network.sent_to(source).len(), 5);
    let other = here.ask(0, "10.77.1.8:4", "10.77.1.1", "who is JellyfinServer?");
    assert_eq!(other.len(), 1, "the others are served");
}

#[test]
fn an_interface_that_comes_later_is_answered_on() {
    let mut here = two_lans(responder(ID));
    here.network.detach(here.server, 3);
    let question = "who is JellyfinServer?";
    let none: [String; 0] = [];
    assert_eq!(here.ask(1, "10.77.2.9:4", "255.255.255.255", question), none);
    here.network.attach(here.server, here.lans[1], interface("eth1", 9, "10.77.2.5/24"));
    let answers = here.ask(1, "10.77.2.9:4", "255.255.255.255", question);
    assert!(answers[0].contains("http://10.77.2.5:8096"), "{answers:?}");
}

/// A seeker beside the server on both LANs.
fn seek(here: &mut TwoLans, config: SeekerConfig) -> Vec<SeekEvent> {
    let client = here.network.host("client");
    here.network.attach(client, here.lans[0], interface("eth0", 2, "10.77.1.9/24"));
    here.network.attach(client, here.lans[1], interface("eth1", 3, "10.77.2.9/24"));
    let seat = here.network.seat(client, 0, Seeker::new(config));
    here.network.run_for(Duration::from_secs(10));
    here.network.events(seat)
}

#[test]
fn a_server_on_two_lans_is_one_server_with_two_ways() {
    let mut here = two_lans(responder(ID));
    let events = seek(&mut here, SeekerConfig::default());
    let [SeekEvent::Found(first), SeekEvent::Also(second), SeekEvent::Over] = events.as_slice()
    else {
        panic!("{events:?}");
    };
    let mut urls = [&first.answer.address, &second.answer.address];
    urls.sort();
    assert_eq!(urls, ["http://10.77.1.1:8096", "http://10.77.2.1:8096"]);
    assert_eq!((first.from.port(), first.answer.id.as_str()), (PORT, &*ID.to_string()));
}

#[test]
fn another_host_with_our_id_is_a_conflict_told_once() {
    let mut here = two_lans(responder(ID));
    let config = SeekerConfig::default().with_own([ID]);
    let events = seek(&mut here, config.clone());
    let conflicts = events.iter().filter(|e| matches!(e, SeekEvent::Conflict(_)));
    assert_eq!(conflicts.count(), 2, "one per address: {events:?}");

    // The server itself asks, and hears itself.
    let seat = here.network.seat(here.server, 0, Seeker::new(config));
    here.network.run_for(Duration::from_secs(10));
    let events = here.network.events(seat);
    assert!(!events.iter().any(|e| matches!(e, SeekEvent::Conflict(_))), "{events:?}");
    assert_eq!(events.last(), Some(&SeekEvent::Over));
}

#[test]
fn a_seeker_without_interfaces_asks_when_one_comes() {
    let mut here = two_lans(responder(ID));
    let client = here.network.host("client");
    let seat = here.network.seat(client, 0, Seeker::new(SeekerConfig::default()));
    here.network.run_for(Duration::from_millis(2500));
    here.network.attach(client, here.lans[0], interface("eth0", 2, "10.77.1.9/24"));
    here.network.run_for(Duration::from_secs(10));
    let events = here.network.events(seat);
    assert!(matches!(events.as_slice(), [SeekEvent::Found(_), SeekEvent::Over]), "{events:?}");
}

#[test]
fn a_vpn_is_not_asked() {
    let mut network = Network::new(7);
    let lan = network.lan();
    let client = network.host("client");
    let mut vpn = interface("tun0", 2, "10.8.0.2/24");
    vpn.flags.point_to_point = true;
    network.attach(client, lan, vpn);
    network.seat(client, 0, Seeker::new(SeekerConfig::default()));
    network.run_for(Duration::from_secs(10));
    let asked = network.packets().iter().filter(|packet| packet.lan.is_some());
    assert_eq!(asked.count(), 0);
}

#[test]
fn a_server_is_found_once_in_any_weather() {
    for seed in 0..64 {
        let mut network = Network::new(seed);
        let lan = network.lan();
        let server = network.host("server");
        network.attach(server, lan, interface("eth0", 2, "10.77.1.1/24"));
        network.seat(server, PORT, responder(ID));
        network.set_weather(Weather::storm());
        let client = network.host("client");
        network.attach(client, lan, interface("eth0", 2, "10.77.1.9/24"));
        let seat = network.seat(client, 0, Seeker::new(SeekerConfig::default()));
        network.run_for(Duration::from_secs(10));
        let events = network.events(seat);
        assert!(
            matches!(events.as_slice(), [SeekEvent::Found(_), SeekEvent::Over]),
            "seed {seed}: {events:?}"
        );
    }
}
