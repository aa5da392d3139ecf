//! The administrator's side: health, metrics, status, the health check, and the access log.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::thread;

use jellynet_test::netns::Namespace;
use jellynet_test::peer;

use crate::rig::{
    ADMIN, CHANGE, Folder, MediaServer, Network, SOON, Server, ask, get, jellynet, sample,
};

const PUBLIC: &str = "127.0.0.1:8096";

#[test]
fn readiness_follows_the_upstream_within_two_seconds() {
    let Some(host) = Namespace::new("jellynet-server") else { return };
    let config = "[admin]\nlisten = ['127.0.0.1:9096']\n[discovery]\nenabled = false\n\
                  [[upstream]]\nurl = 'http://127.0.0.1:8097'\n";
    let _server = Server::start(&host, config);
    let ready = || {
        let answer = get(&host, ADMIN, "/ready").unwrap();
        let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(body["ready"], answer.status == 200, "{}", answer.body);
        (answer.status, answer.body)
    };
    peer::wait_until("the upstream to be missed", CHANGE, || ready().0 == 503);
    let (_, body) = ready();
    for part in ["upstream main", "127.0.0.1:8097", "refused"] {
        assert!(body.contains(part), "{part} is not in\n{body}");
    }
    assert_eq!(get(&host, ADMIN, "/live").unwrap().status, 200, "alive all the same");

    for _ in 0..2 {
        let upstream = Server::start(
            &host,
            "[http]\nlisten = ['127.0.0.1:8097']\n[discovery]\nenabled = false\n",
        );
        peer::wait_until("readiness", CHANGE, || ready().0 == 200);
        upstream.process.terminate();
        assert_eq!(upstream.process.wait(SOON).code(), Some(0));
        peer::wait_until("no readiness", CHANGE, || ready().0 == 503);
    }
}

#[test]
fn only_the_administrators_listener_tells() {
    let Some(host) = Namespace::new("jellynet-server") else { return };
    let folder = Folder::new();
    let config = format!(
        "[admin]\nlisten = ['127.0.0.1:9096']\n[web]\ndirectory = '{}'\n",
        folder.path().display()
    );
    let _server = Server::start(&host, &config);
    for (path, content) in [
        ("/live", "text/plain"),
        ("/ready", "application/json"),
        ("/metrics", "text/plain"),
        ("/status.json", "application/json"),
    ] {
        let told = get(&host, ADMIN, path).unwrap();
        assert_eq!(told.status, 200, "{path}: {}", told.head);
        assert!(told.header("content-type").unwrap().starts_with(content), "{path}: {}", told.head);
        assert_eq!(get(&host, PUBLIC, path).unwrap().status, 404, "{path} on the public port");
    }
    assert_eq!(get(&host, ADMIN, "/nothing").unwrap().status, 404);
    let status = get(&host, ADMIN, "/status.json").unwrap().body;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert!(status["listeners"].to_string().contains("0.0.0.0:8096"), "{status}");
}

#[test]
fn without_an_admin_listener_there_is_none() {
    let Some(host) = Namespace::new("jellynet-server") else { return };
    let _server = Server::start(&host, "");
    assert!(get(&host, ADMIN, "/live").is_err());
}

