//! Upstreams that come, move and go, and what announces them switched on and off.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use jellynet_test::netns::Namespace;
use jellynet_test::peer;
use serde_json::Value;

use super::{ADMIN, keep_asking, reload};
use crate::rig::{MediaServer, Network, SOON, Server, get};
use crate::sites::{FILMS, LAN, MUSIC, discover, open_tunnel};

const USUAL: &str = "[admin]\nlisten = ['127.0.0.1:9096']\n";

fn upstream(port: u16, base: &str) -> String {
    format!("[[upstream]]\nurl = 'http://127.0.0.1:{port}'\nbase_url = '{base}'\nname = '{port}'\n")
}

/// The servers that a search finds, and where.
fn at(places: &[(&str, &str)]) -> BTreeMap<String, String> {
    places.iter().map(|(id, base)| ((*id).to_owned(), format!("http://{LAN}{base}"))).collect()
}

/// Name and state of each upstream, in `/status.json`.
fn upstreams(on: &Namespace) -> Vec<(String, String)> {
    let status: Value =
        serde_json::from_str(&get(on, ADMIN, "/status.json").unwrap().body).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let all = status["upstreams"].as_array().unwrap();
    all.iter().map(|one| (text(&one["name"]), text(&one["state"]))).collect()
}

fn named(all: &[&str]) -> Vec<(String, String)> {
    all.iter().map(|name| ((*name).to_owned(), "up".to_owned())).collect()
}

