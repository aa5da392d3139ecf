//! Seen: what control points on each LAN find by SSDP, and what the description tells them.

use std::fs;
use std::process::Command;

use jellynet_test::netns::Namespace;
use jellynet_test::peer::{self, Process, Program};

use crate::rig::{
    Answer, CHANGE, MEDIA_SERVER_ID, MediaServer, Network, SOON, Server, ask, get, jellynet,
};

/// A control point on a LAN, which tells everything that it sees come and go.
fn control_point(program: &Program, on: &Namespace) -> Process {
    let mut command = program.command();
    command.args(["-i", "eth0", "-m", "all"]);
    on.spawn(command)
}

/// The LOCATION that the control point sees first, at this address.
fn location(seen: &Process, address: &str) -> String {
    let line = seen.wait_for_line(&format!("Location: http://{address}/"), SOON);
    line.split_once("Location:").unwrap().1.trim().to_owned()
}

/// Gets a URL on an address, with these header lines.
fn fetch(from: &Namespace, url: &str, headers: &[&str]) -> Answer {
    let (address, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    from.run(|| ask(address, &format!("GET /{path}"), headers).unwrap())
}

/// The text of the first element of that name.
fn element<'x>(xml: &'x str, name: &str) -> &'x str {
    let (_, rest) =
        xml.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("no {name} in {xml}"));
    rest.split_once('<').unwrap().0
}

fn icon(xml: &str) -> &str {
    element(xml.split_once("<icon>").unwrap().1, "url")
}

/// An id of 32 digits as UPnP writes it.
fn udn(id: &str) -> String {
    let id = id.trim();
    format!("uuid:{}-{}-{}-{}-{}", &id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..])
}

#[test]
fn each_lan_sees_its_own_location_until_the_server_stops() {
    let (Some(program), Some(net)) = (peer::find_with("gssdp-discover", &[]), Network::new())
    else {
        return;
    };
    let seen = [control_point(&program, &net.one), control_point(&program, &net.two)];
    let config = "[ssdp]\nenabled = true\n[server]\nname = 'Attic & <Cellar>'\n";
    let server = Server::start(&net.server, config);
    let id = fs::read_to_string(server.folder.path().join("data/server-id")).unwrap();

    let lans = [(&net.one, "10.77.1.1:8096"), (&net.two, "10.77.2.1:8096")];
    for (seen, (host, address)) in seen.iter().zip(lans) {
        let location = location(seen, address);
        let answer = fetch(host, &location, &[]);
        assert_eq!(answer.status, 200, "{}", answer.head);
        assert!(answer.header("content-type").unwrap().starts_with("text/xml"), "{}", answer.head);
        assert_eq!(element(&answer.body, "friendlyName"), "Attic &amp; &lt;Cellar&gt;");
        assert_eq!(element(&answer.body, "UDN"), udn(&id));
        let icon = icon(&answer.body);
        assert!(icon.starts_with(&format!("http://{address}/dlna/")), "{icon}");
        let picture = fetch(host, icon, &[]);
        assert_eq!((picture.status, picture.header("content-type")), (200, Some("image/png")));
        let foreign = fetch(host, &location, &["Host: evil.example"]);
        assert_eq!(foreign.status, 403, "a name is no way in for another site's page");
        assert!(!foreign.body.contains("friendlyName"), "{}", foreign.body);
    }
    for (seen, other) in seen.iter().zip(["10.77.2.1", "10.77.1.1"]) {
        assert!(!seen.output().contains(other), "{}", seen.output());
        assert!(!seen.output().contains("unavailable"), "{}", seen.output());
    }
    server.process.terminate();
    assert_eq!(server.process.wait(SOON).code(), Some(0));
    for seen in &seen {
        let gone = seen.find_line("resource unavailable", CHANGE);
        assert!(gone.is_some(), "{}{}", seen.output(), server.process.output());
    }
}

