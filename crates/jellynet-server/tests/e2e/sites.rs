//! Several servers behind one: by base path and by host name, each found, announced and reached
//! as itself.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Lines, Write};
use std::net::{TcpStream, UdpSocket};
use std::time::Duration;

use jellynet_test::netns::Namespace;
use jellynet_test::peer::{self, Process};
use serde_json::Value;

use crate::rig::{CHANGE, Folder, MediaServer, Network, SOON, Server, ask, get};

pub(crate) const FILMS: &str = "f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1";
pub(crate) const MUSIC: &str = "a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2";
const ADMIN: &str = "127.0.0.1:9096";
pub(crate) const LAN: &str = "10.77.1.1:8096";

/// The blocks of the guide's page: the very configurations that an operator copies.
fn of_the_guide(title: &str) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guide/several-servers.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (_, rest) = page.split_once(&format!("## {title}\n")).unwrap();
    let (_, block) = rest.split_once("```toml\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    format!("{block}\n[admin]\nlisten = ['{ADMIN}']\n")
}

fn both(on: &Namespace) {
    MediaServer::start_as(on, "127.0.0.1:8097", FILMS, "Films");
    MediaServer::start_as(on, "127.0.0.1:8098", MUSIC, "Music");
}

/// Every server that answers a search, by its id, and its address.
pub(crate) fn discover(from: &Namespace) -> BTreeMap<String, String> {
    from.run(|| {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.set_broadcast(true).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(700))).unwrap();
        socket.send_to(b"Who is JellyfinServer?", "255.255.255.255:7359").unwrap();
        let mut found = BTreeMap::new();
        let mut buffer = [0; 2048];
        while let Ok(length) = socket.recv(&mut buffer) {
            let answer: Value = serde_json::from_slice(&buffer[..length]).unwrap();
            let text = |key: &str| answer[key].as_str().unwrap().to_owned();
            assert_eq!(found.insert(text("Id"), text("Address")), None, "each answers once");
        }
        found
    })
}

fn found(films: &str, music: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(FILMS.to_owned(), films.to_owned()), (MUSIC.to_owned(), music.to_owned())])
}

/// Says a line through a tunnel at this path, and returns what comes back.
fn tunnel(from: &Namespace, host: &str, path: &str) -> String {
    let (mut stream, mut lines) = open_tunnel(from, host, path);
    writeln!(stream, "hello").unwrap();
    lines.next().unwrap().unwrap()
}

/// A tunnel, and the lines that come out of it.
pub(crate) fn open_tunnel(
    from: &Namespace,
    host: &str,
    path: &str,
) -> (TcpStream, Lines<BufReader<TcpStream>>) {
    let mut stream = from.run(|| TcpStream::connect(LAN).unwrap());
    stream.set_read_timeout(Some(SOON)).unwrap();
    let fields = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                  Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n\r\n").unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let status = lines.next().unwrap().unwrap();
    assert!(status.contains(" 101 "), "{host}{path}: {status}");
    while !lines.next().unwrap().unwrap().is_empty() {}
    (stream, lines)
}

/// `GET` of a path under a host name.
fn of_host(from: &Namespace, host: &str, path: &str) -> crate::rig::Answer {
    let host = format!("Host: {host}");
    from.run(|| ask(LAN, &format!("GET {path}"), &[&host]).unwrap())
}

/// Who says to be at a path, and under which address.
fn who(answer: &crate::rig::Answer) -> (String, String) {
    assert_eq!(answer.status, 200, "{}", answer.head);
    let told: Value = serde_json::from_str(&answer.body).unwrap();
    let text = |key: &str| told[key].as_str().unwrap().to_owned();
    (text("Id"), text("LocalAddress"))
}

fn is(id: &str, address: &str) -> (String, String) {
    (id.to_owned(), address.to_owned())
}