#[test]
fn metrics_have_their_names_and_count() {
    let Some(net) = Network::new() else { return };
    let config = "[admin]\nlisten = ['127.0.0.1:9096']\n[access]\nremote = false\n\
                  [[upstream]]\nurl = 'http://127.0.0.1:8097'\n";
    let server = Server::start(&net.server, config);
    MediaServer::start(&net.server, "127.0.0.1:8097");
    server.process.wait_for_line("Living Room", SOON);
    let text = get(&net.server, ADMIN, "/metrics").unwrap().body;
    for name in [
        "jellynet_build_info gauge",
        "jellynet_listener_up gauge",
        "jellynet_connections_open gauge",
        "jellynet_connections_total counter",
        "jellynet_http_requests_total counter",
        "jellynet_http_request_duration_seconds histogram",
        "jellynet_http_requests_in_flight gauge",
        "jellynet_access_denied_total counter",
        "jellynet_discovery_responses_total counter",
        "jellynet_upstream_up gauge",
    ] {
        assert!(text.contains(&format!("# TYPE {name}\n")), "{name} is not in\n{text}");
    }
    let commit = option_env!("JELLYNET_COMMIT").filter(|commit| !commit.is_empty());
    let build = format!(
        "jellynet_build_info{{commit=\"{}\",version=\"{}\"}} 1\n",
        commit.unwrap_or("unknown"),
        env!("CARGO_PKG_VERSION")
    );
    assert!(text.contains(&build), "{build} is not in\n{text}");
    let series: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let different: BTreeSet<_> =
        series.iter().map(|line| line.rsplit_once(' ').unwrap().0).collect();
    assert_eq!(
        different.len(),
        series.len(),
        "Prometheus refuses a series that comes twice:\n{text}"
    );
    assert!(!text.contains("10.77."), "no address of a client is a label:\n{text}");

    let of = |name: &str| sample(&net.server, name);
    let requests = "jellynet_http_requests_total{code=\"2xx\",listener=\"http\",method=\"GET\"}";
    let denied = "jellynet_access_denied_total{reason=\"remote-disabled\"}";
    let connections = "jellynet_connections_total{listener=\"http\"}";
    let answers = "jellynet_discovery_responses_total{protocol=\"7359\"}";
    assert_eq!((of(requests), of(denied), of(connections)), (0.0, 0.0, 0.0));
    assert_eq!(of("jellynet_upstream_up{upstream=\"main\"}"), 1.0);
    assert_eq!(of("jellynet_listener_up{listener=\"http\"}"), 1.0);
    for _ in 0..3 {
        assert_eq!(get(&net.one, "10.77.1.1:8096", "/Items?api_key=S3CR3T").unwrap().status, 200);
    }
    assert_eq!(get(&net.remote, "10.77.1.1:8096", "/Items").unwrap().status, 403);
    let search = net.two.spawn(jellynet(&["discover", "--timeout", "3s"]));
    search.wait_for_line("Living Room", SOON);
    assert_eq!((of(requests), of(denied), of(connections)), (3.0, 1.0, 4.0));
    assert!(of(answers) >= 1.0);
    peer::wait_until("no connection open", SOON, || {
        of("jellynet_connections_open{listener=\"http\"}") == 0.0
            && of("jellynet_http_requests_in_flight{listener=\"http\"}") == 0.0
    });
}

/// `jellynet healthcheck` with the configuration of a server: its exit code, and what it says.
fn healthcheck(on: &Namespace, config: &Path) -> (i32, String) {
    let process = on.spawn(jellynet(&["healthcheck", "--config", config.to_str().unwrap()]));
    let status = process.wait(SOON);
    (status.code().unwrap(), process.output())
}

#[test]
fn the_health_check_asks_where_the_configuration_listens() {
    let (Some(host), Some(lan)) =
        (Namespace::new("jellynet-server"), Namespace::new("jellynet-server"))
    else {
        return;
    };
    host.link("eth0", &lan, "eth0");
    host.address("eth0", "10.77.4.1/24");
    let sockets = Folder::new();
    let socket = format!("unix:{}/http.sock", sockets.path().display());
    for listen in ["*:8096", "*:9000", "10.77.4.1:9001", "eth0:9002", "[::1]:9003", &socket] {
        let config = format!(
            "[http]\nlisten = ['{listen}']\n[base_url]\npath = '/jellyfin'\n\
             [proxies]\nknown = ['unix']\n"
        );
        let server = Server::start(&host, &config);
        let config = server.folder.path().join("jellynet.toml");
        assert_eq!(healthcheck(&host, &config), (0, String::new()), "{listen}");
        server.process.terminate();
        server.process.wait(SOON);
        let (code, said) = healthcheck(&host, &config);
        assert_eq!(code, 1, "{listen}: {said}");
        assert!(said.contains("cannot ask "), "{listen}: {said}");
    }
}

#[test]
fn the_health_check_reaches_servers_of_every_kind() {
    let Some(host) = Namespace::new("jellynet-server") else { return };
    let sockets = Folder::new();
    let unix = format!("[http]\nlisten = ['unix:{}/http.sock']\n", sockets.path().display());
    let refusing = "[access]\nremote = false\n";
    for config in [
        unix.clone(),
        format!("{unix}{refusing}"),
        format!("{unix}{refusing}[proxies]\nknown = ['unix']\n"),
        format!("{unix}[proxies]\nknown = ['unix']\nprotocol = 'required'\n"),
        "[http]\nlisten = []\n[https]\nlisten = ['*:8920']\n".to_owned(),
        "[https]\nlisten = ['*:8920']\nredirect = true\n[base_url]\npath = '/tv'\n".to_owned(),
        "[proxies]\nknown = ['127.0.0.1']\nprotocol = 'required'\n".to_owned(),
        "[proxies]\nknown = ['127.0.0.1']\nfamily = 'forwarded'\n".to_owned(),
    ] {
        let server = Server::start(&host, &config);
        let file = server.folder.path().join("jellynet.toml");
        assert_eq!(healthcheck(&host, &file), (0, String::new()), "{config}");
        server.process.terminate();
        server.process.wait(SOON);
        assert_eq!(healthcheck(&host, &file).0, 1, "{config}");
    }
}

