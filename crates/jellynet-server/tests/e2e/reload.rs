//! SIGHUP: another configuration, in force without a restart.

mod upstreams;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use jellynet_test::netns::Namespace;
use jellynet_test::peer;

use crate::rig::{Folder, MediaServer, SOON, Server, ask, get, jellynet};

const ADMIN: &str = "127.0.0.1:9096";
const PUBLIC: &str = "127.0.0.1:8096";
const USUAL: &str = "[admin]\nlisten = ['127.0.0.1:9096']\n[discovery]\nenabled = false\n";
const UPSTREAM: &str = "[[upstream]]\nurl = 'http://127.0.0.1:8097'\n";

/// Writes another configuration, asks the server to read it, and waits for what it says then.
pub(crate) fn reload(server: &Server, toml: &str, said: &str) -> String {
    let lines = || {
        let output = server.process.output();
        output.lines().filter(|line| line.contains(said)).map(str::to_owned).collect::<Vec<_>>()
    };
    let before = lines().len();
    fs::write(server.folder.path().join("jellynet.toml"), toml).unwrap();
    server.process.hang_up();
    peer::wait_until(said, SOON, || lines().len() > before);
    lines().pop().unwrap()
}

fn metric(on: &Namespace, name: &str) -> f64 {
    let text = get(on, ADMIN, "/metrics").unwrap().body;
    let line = text.lines().find(|l| l.rsplit_once(' ').is_some_and(|(key, _)| key == name));
    line.unwrap_or_else(|| panic!("no {name} in\n{text}"))
        .rsplit_once(' ')
        .unwrap()
        .1
        .parse()
        .unwrap()
}

/// One request on a connection that stays.
fn keep_asking(stream: &mut TcpStream, path: &str) -> std::io::Result<String> {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 198.51.100.9\r\n\r\n")?;
    let (mut text, mut byte) = (Vec::new(), [0]);
    while !text.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        text.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&text).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.and_then(|l| l.trim().parse().ok()).unwrap_or(0)];
    stream.read_exact(&mut body)?;
    Ok(head + &String::from_utf8_lossy(&body).to_ascii_lowercase())
}

#[test]
fn what_can_change_changes_under_load_and_no_request_fails() {
    let Some(host) = Namespace::new("jellynet-server") else { return };
    MediaServer::start(&host, "127.0.0.1:8097");
    let server = Server::start(&host, &format!("{USUAL}{UPSTREAM}"));
    server.process.wait_for_line("Living Room", SOON);
    let mut kept = host.run(|| TcpStream::connect(PUBLIC).unwrap());
    kept.set_read_timeout(Some(SOON)).unwrap();
    let before = keep_asking(&mut kept, "/x").unwrap();
    assert!(!before.contains("198.51.100.9"), "no proxy is known yet: {before}");
    let (stop, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for keep in [true, true, false] {
            let (host, stop, asked) = (&host, &stop, &asked);
            scope.spawn(move || {
                host.enter();
                let mut stream = TcpStream::connect(PUBLIC).unwrap();
                stream.set_read_timeout(Some(SOON)).unwrap();
                while !stop.load(Ordering::Relaxed) {
                    let answer = keep_asking(&mut stream, "/x").unwrap();
                    assert!(answer.starts_with("http/1.1 200"), "{answer}");
                    asked.fetch_add(1, Ordering::Relaxed);
                    if !keep {
                        stream = TcpStream::connect(PUBLIC).unwrap();
                        stream.set_read_timeout(Some(SOON)).unwrap();
                    }
                }
            });
        }
        for round in 1..=10 {
            let config =
                format!("{USUAL}{UPSTREAM}[proxies]\nknown = ['127.0.0.1', '10.0.0.{round}']\n");
            let said = reload(&server, &config, "in force: proxies.known");
            assert!(!said.contains("restart"), "{said}");
            let until = asked.load(Ordering::Relaxed) + 20;
            peer::wait_until("more requests", SOON, || asked.load(Ordering::Relaxed) > until);
        }
        stop.store(true, Ordering::Relaxed);
    });
    let after = keep_asking(&mut kept, "/x").unwrap();
    assert!(after.contains("198.51.100.9"), "the same connection, other rules: {after}");
    assert_eq!(metric(&host, "jellynet_config_last_reload_successful"), 1.0);

    reload(&server, &format!("{USUAL}{UPSTREAM}[base_url]\npath = '/tv'\n"), "base_url.path");
    let moved = get(&host, PUBLIC, "/tv/x").unwrap();
    assert!(moved.body.starts_with("GET /x "), "the prefix is taken off: {}", moved.body);
    let told = get(&host, PUBLIC, "/System/Info/Public").unwrap();
    assert!(told.body.contains(":8096/tv\""), "LocalAddress has the new path: {}", told.body);
    reload(
        &server,
        &format!("{USUAL}{UPSTREAM}[access]\nlan = ['10.0.0.0/8']\nremote = false\n"),
        "access.remote",
    );
    let answer = host.run(|| ask(PUBLIC, "GET /x", &[]).unwrap());
    assert_eq!(answer.status, 200, "loopback comes in always");
}

