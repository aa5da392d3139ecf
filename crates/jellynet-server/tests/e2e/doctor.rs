//! `jellynet doctor`, and what it reads: `/status.json` and the metrics.

mod container;
mod sites;

use std::io::Write as _;
use std::process::{Command, Stdio};

use jellynet_test::netns::Namespace;
use jellynet_test::peer;
use serde_json::Value;

use crate::rig::{
    CHANGE, Folder, MEDIA_SERVER_ID, MediaServer, Network, SOON, Server, ask, get, jellynet,
};

const ADMIN: &str = "127.0.0.1:9096";
const WITH_ADMIN: &str = "[admin]\nlisten = ['127.0.0.1:9096']\n";
const UPSTREAM: &str = "[[upstream]]\nurl = 'http://127.0.0.1:8097'\n";

/// Exit code, and the findings.
fn doctor(on: &Namespace, server: &Server) -> (i32, Value) {
    doctor_by(on, server, jellynet(&[]))
}

/// The same by a command to which the arguments are given.
fn doctor_by(on: &Namespace, server: &Server, mut command: Command) -> (i32, Value) {
    let config = server.folder.path().join("jellynet.toml");
    let data = server.folder.path().join("data");
    let arguments = ["--config", config.to_str().unwrap(), "--data-dir", data.to_str().unwrap()];
    command.args(["doctor", "--format", "json"]).args(arguments);
    let output = on.run(|| command.output().unwrap());
    let text = String::from_utf8_lossy(&output.stdout);
    let found: Value = serde_json::from_str(&text)
        .unwrap_or_else(|e| panic!("{e}: {text}{}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().unwrap(), found)
}

/// The findings of a test with this verdict, and `part` in what was found.
fn finds(diagnosis: &Value, test: &str, verdict: &str, part: &str) -> bool {
    diagnosis["findings"].as_array().unwrap().iter().any(|finding| {
        finding["test"] == test
            && finding["verdict"] == verdict
            && finding["what"].as_str().unwrap().contains(part)
            && (verdict == "good") == finding["remedy"].is_null()
    })
}

fn expect(diagnosis: &Value, wanted: &[(&str, &str, &str)]) {
    for (test, verdict, part) in wanted {
        assert!(
            finds(diagnosis, test, verdict, part),
            "no {verdict} of {test} with {part:?} in\n{diagnosis:#}"
        );
    }
}

fn status(on: &Namespace) -> Value {
    serde_json::from_str(&get(on, ADMIN, "/status.json").unwrap().body).unwrap()
}

#[test]
fn the_doctor_finds_a_healthy_server_healthy() {
    let Some(net) = Network::new() else { return };
    MediaServer::start(&net.server, "127.0.0.1:8097");
    let server = Server::start(&net.server, &format!("{WITH_ADMIN}{UPSTREAM}"));
    server.process.wait_for_line("Living Room", SOON);
    let (code, found) = doctor(&net.server, &server);
    expect(
        &found,
        &[
            ("configuration", "good", "can be read"),
            ("server", "good", "says that it is well"),
            ("interfaces", "good", "eth0 10.77.1.0/24: peers are told http://10.77.1.1:8096"),
            ("interfaces", "good", "eth1 10.77.2.0/24: peers are told http://10.77.2.1:8096"),
            ("ports", "good", "8096/tcp is held by another copy of this program"),
            ("ports", "good", "7359/udp is the server's alone"),
            (
                "published",
                "good",
                &format!("http://10.77.1.1:8096 leads here: it has our id {MEDIA_SERVER_ID}"),
            ),
            ("proxies", "good", "changed nothing"),
            ("certificates", "good", "HTTPS is off"),
            ("twins", "good", "no other server has our id"),
            ("ipv6", "good", "[fd77:1::1]:8096"),
        ],
    );
    assert_eq!((code, &found["well"]), (0, &Value::Bool(true)), "{found:#}");
}

#[test]
fn the_doctor_says_what_is_wrong_and_what_to_do() {
    let Some(net) = Network::new() else { return };
    // A media server with the same id on the LAN, and one that the published URL leads to.
    MediaServer::start(&net.server, "127.0.0.1:8097");
    let twin = Server::start(&net.one, "[http]\nlisten = ['10.77.1.2:8096']\n");
    let id = std::fs::read_to_string(twin.folder.path().join("data/server-id")).unwrap();
    let config = format!(
        "{WITH_ADMIN}[proxies]\nknown = ['0.0.0.0/0', 'nowhere.invalid']\n\
         [published]\nurls = ['external=http://tv.local:8096', 'internal=http://10.77.1.2:8096']\n"
    );
    let server = Server::start_unready(&net.server, &config);
    server.process.wait_for_line("ready to serve", SOON);
    server.process.terminate();
    server.process.wait(SOON);
    std::fs::write(server.folder.path().join("data/server-id"), id).unwrap();
    // Nobody runs, and somebody else has the port.
    let stranger = net.server.run(|| std::net::TcpListener::bind("0.0.0.0:8096").unwrap());
    let (code, found) = doctor(&net.server, &server);
    expect(
        &found,
        &[
            ("server", "problem", "the server does not answer"),
            ("server", "problem", "administrator's listener does not answer"),
            ("ports", "problem", "8096/tcp is held by"),
            ("proxies", "problem", "everybody is believed"),
            ("proxies", "problem", "the proxy nowhere.invalid"),
            ("published", "problem", "tv.local in http://tv.local:8096"),
            ("twins", "problem", "has our id"),
        ],
    );
    assert_eq!((code, &found["well"]), (3, &Value::Bool(false)), "{found:#}");
    drop(stranger);
}

#[test]
fn the_doctor_follows_a_published_url_to_the_wrong_server() {
    let Some(net) = Network::new() else { return };
    let _other = Server::start(&net.one, "[http]\nlisten = ['10.77.1.2:80']\n");
    MediaServer::start(&net.server, "127.0.0.1:8097");
    let config = format!(
        "{WITH_ADMIN}{UPSTREAM}[published]\nurls = ['external=http://10.77.1.2', \
         'internal=http://10.77.1.1:9']\n"
    );
    let server = Server::start(&net.server, &config);
    server.process.wait_for_line("Living Room", SOON);
    let (code, found) = doctor(&net.server, &server);
    expect(
        &found,
        &[
            ("published", "problem", "http://10.77.1.2 answers, but not as a media server"),
            ("published", "problem", "peers outside are told http://10.77.1.2"),
            ("published", "problem", "http://10.77.1.1:9 cannot be fetched"),
        ],
    );
    assert_eq!(code, 3);
}

#[test]
fn a_configuration_that_cannot_be_read_is_a_finding() {
    let folder = Folder::new();
    let config = folder.write("bad.toml", "[http]\nlistne = 1\n");
    let mut command = jellynet(&["doctor", "--config", config.to_str().unwrap()]);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("PROBLEM") && said.contains("did you mean http.listen?"), "{said}");
    assert!(said.ends_with("1 problem, 0 to note, 0 ok\n"), "{said}");
}

#[test]
fn prometheus_reads_the_metrics_and_no_label_is_an_address() {
    let Some(python) = peer::find_python("prometheus-client") else { return };
    let Some(net) = Network::new() else { return };
    MediaServer::start(&net.server, "127.0.0.1:8097");
    let config =
        format!("{WITH_ADMIN}{UPSTREAM}[https]\nlisten = ['*:8920']\n[ssdp]\nenabled = true\n");
    let server = Server::start(&net.server, &config);
    server.process.wait_for_line("Living Room", SOON);
    let spoof = ["X-Forwarded-For: 198.51.100.7"];
    let path = "GET /Items/path-of-a-client?api_key=S3CR3T";
    let answer = net.one.run(|| ask("10.77.1.1:8096", path, &spoof).unwrap());
    assert_eq!(answer.status, 200);
    if peer::find("curl").is_some() {
        let mut curl = Command::new("curl");
        curl.args(["-sk", "https://10.77.1.1:8920/x"]);
        assert!(net.one.run(|| curl.output().unwrap()).status.success());
    }
    net.server.address("eth0", "10.77.9.9/24");
    let of = |name: &str| -> Option<f64> {
        let text = get(&net.server, ADMIN, "/metrics").unwrap().body;
        let line = text.lines().find(|l| l.rsplit_once(' ').is_some_and(|(key, _)| key == name))?;
        line.rsplit_once(' ')?.1.parse().ok()
    };
    peer::wait_until("the new address to be counted", CHANGE, || {
        of("jellynet_interface_changes_total{kind=\"address-new\"}") >= Some(1.0)
    });
    assert_eq!(of("jellynet_forwarded_untrusted_total"), Some(1.0));
    for listener in ["http", "https"] {
        let name = format!(
            "jellynet_http_requests_total{{code=\"2xx\",listener=\"{listener}\",method=\"GET\"}}"
        );
        assert_eq!(of(&name), Some(1.0), "{listener}");
    }
    let text = get(&net.server, ADMIN, "/metrics").unwrap().body;
    let mut reader = python.command();
    reader.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/peers/metrics.py"));
    reader.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut reader = reader.spawn().unwrap();
    reader.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = reader.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{text}");
    let families: Value = serde_json::from_slice(&output.stdout).unwrap();
    for (name, kind) in [
        ("jellynet_build_info", "gauge"),
        ("jellynet_config_last_reload_success_timestamp_seconds", "gauge"),
        ("jellynet_config_last_reload_successful", "gauge"),
        ("jellynet_discovery_requests", "counter"),
        ("jellynet_discovery_responses", "counter"),
        ("jellynet_forwarded_untrusted", "counter"),
        ("jellynet_interface_changes", "counter"),
        ("jellynet_tls_certificate_not_after_timestamp_seconds", "gauge"),
        ("jellynet_tls_reloads", "counter"),
    ] {
        assert_eq!(families[name]["type"], kind, "{name} in\n{text}");
    }
    assert!(families["jellynet_discovery_requests"]["labels"].to_string().contains("ssdp"));
    for planted in ["10.77.", "198.51.100.7", "path-of-a-client", "S3CR3T"] {
        assert!(!text.contains(planted), "{planted} is in\n{text}");
    }
}

#[test]
fn metrics_are_public_only_when_switched_on_and_for_the_lan() {
    let Some(net) = Network::new() else { return };
    let config = "[admin]\npublic_metrics = true\n[base_url]\npath = '/jellyfin'\n";
    let server = Server::start(&net.server, config);
    for path in ["/metrics", "/jellyfin/metrics"] {
        let local = get(&net.one, "10.77.1.1:8096", path).unwrap();
        assert_eq!(local.status, 200, "{path}");
        assert!(local.body.contains("jellynet_build_info"), "{path}: {}", local.body);
        let remote = get(&net.remote, "10.77.1.1:8096", path).unwrap();
        assert_eq!(remote.status, 404, "{path}: {}", remote.body);
        assert!(!remote.body.contains("jellynet_"), "{path}: {}", remote.body);
    }
    for (method, path) in
        [("GET", "/health"), ("HEAD", "/health"), ("GET", "/jellyfin/health"), ("GET", "/HEALTH/")]
    {
        let request = format!("{method} {path}");
        let answer = net.one.run(|| ask("10.77.1.1:8096", &request, &[]).unwrap());
        assert_eq!(answer.status, 200, "{request}: {}", answer.head);
        assert!(answer.header("content-type").unwrap().starts_with("text/plain"), "{request}");
        let body = if method == "HEAD" { "" } else { "Healthy" };
        assert_eq!(answer.body, body, "{request}");
    }
    drop(server);
    let config = format!("[base_url]\npath = '/jellyfin'\n{UPSTREAM}");
    let _server = Server::start(&net.server, &config);
    for path in ["/health", "/jellyfin/health"] {
        let answer = get(&net.one, "10.77.1.1:8096", path).unwrap();
        assert_eq!(answer.status, 503, "the upstream is down: {path}: {}", answer.head);
    }
}

#[test]
fn the_status_tells_all_that_the_administrator_asks() {
    let Some(net) = Network::new() else { return };
    MediaServer::start(&net.server, "127.0.0.1:8097");
    let config = format!(
        "{WITH_ADMIN}{UPSTREAM}[access]\nremote = false\n[proxies]\nknown = ['10.77.2.2']\n\
         [https]\nlisten = ['*:8920']\n"
    );
    let server = Server::start(&net.server, &config);
    server.process.wait_for_line("Living Room", SOON);
    let spoof = ["X-Forwarded-For: 198.51.100.7"];
    net.one.run(|| ask("10.77.1.1:8096", "GET /", &spoof).unwrap());
    assert_eq!(get(&net.remote, "10.77.1.1:8096", "/").unwrap().status, 403);
    let status = status(&net.server);
    assert_eq!(status["listeners"][0]["state"], "listening", "{status:#}");
    assert_eq!(status["upstreams"][0]["id"], MEDIA_SERVER_ID, "{status:#}");
    assert_eq!(status["upstreams"][0]["version"], "12.0.0");
    assert_eq!(status["connections"]["http"]["total"], 2);
    assert_eq!(status["denied"]["remote-disabled"], 1, "{status:#}");
    assert_eq!(status["proxies"]["untrusted_requests"], 1);
    assert_eq!(status["proxies"]["untrusted_peers"][0], "10.77.1.2", "{status:#}");
    assert!(status["proxies"]["trusted"].to_string().contains("10.77.2.2"));
    assert_eq!(status["certificates"][0]["name"], "self-signed", "{status:#}");
    assert_eq!(status["certificates"][0]["valid"], true);
    assert_eq!(status["configuration"]["last_reload_successful"], true);
    assert_eq!(status["discovery"]["answered"], 0);
    let told = status["interfaces"].as_array().unwrap();
    let eth1 = told.iter().find(|row| row["address"] == "10.77.2.1/24").unwrap();
    assert_eq!(eth1["url"], "http://10.77.2.1:8096", "{status:#}");
}