#[test]
fn two_servers_below_two_paths_are_found_and_reached_as_themselves() {
    let Some(net) = Network::new() else { return };
    both(&net.server);
    let server = Server::start(&net.server, &of_the_guide("By path"));
    let at = |base: &str| format!("http://{LAN}{base}");
    peer::wait_until("both", SOON, || discover(&net.one).len() == 2);
    assert_eq!(discover(&net.one), found(&at("/films"), &at("/music")));
    let two = "http://10.77.2.1:8096";
    assert_eq!(discover(&net.two), found(&format!("{two}/films"), &format!("{two}/music")));
    for (base, id, name) in [("/films", FILMS, "Films"), ("/music", MUSIC, "Music")] {
        let answer = get(&net.one, LAN, &format!("{base}/System/Info/Public")).unwrap();
        assert_eq!(who(&answer), is(id, &at(base)));
        let inner = get(&net.one, LAN, &format!("{base}/Items?x")).unwrap().body;
        assert!(inner.starts_with("GET /Items?x "), "{inner}");
        assert!(
            inner.to_ascii_lowercase().contains(&format!("x-forwarded-prefix: {base}\r\n")),
            "{inner}"
        );
        assert_eq!(tunnel(&net.one, LAN, &format!("{base}/socket")), format!("{name}: hello"));
        let home = get(&net.one, LAN, base).unwrap();
        let to = format!("{}/web/", &base[1..]);
        assert_eq!((home.status, home.header("location")), (302, Some(&*to)));
    }
    let first = get(&net.one, LAN, "/System/Info/Public").unwrap();
    assert_eq!(who(&first), is(FILMS, &at("/films")), "without a prefix, the first");

    let list = get(&net.one, LAN, "/").unwrap();
    assert_eq!(list.status, 200, "{}", list.head);
    for link in ["<a href=\"./films/\">Films</a>", "<a href=\"./music/\">Music</a>"] {
        assert!(list.body.contains(link), "{link} is not in\n{}", list.body);
    }
    let lost = get(&net.one, LAN, "/a/b").unwrap();
    assert_eq!(lost.status, 404);
    assert!(lost.body.contains("<a href=\"./../films/\">"), "{}", lost.body);
    let program = net.one.run(|| ask(LAN, "POST /Sessions", &["Content-Length: 0"]).unwrap());
    assert_eq!((program.status, program.body.contains('<')), (404, false));
    let start = server.process.output();
    for line in [
        "upstream: http://127.0.0.1:8097 (films, at /films)",
        "announced: http://10.77.1.1:8096/music to 10.77.1.0/24 (eth0) (music)",
    ] {
        assert!(start.contains(line), "{line} is not in\n{start}");
    }
}

#[test]
fn two_servers_of_two_names_are_found_and_reached_as_themselves() {
    let Some(net) = Network::new() else { return };
    both(&net.server);
    let _server = Server::start(&net.server, &of_the_guide("By name"));
    peer::wait_until("both", SOON, || discover(&net.one).len() == 2);
    let (films, music) = ("http://films.lan:8096", "http://music.lan:8096");
    assert_eq!(discover(&net.one), found(films, music), "an address would lead to neither");
    for (host, id, url, name) in
        [("FILMS.lan:8096", FILMS, films, "Films"), ("music.lan", MUSIC, music, "Music")]
    {
        assert_eq!(who(&of_host(&net.one, host, "/System/Info/Public")), is(id, url));
        assert_eq!(tunnel(&net.one, host, "/socket"), format!("{name}: hello"));
    }
    let stranger = of_host(&net.one, "books.lan", "/System/Info/Public");
    assert_eq!(stranger.status, 421, "{}", stranger.head);
    assert!(!stranger.body.contains(FILMS), "{}", stranger.body);
    assert_eq!(of_host(&net.one, LAN, "/web/").status, 421);
    assert_eq!(of_host(&net.one, LAN, "/health").body, "Healthy", "who watches needs no name");
}

#[test]
fn jellyfins_python_client_finds_both_and_connects() {
    let Some(python) = peer::find_python("jellyfin-apiclient-python") else { return };
    let Some(net) = Network::new() else { return };
    both(&net.server);
    let _server = Server::start(&net.server, &of_the_guide("By path"));
    peer::wait_until("both", SOON, || discover(&net.one).len() == 2);
    let mut command = python.command();
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/peers/apiclient.py"));
    let client = net.one.spawn(command);
    assert!(client.wait(SOON).success(), "{}", client.output());
    for (base, id) in [("films", FILMS), ("music", MUSIC)] {
        let line = client.find_line(&format!("{LAN}/{base}\""), SOON);
        let seen: Value = serde_json::from_str(&line.unwrap_or_else(|| client.output())).unwrap();
        assert_eq!(
            (&seen["found"]["Id"], &seen["connected"]["Id"]),
            (&id.into(), &id.into()),
            "{seen}"
        );
    }
}