#[test]
fn upstreams_come_move_and_go_and_no_request_fails() {
    let Some(net) = Network::new() else { return };
    MediaServer::start_as(&net.server, "127.0.0.1:8097", FILMS, "Films");
    for port in ["8098", "8099"] {
        MediaServer::start_as(&net.server, &format!("127.0.0.1:{port}"), MUSIC, "Music");
    }
    let films = upstream(8097, "/films");
    let server = Server::start(&net.server, &format!("{USUAL}{films}"));
    peer::wait_until("films", SOON, || discover(&net.one) == at(&[(FILMS, "/films")]));
    let (stop, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..2 {
            let (from, stop, asked) = (&net.one, &stop, &asked);
            scope.spawn(move || {
                let mut stream = from.run(|| TcpStream::connect(LAN).unwrap());
                stream.set_read_timeout(Some(SOON)).unwrap();
                while !stop.load(Ordering::Relaxed) {
                    let answer = keep_asking(&mut stream, "/films/x").unwrap();
                    assert!(answer.starts_with("http/1.1 200"), "{answer}");
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let both = |port, base| format!("{USUAL}{}{films}", upstream(port, base));
        // It comes, and stands before the one that was there.
        let said = reload(&server, &both(8098, "/music"), "in force: upstream[0]");
        assert!(!said.contains("restart"), "{said}");
        let found = at(&[(FILMS, "/films"), (MUSIC, "/music")]);
        peer::wait_until("music", SOON, || discover(&net.one) == found);
        peer::wait_until("up", SOON, || upstreams(&net.server) == named(&["8098", "8097"]));
        assert!(get(&net.one, LAN, "/music/x").unwrap().body.starts_with("GET /x "));
        let ready = get(&net.server, ADMIN, "/ready").unwrap();
        assert!(ready.status == 200 && ready.body.contains("upstream 8098"), "{}", ready.body);
        // It moves: known at its new place at once, for who is behind it stays.
        reload(&server, &both(8098, "/songs"), "in force: upstream[0].base_url");
        assert_eq!(discover(&net.one), at(&[(FILMS, "/films"), (MUSIC, "/songs")]));
        assert!(get(&net.one, LAN, "/songs/x").unwrap().body.starts_with("GET /x "));
        assert_eq!(get(&net.one, LAN, "/music/x").unwrap().status, 404);
        // It is reached in another way, and goes on under the identity that it has.
        reload(&server, &both(8099, "/songs").replace("'8099'", "'8098'"), "upstream[0].url");
        assert_eq!(discover(&net.one), at(&[(FILMS, "/films"), (MUSIC, "/songs")]));
        peer::wait_until("up", SOON, || upstreams(&net.server) == named(&["8098", "8097"]));
        let until = asked.load(Ordering::Relaxed) + 20;
        peer::wait_until("more requests", SOON, || asked.load(Ordering::Relaxed) > until);
        stop.store(true, Ordering::Relaxed);
    });
    let metrics = get(&net.server, ADMIN, "/metrics").unwrap().body;
    assert!(metrics.contains("jellynet_upstream_up{upstream=\"8098\"} 1"), "{metrics}");
    let output = server.process.output();
    let films_up = output.lines().filter(|l| l.contains("upstream is up") && l.contains("8097"));
    assert_eq!(films_up.count(), 1, "who stays is not asked anew:\n{output}");

    // It goes, and takes nothing with it.
    reload(&server, &format!("{USUAL}{films}"), "in force: upstream[0]");
    assert_eq!(discover(&net.one), at(&[(FILMS, "/films")]));
    assert_ne!(get(&net.one, LAN, "/songs/x").unwrap().status, 200);
    let metrics = get(&net.server, ADMIN, "/metrics").unwrap().body;
    assert!(!metrics.contains("upstream=\"8098\""), "{metrics}");
    assert_eq!(upstreams(&net.server), named(&["8097"]));
    // The last one goes: the page of a server that has nothing to show.
    reload(&server, USUAL, "in force: upstream[0]");
    let page = get(&net.one, LAN, "/").unwrap();
    assert!(page.body.contains("no media server behind it yet"), "{}", page.body);
    let found = discover(&net.one);
    assert!(found.len() == 1 && !found.contains_key(FILMS), "it speaks for itself: {found:?}");
    reload(&server, &format!("{USUAL}{films}"), "in force: upstream[0]");
    peer::wait_until("films", SOON, || discover(&net.one) == at(&[(FILMS, "/films")]));
}

/// A media server that answers a request when it is told to; it says when one is there.
fn holding(on: &Namespace, port: u16) -> (mpsc::Receiver<()>, mpsc::Sender<()>) {
    let listener = on.run(|| TcpListener::bind(("127.0.0.1", port)).unwrap());
    let ((told, came), (go, wait)) = (mpsc::channel(), mpsc::channel());
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut head = [0; 4096];
            let length = stream.read(&mut head).unwrap_or(0);
            let held = head[..length].starts_with(b"GET /hold ");
            if held {
                told.send(()).unwrap();
                wait.recv().unwrap();
            }
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nheld";
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (came, go)
}

#[test]
fn what_is_under_way_to_an_upstream_that_goes_comes_to_its_end() {
    let Some(net) = Network::new() else { return };
    MediaServer::start_as(&net.server, "127.0.0.1:8097", FILMS, "Films");
    let (came, go) = holding(&net.server, 8098);
    let all = format!("{USUAL}{}{}", upstream(8097, "/films"), upstream(8098, "/hold"));
    let server = Server::start(&net.server, &all);
    let (mut tunnel, mut lines) = open_tunnel(&net.one, LAN, "/films/socket");
    thread::scope(|scope| {
        let held = scope.spawn(|| get(&net.one, LAN, "/hold/hold").unwrap());
        came.recv_timeout(SOON).unwrap();
        reload(&server, USUAL, "in force: upstream[0]");
        let page = get(&net.one, LAN, "/films/x").unwrap();
        assert!(page.body.contains("no media server behind it yet"), "{}", page.body);
        go.send(()).unwrap();
        let answer = held.join().unwrap();
        assert_eq!((answer.status, &*answer.body), (200, "held"));
    });
    writeln!(tunnel, "still here").unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "Films: still here");
}

#[test]
fn televisions_see_upstreams_come_move_and_go_and_searches_are_switched() {
    let (Some(program), Some(net)) = (peer::find_with("gssdp-discover", &[]), Network::new())
    else {
        return;
    };
    MediaServer::start_as(&net.server, "127.0.0.1:8097", FILMS, "Films");
    MediaServer::start_as(&net.server, "127.0.0.1:8098", MUSIC, "Music");
    let mut command = program.command();
    command.args(["-i", "eth0", "-m", "all", "-t", "upnp:rootdevice"]);
    let seen = net.one.spawn(command);
    let url = |base: &str, id: &str| {
        let udn = [&id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..]].join("-");
        format!("Location: http://{LAN}{base}/dlna/{udn}/description.xml")
    };
    let times = |what: &str| seen.output().matches(what).count();
    let gone = || times("resource unavailable");
    let on = "[ssdp]\nenabled = true\n";
    let films = format!("{USUAL}{on}{}", upstream(8097, "/films"));
    let server = Server::start(&net.server, &films);
    seen.wait_for_line(&url("/films", FILMS), SOON);
    reload(&server, &format!("{films}{}", upstream(8098, "/music")), "in force: upstream[1]");
    seen.wait_for_line(&url("/music", MUSIC), SOON);
    assert_eq!(gone(), 0, "who stays does not go: {}", seen.output());
    reload(&server, &format!("{films}{}", upstream(8098, "/songs")), "upstream[1].base_url");
    seen.wait_for_line(&url("/songs", MUSIC), SOON);
    let path = url("/songs", MUSIC).replace(&format!("Location: http://{LAN}"), "");
    let described = get(&net.one, LAN, &path).unwrap();
    assert!(described.body.contains("<friendlyName>Music<"), "{}", described.head);
    let before = gone();
    reload(&server, &films, "in force: upstream[1]");
    peer::wait_until("music to go", SOON, || gone() == before + 1);
    assert_ne!(get(&net.one, LAN, &path).unwrap().status, 200);
    // All is switched off, and on again.
    let off = format!("{USUAL}[discovery]\nenabled = false\n{}", upstream(8097, "/films"));
    let said = reload(&server, &off, "in force: discovery.enabled, ssdp.enabled");
    assert!(!said.contains("restart"), "{said}");
    peer::wait_until("films to go", SOON, || gone() == before + 2);
    assert_eq!(discover(&net.one), BTreeMap::new());
    let status = get(&net.server, ADMIN, "/status.json").unwrap().body;
    assert!(status.contains("\"discovery\": null"), "{status}");
    assert!(status.contains("\"ssdp\": null"), "{status}");
    let films_seen = times(&url("/films", FILMS));
    reload(&server, &films, "in force: discovery.enabled, ssdp.enabled");
    peer::wait_until("films again", SOON, || times(&url("/films", FILMS)) > films_seen);
    assert_eq!(discover(&net.one), at(&[(FILMS, "/films")]));
}