#[test]
fn televisions_need_neither_the_base_url_nor_https() {
    let (Some(program), Some(net)) = (peer::find_with("gssdp-discover", &[]), Network::new())
    else {
        return;
    };
    let seen = control_point(&program, &net.one);
    let config = "[ssdp]\nenabled = true\n[base_url]\npath = '/jellyfin'\n\
                  [https]\nlisten = ['*:8920']\nredirect = true\n";
    let _server = Server::start(&net.server, config);
    let address = "10.77.1.1:8096";
    let location = location(&seen, address);
    assert!(location.contains("/dlna/"), "{location}");
    let (_, below) = location.split_once("/dlna/").unwrap();
    for base in ["", "/jellyfin"] {
        let url = format!("http://{address}{base}/dlna/{below}");
        let answer = fetch(&net.one, &url, &[]);
        assert_eq!(answer.status, 200, "{url}: {}", answer.head);
        let icon = icon(&answer.body);
        assert!(icon.starts_with(&format!("http://{address}{base}/dlna/")), "{icon}");
        assert_eq!(fetch(&net.one, icon, &[]).status, 200);
    }
    let page = get(&net.one, address, "/jellyfin/").unwrap();
    assert!((300..400).contains(&page.status), "all else goes to HTTPS: {}", page.head);
}

#[test]
fn the_upstream_is_announced_once_it_is_known_and_leaves_with_the_server() {
    let (Some(program), Some(net)) = (peer::find_with("gssdp-discover", &[]), Network::new())
    else {
        return;
    };
    let seen = control_point(&program, &net.two);
    let config = "[ssdp]\nenabled = true\n[[upstream]]\nurl = 'http://127.0.0.1:8097'\n";
    let server = Server::start(&net.server, config);
    assert_eq!(seen.find_line("resource available", CHANGE), None, "no identity is invented");
    MediaServer::start(&net.server, "127.0.0.1:8097");
    let location = location(&seen, "10.77.2.1:8096");
    let body = fetch(&net.two, &location, &[]).body;
    assert_eq!(element(&body, "friendlyName"), "Living Room");
    assert_eq!(element(&body, "UDN"), udn(MEDIA_SERVER_ID));
    server.process.terminate();
    seen.wait_for_line("resource unavailable", SOON);
}

#[test]
fn nobody_is_told_unless_asked() {
    let Some(host) = Namespace::new("jellynet-server") else { return };
    let listens = || {
        let sockets = host.run(|| fs::read_to_string("/proc/thread-self/net/udp").unwrap());
        // Port 1900 as the kernel writes it.
        sockets.contains(":076C ")
    };
    let server = Server::start(&host, "");
    assert!(!listens());
    server.process.terminate();
    server.process.wait(SOON);
    let _server = Server::start(&host, "[ssdp]\nenabled = true\n");
    peer::wait_until("port 1900", CHANGE, listens);
}

#[test]
fn the_discover_verb_lists_servers_televisions_see_and_tuners() {
    let Some(net) = Network::new() else { return };
    let _server = Server::start(&net.server, "[ssdp]\nenabled = true\n[server]\nname = 'Attic'\n");
    let device = net.two.spawn(jellynet(&["tuner", "simulate", "--tuners", "3"]));
    device.wait_for_line("listens at", SOON);
    let lines = lines(&net.server, jellynet(&["discover", "--timeout", "2s", "--format", "json"]));
    let of = |kind: &str| {
        let line = lines.iter().find(|line| line["kind"] == kind);
        line.unwrap_or_else(|| panic!("no {kind} in {lines:?}"))
    };
    assert_eq!(of("jellyfin")["name"], "Attic");
    let upnp = of("upnp");
    assert!(upnp["id"].as_str().unwrap().ends_with(":device:MediaServer:1"), "{upnp}");
    assert!(upnp["address"].as_str().unwrap().contains("/dlna/"), "{upnp}");
    // From its description, which the server itself gives out.
    assert_eq!((&upnp["name"], &upnp["model"]), (&"Attic".into(), &"Jellyfin Server".into()));
    assert_eq!((&upnp["jellyfin"], &upnp["problem"]), (&true.into(), &serde_json::Value::Null));
    let tuner = of("hdhomerun");
    assert_eq!((&tuner["id"], &tuner["name"]), (&"10A5B1C0".into(), &"3 tuners".into()));
    assert_eq!(tuner["from"], "10.77.2.2:65001");
}