#[test]
fn one_that_is_down_harms_no_other_and_is_named() {
    let Some(host) = Namespace::new("jellynet-server") else { return };
    MediaServer::start_as(&host, "127.0.0.1:8097", FILMS, "Films");
    let _server = Server::start(&host, &of_the_guide("By path"));
    let public = "127.0.0.1:8096";
    let parts = || {
        let body = get(&host, ADMIN, "/ready").unwrap().body;
        let ready: Value = serde_json::from_str(&body).unwrap();
        let of = |name: &str| {
            let parts = ready["parts"].as_array().unwrap();
            parts.iter().find(|part| part["name"] == name).unwrap_or_else(|| panic!("{body}"))["ready"].clone()
        };
        (of("upstream films"), of("upstream music"))
    };
    peer::wait_until("one of two", SOON, || parts() == (true.into(), false.into()));
    assert_eq!(get(&host, public, "/films/x").unwrap().status, 200);
    let down = get(&host, public, "/music/x").unwrap();
    assert_eq!((down.status, down.header("retry-after").is_some()), (503, true));
    let metrics = get(&host, ADMIN, "/metrics").unwrap().body;
    for sample in
        ["jellynet_upstream_up{upstream=\"films\"} 1", "jellynet_upstream_up{upstream=\"music\"} 0"]
    {
        assert!(metrics.contains(sample), "{sample} is not in\n{metrics}");
    }
    MediaServer::start_as(&host, "127.0.0.1:8098", MUSIC, "Music");
    peer::wait_until("both of two", SOON, || parts() == (true.into(), true.into()));
    let status: Value =
        serde_json::from_str(&get(&host, ADMIN, "/status.json").unwrap().body).unwrap();
    let music = &status["upstreams"][1];
    for (key, value) in [
        ("name", "music"),
        ("base_url", "/music"),
        ("state", "up"),
        ("id", MUSIC),
        ("server_name", "Music"),
    ] {
        assert_eq!(music[key], value, "{key} in {status}");
    }
}

#[test]
fn each_is_a_device_of_its_own_for_televisions() {
    let (Some(program), Some(net)) = (peer::find_with("gssdp-discover", &[]), Network::new())
    else {
        return;
    };
    both(&net.server);
    for (title, films, music) in [("By path", "/films", "/music"), ("By name", "", "")] {
        let mut command = program.command();
        command.args(["-i", "eth0", "-m", "all"]);
        let seen = net.one.spawn(command);
        let config = format!("{}[ssdp]\nenabled = true\n", of_the_guide(title));
        let server = Server::start(&net.server, &config);
        for (base, id, name) in [(films, FILMS, "Films"), (music, MUSIC, "Music")] {
            let udn = format!(
                "{}-{}-{}-{}-{}",
                &id[..8],
                &id[8..12],
                &id[12..16],
                &id[16..20],
                &id[20..]
            );
            let url = format!("Location: http://{LAN}{base}/dlna/{udn}/description.xml");
            seen.wait_for_line(&url, SOON);
            let path = format!("{base}/dlna/{udn}/description.xml");
            let description = get(&net.one, LAN, &path).unwrap().body;
            assert!(
                description.contains(&format!("<friendlyName>{name}</friendlyName>")),
                "{description}"
            );
            let control = format!("{base}/dlna/{udn}/contentdirectory/control");
            assert!(description.contains(&format!("http://{LAN}{control}<")), "{description}");
            let post = format!("POST {control}");
            let asked = net.one.run(|| ask(LAN, &post, &["Content-Length: 0"]).unwrap());
            assert_eq!(
                asked.status, 200,
                "its control leads to it, by address too: {}",
                asked.head
            );
            let short = get(&net.one, LAN, &format!("/dlna/{udn}/x")).unwrap();
            assert_eq!(short.status, 200, "{}", short.head);
        }
        server.process.terminate();
        server.process.wait(SOON);
        seen.wait_for_line("resource unavailable", SOON);
    }
}

#[test]
fn two_with_one_id_are_reported_and_announced_once() {
    let Some(net) = Network::new() else { return };
    MediaServer::start_as(&net.server, "127.0.0.1:8097", FILMS, "Films");
    MediaServer::start_as(&net.server, "127.0.0.1:8098", FILMS, "A copy of films");
    let server = Server::start(&net.server, &of_the_guide("By path"));
    server.process.wait_for_line("two upstreams have one id", SOON);
    peer::wait_until("the first", SOON, || {
        discover(&net.one) == BTreeMap::from([(FILMS.to_owned(), format!("http://{LAN}/films"))])
    });
}