#[test]
fn the_health_check_knows_one_failure_only() {
    let Some(host) = Namespace::new("jellynet-server") else { return };
    let server = Server::start(&host, "[[upstream]]\nurl = 'http://127.0.0.1:8097'\n");
    let config = server.folder.path().join("jellynet.toml");
    let (code, said) = healthcheck(&host, &config);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("503"), "the upstream is down: {said}");
    let bad = server.folder.write("bad.toml", "nonsense = 1\n");
    let (code, said) = healthcheck(&host, &bad);
    assert_eq!(code, 1, "2 and more mean something else to Docker: {said}");
    assert!(said.contains("nonsense"), "{said}");
}

/// Requests with a token wherever a client may put one, through a known proxy.
fn ask_with_secrets(on: &Namespace) {
    let headers = [
        "Authorization: MediaBrowser Client=\"x\", Token=\"S3CR3T\"",
        "X-Emby-Token: S3CR3T",
        "X-MediaBrowser-Token: S3CR3T",
        "Cookie: session=S3CR3T",
        "Referer: http://tv.example/web?ApiKey=S3CR3T&page=2",
        "User-Agent: Test \"Player\"",
        "X-Forwarded-For: 198.51.100.9",
    ];
    for query in [
        "api_key=S3CR3T",
        "ApiKey=S3CR3T",
        "APIKEY=S3CR3T",
        "api%5Fkey=S3CR3T",
        "a=1&X-Emby-Token=S3CR3T",
    ] {
        let request = format!("GET /Videos/1?{query}&kept=7");
        assert_eq!(on.run(|| ask(PUBLIC, &request, &headers).unwrap()).status, 200);
    }
}

#[test]
fn the_access_log_tells_who_asked_and_no_secret() {
    let Some(host) = Namespace::new("jellynet-server") else { return };
    MediaServer::start(&host, "127.0.0.1:8097");
    for format in ["combined", "json"] {
        let config = format!(
            "[log]\naccess = '{format}'\n[proxies]\nknown = ['127.0.0.1']\n\
             [[upstream]]\nurl = 'http://127.0.0.1:8097'\n"
        );
        let server = Server::start(&host, &config);
        ask_with_secrets(&host);
        server.process.wait_for_line("X-Emby-Token", SOON);
        server.process.terminate();
        server.process.wait(SOON);
        let output = server.process.output();
        assert!(!output.contains("S3CR3T"), "{output}");
        let lines: Vec<_> = output.lines().filter(|line| line.contains("/Videos/1")).collect();
        assert_eq!(lines.len(), 5, "{output}");
        for line in lines {
            assert!(line.contains("198.51.100.9") && line.contains("kept=7"), "{line}");
            if format == "json" {
                let line: serde_json::Value = serde_json::from_str(line).unwrap();
                assert_eq!(line["status"], 200, "{line}");
            } else {
                assert!(
                    line.starts_with("198.51.100.9 - - [") && line.contains("\" 200 "),
                    "{line}"
                );
            }
        }
    }
}

#[test]
fn a_failed_request_has_one_name_in_the_answer_and_in_both_logs() {
    let Some(host) = Namespace::new("jellynet-server") else { return };
    let nonsense = host.run(|| TcpListener::bind("127.0.0.1:8097").unwrap());
    thread::spawn(move || {
        for mut stream in nonsense.incoming().map_while(Result::ok) {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"nonsense\r\n\r\n");
        }
    });
    let server = Server::start(
        &host,
        "[log]\naccess = 'json'\n[proxies]\nknown = ['127.0.0.1']\n[discovery]\n\
         enabled = false\n[[upstream]]\nurl = 'http://127.0.0.1:8097'\n",
    );
    for (given, taken) in [("X-Request-Id: of-nginx-7", true), ("X-Request-Id: a b", false)] {
        let headers = ["X-Forwarded-For: 192.0.2.7", given];
        let answer = host.run(|| ask(PUBLIC, "GET /x", &headers).unwrap());
        let id = answer.header("x-request-id").unwrap().to_owned();
        assert_eq!((answer.status, id == "of-nginx-7"), (502, taken), "{}", answer.head);
        assert!(answer.body.contains(&format!("Request {id}\n")), "{}", answer.body);
        let line = server.process.wait_for_line(&format!("\"request_id\":\"{id}\""), SOON);
        assert!(line.contains("\"status\":502"), "{line}");
        let cause = server.process.wait_for_line(&format!("request=\"{id}\""), SOON);
        assert!(cause.contains("cannot forward a request"), "{cause}");
    }
}

#[test]
fn there_is_no_access_log_unless_asked_for() {
    let Some(host) = Namespace::new("jellynet-server") else { return };
    let server = Server::start(&host, "");
    assert_eq!(get(&host, PUBLIC, "/quietly").unwrap().status, 200);
    server.process.terminate();
    server.process.wait(SOON);
    assert!(!server.process.output().contains("/quietly"), "{}", server.process.output());
}