#[test]
fn the_discover_verb_tells_of_two_servers_with_one_id_and_of_a_description_that_is_not_there() {
    let Some(net) = Network::new() else { return };
    // Two installations from one image, on one LAN.
    let config = "[[upstream]]\nurl = 'http://127.0.0.1:8097'\n";
    let clones = [&net.server, &net.router].map(|host| {
        MediaServer::start(host, "127.0.0.1:8097");
        let server = Server::start(host, config);
        server.process.wait_for_line("Living Room", SOON);
        server
    });
    let mut command = jellynet(&["discover", "--timeout", "2s"]);
    let output = net.one.run(|| command.output().unwrap());
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.matches("jellyfin   Living Room").count(), 2, "{text}");
    assert_eq!(text.matches("has the same id").count(), 1, "{text}");
    drop(clones);

    // The port of the description is closed.
    let config = "[ssdp]\nenabled = true\n[published]\nurls = ['http://10.77.1.1:9']\n";
    let _server = Server::start(&net.server, config);
    let lines = lines(&net.one, jellynet(&["discover", "--timeout", "3s", "--format", "json"]));
    let upnp = lines.iter().find(|line| line["kind"] == "upnp").unwrap();
    assert!(upnp["problem"].as_str().unwrap().contains("cannot connect"), "{upnp}");
    assert!(upnp["name"].as_str().unwrap().contains("jellynet"), "the product instead: {upnp}");
}

#[test]
fn the_administrator_sees_how_ssdp_stands_on_each_network() {
    let Some(net) = Network::new() else { return };
    let Some(gssdp) = peer::find_with("gssdp-discover", &[]) else { return };
    let hog = net.server.run(|| std::net::UdpSocket::bind("0.0.0.0:1900").unwrap());
    let config = "[ssdp]\nenabled = true\n[admin]\nlisten = ['127.0.0.1:9096']\n";
    let _server = Server::start(&net.server, config);
    let told = |path: &str| {
        let answer = get(&net.server, "127.0.0.1:9096", path).unwrap();
        (answer.status, serde_json::from_str::<serde_json::Value>(&answer.body).unwrap())
    };
    let (status, ready) = told("/ready");
    assert_eq!(status, 200, "nobody needs SSDP to be served: {ready}");
    assert!(ready.to_string().contains("another program has 1900/udp"), "{ready}");
    let ssdp = &told("/status.json").1["ssdp"];
    assert_eq!(ssdp["port_1900"], "search-port", "{ssdp}");
    assert!(ssdp["search_port"].as_u64().unwrap() >= 49152, "{ssdp}");

    drop(hog);
    peer::wait_until("port 1900", SOON, || told("/status.json").1["ssdp"]["port_1900"] == "shared");
    let _seen = control_point(&gssdp, &net.two);
    peer::wait_until("announcements and an answer", SOON, || {
        let ssdp = &told("/status.json").1["ssdp"];
        let network = ssdp["networks"].as_array().unwrap().iter().find(|network| {
            network["interface"] == "eth1" && network["group"] == "239.255.255.250"
        });
        let network = network.unwrap();
        assert_eq!(network["address"], "10.77.2.1", "{network}");
        network["announced"] == true
            && network["problem"].is_null()
            && ssdp["answers"].as_u64().unwrap() > 0
    });
    assert!(!told("/ready").1.to_string().contains("another program"));
}

#[test]
fn a_listener_that_comes_after_its_address_is_announced() {
    let (Some(program), Some(net)) = (peer::find_with("gssdp-discover", &[]), Network::new())
    else {
        return;
    };
    // The port is another's at first, so that there is no URL to announce on this network.
    let other = net.server.run(|| std::net::TcpListener::bind("10.77.2.1:8096").unwrap());
    let seen = control_point(&program, &net.two);
    let config = "[http]\nlisten = ['10.77.1.1:8096', '10.77.2.1:8096']\n[ssdp]\nenabled = true\n";
    let _server = Server::start(&net.server, config);
    assert_eq!(seen.find_line("Location: http://10.77.2.1:8096/", CHANGE), None);
    drop(other);
    location(&seen, "10.77.2.1:8096");
}

fn lines(on: &Namespace, mut command: Command) -> Vec<serde_json::Value> {
    let output = on.run(move || command.output().unwrap());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