/// An upstream below a path of its own, as nginx serves it.
fn nginx(on: &Namespace, folder: &Folder, port: u16, inside: &str, id: &str) -> Option<Process> {
    let program = peer::find_with("nginx", &["-v"])?;
    let info = format!(
        "{{\"ServerName\":\"{id}\",\"Version\":\"1\",\"ProductName\":\"x\",\"Id\":\"{id}\",\"LocalAddress\":\"\"}}"
    );
    let folder = folder.path().join(port.to_string());
    std::fs::create_dir_all(&folder).unwrap();
    let config = format!(
        "daemon off; master_process off; error_log stderr; events {{}} pid {0}/pid;\n\
         http {{ access_log off; client_body_temp_path {0}/b; proxy_temp_path {0}/p;\n\
         fastcgi_temp_path {0}/f; uwsgi_temp_path {0}/u; scgi_temp_path {0}/s;\n\
         server {{ listen 127.0.0.1:{port}; default_type text/plain;\n\
         location = {inside}/System/Info/Public {{ default_type application/json; return 200 '{info}'; }}\n\
         location = {inside}/go {{ add_header Set-Cookie 'session=1; Path={inside}/; HttpOnly' always;\n\
           return 302 {inside}/web/; }}\n\
         location = {inside}/relative {{ absolute_redirect off; return 302 {inside}/web/; }}\n\
         location {inside}/ {{ return 200 'saw $request_uri prefix=$http_x_forwarded_prefix'; }}\n\
         location / {{ return 404; }} }} }}\n",
        folder.display()
    );
    let file = folder.join("nginx.conf");
    std::fs::write(&file, config).unwrap();
    let mut command = program.command();
    command.arg("-p").arg(&folder).arg("-c").arg(file).args(["-e", "stderr"]);
    Some(on.spawn(command))
}

#[test]
fn paths_are_mapped_between_outside_and_inside() {
    let Some(host) = Namespace::new("jellynet-server") else { return };
    let folder = Folder::new();
    let (Some(_app), Some(_tv)) =
        (nginx(&host, &folder, 8097, "/app", FILMS), nginx(&host, &folder, 8098, "/tv", MUSIC))
    else {
        return;
    };
    let config = "[discovery]\nenabled = false\n\
        [[upstream]]\nurl = 'http://127.0.0.1:8097/app'\nbase_url = '/films'\n\
        [[upstream]]\nurl = 'http://127.0.0.1:8098/tv'\nbase_url = '/media/tv'\nlocal_address = false\n";
    let server = Server::start(&host, config);
    for id in [FILMS, MUSIC] {
        server.process.wait_for_line(id, SOON);
    }
    let get = |path: &str| {
        host.run(|| ask("127.0.0.1:8096", &format!("GET {path}"), &["Host: tv.lan:8096"]).unwrap())
    };
    for (outside, inside, prefix) in [("/films", "/app", ""), ("/media/tv", "/tv", "/media")] {
        let seen = get(&format!("{outside}/Items?a={inside}"));
        assert_eq!(seen.body, format!("saw {inside}/Items?a={inside} prefix={prefix}"));
        let relative = get(&format!("{outside}/relative"));
        assert_eq!(relative.header("location"), Some(&*format!("{outside}/web/")));
        // nginx writes its own port beside the client's host.
        let go = get(&format!("{outside}/go"));
        assert_eq!(go.header("location"), Some(&*format!("{outside}/web/")), "{}", go.head);
        let cookie = format!("session=1; Path={outside}; HttpOnly");
        assert_eq!(go.header("set-cookie"), Some(&*cookie), "{}", go.head);
    }
    assert!(get("/films/System/Info/Public").body.contains("http://127.0.0.1:8096/films"));
    assert!(
        get("/media/tv/System/Info/Public").body.contains("\"LocalAddress\":\"\""),
        "left alone"
    );
}

#[test]
fn a_proxy_that_cuts_the_base_path_off_unsaid_is_reported_once() {
    let Some(host) = Namespace::new("jellynet-server") else { return };
    MediaServer::start(&host, "127.0.0.1:8097");
    let config = "[discovery]\nenabled = false\n[proxies]\nknown = ['127.0.0.1']\n[base_url]\n\
                  path = '/tv'\n[[upstream]]\nurl = 'http://127.0.0.1:8097'\n";
    let server = Server::start(&host, config);
    let at = |address: &str, path: &str, referer: &str| {
        let referer = format!("Referer: https://tv.example{referer}");
        let headers = ["X-Forwarded-For: 192.0.2.1", "Host: tv.example", &referer];
        host.run(|| ask(address, &format!("GET {path}"), &headers).unwrap());
    };
    // Who comes by IPv6 is no known proxy.
    at("[::1]:8096", "/tv/web/a.js", "/tv/tv/web/");
    let ask = |path: &str, referer: &str| at("127.0.0.1:8096", path, referer);
    ask("/tv/web/a.js", "/tv/web/");
    ask("/tv/tv/a.js", "/tv/tv/web/");
    ask("/tv/web/a.js", "/tv/tvs/");
    assert!(
        !server.process.output().contains("cuts the base path off"),
        "{}",
        server.process.output()
    );
    ask("/tv/web/a.js", "/tv/tv/web/");
    let line = server.process.wait_for_line("cuts the base path off", SOON);
    assert!(line.contains("X-Forwarded-Prefix: /tv"), "{line}");
    ask("/tv/web/b.js", "/tv/tv/web/");
    server.process.terminate();
    server.process.wait(CHANGE.max(SOON));
    assert_eq!(server.process.output().matches("cuts the base path off").count(), 1);
}