#[test]
fn a_bad_file_changes_nothing_and_says_all_that_is_wrong() {
    let Some(host) = Namespace::new("jellynet-server") else { return };
    MediaServer::start(&host, "127.0.0.1:8097");
    let server = Server::start(&host, &format!("{USUAL}{UPSTREAM}[base_url]\npath = '/tv'\n"));
    server.process.wait_for_line("Living Room", SOON);
    let bad = "[base_url]\npath = '/other'\n[proxies]\nknown = ['a b']\n[http]\nlistne = 1\n";
    reload(&server, bad, "keep the configuration in force");
    for part in ["proxies.known[0]", "http.listne", "2 problems"] {
        server.process.wait_for_line(part, SOON);
    }
    assert_eq!(get(&host, PUBLIC, "/tv/x").unwrap().status, 200);
    assert_eq!(metric(&host, "jellynet_config_last_reload_successful"), 0.0);
    let status = get(&host, ADMIN, "/status.json").unwrap().body;
    assert!(status.contains("\"last_reload_successful\": false"), "{status}");
    // A good one mends it.
    reload(&server, &format!("{USUAL}{UPSTREAM}"), "in force: base_url.path");
    assert_eq!(metric(&host, "jellynet_config_last_reload_successful"), 1.0);
}

#[test]
fn what_needs_a_restart_is_named_and_stays() {
    let Some(host) = Namespace::new("jellynet-server") else { return };
    let server = Server::start(&host, USUAL);
    let config = "[admin]\nlisten = ['127.0.0.1:9096']\n[http]\nlisten = ['*:9000']\n\
                  [server]\nname = 'Other'\n[base_url]\npath = '/tv'\n";
    let said = reload(&server, config, "restart to apply");
    for part in ["in force: base_url.path, discovery.enabled", "http.listen", "server.name"] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    assert!(get(&host, "127.0.0.1:9000", "/").is_err(), "it listens where it did");
    assert_eq!(get(&host, PUBLIC, "/tv/").unwrap().status, 200);
    let status: serde_json::Value =
        serde_json::from_str(&get(&host, ADMIN, "/status.json").unwrap().body).unwrap();
    let waiting = status["configuration"]["restart_needed"].to_string();
    assert_eq!(waiting, r#"["http.listen","server.name"]"#);
}

#[test]
fn systemd_is_told_that_it_reads_and_that_it_has_read() {
    let Some(host) = Namespace::new("jellynet-server") else { return };
    let folder = Folder::new();
    let socket = folder.path().join("notify.sock");
    let systemd = UnixDatagram::bind(&socket).unwrap();
    systemd.set_read_timeout(Some(SOON)).unwrap();
    let config = folder.write("jellynet.toml", USUAL);
    let data = folder.path().join("data");
    let mut command =
        jellynet(&["--config", config.to_str().unwrap(), "--data-dir", data.to_str().unwrap()]);
    command.env("NOTIFY_SOCKET", &socket);
    let process = host.spawn(command);
    let hear = || {
        let mut message = [0; 512];
        let length = systemd.recv(&mut message).unwrap();
        String::from_utf8_lossy(&message[..length]).into_owned()
    };
    assert!(hear().contains("READY=1"));
    process.hang_up();
    let reloading = hear();
    assert!(
        reloading.contains("RELOADING=1") && reloading.contains("MONOTONIC_USEC="),
        "{reloading}"
    );
    assert!(hear().contains("READY=1"));
    process.terminate();
    assert!(hear().contains("STOPPING=1"));
    assert_eq!(process.wait(SOON + Duration::from_secs(1)).code(), Some(0));
}
