//! A real nginx behind, real clients in front.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use jellynet_test::peer::{self, Process, Program};
use jellynet_upstream::{Upstream, UpstreamConfig};
use tokio::net::TcpListener;

use crate::stage::{Gateway, config};

/// nginx that serves a folder, on TCP, on a Unix socket, and by HTTP/2 without TLS; ends with its
/// handle.
pub(crate) struct Nginx {
    pub(crate) address: SocketAddr,
    h2c: SocketAddr,
    pub(crate) folder: PathBuf,
    _process: Process,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

async fn nginx(name: &str) -> Option<Nginx> {
    nginx_with(name, |_| String::new()).await
}

/// The same with another server, which is written for the folder.
pub(crate) async fn nginx_with(name: &str, server: impl FnOnce(&Path) -> String) -> Option<Nginx> {
    let program = peer::find_with("nginx", &["-v"])?;
    let folder =
        std::env::temp_dir().join(format!("jellynet-upstream-{}-{name}", std::process::id()));
    fs::create_dir_all(folder.join("www")).unwrap();
    let (address, h2c) = (free().await, free().await);
    let server = server(&folder);
    let here = folder.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {here}/{kind};\n"))
        .concat();
    let text = format!(
        "daemon off; worker_processes 1; pid {here}/pid; error_log stderr;
         events {{ worker_connections 256; }}
         http {{ access_log off; gzip on; gzip_types *; gzip_min_length 100; client_max_body_size 0; {temporary}
           server {{
             listen {address}; listen unix:{here}/socket; root {here}/www;
             location /put/ {{ proxy_pass http://unix:{here}/sink; }}
           }}
           server {{ listen {h2c} http2; root {here}/www; }}
           {server}
           server {{ listen unix:{here}/sink; location / {{ return 200 \"took $content_length\"; }} }}
         }}"
    );
    fs::write(folder.join("conf"), text).unwrap();
    let mut command = program.command();
    command.args(["-p", folder.to_str().unwrap(), "-e", "stderr", "-c"]);
    command.arg(folder.join("conf"));
    let process = Process::spawn(command);
    peer::wait_for_port(address, Duration::from_secs(10));
    Some(Nginx { address, h2c, folder, _process: process })
}

/// An address on which nothing listens.
pub(crate) async fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

fn curl(program: &Program, arguments: &[&str]) -> Vec<u8> {
    let mut command = Command::new(program.path());
    command.args(["-s", "--max-time", "60"]).args(arguments);
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "curl {arguments:?}: {}", output.status);
    output.stdout
}

/// Head and body as curl sees them, without what must differ.
fn fetch(program: &Program, base: &str, arguments: &[&str], path: &str) -> (Vec<String>, Vec<u8>) {
    let url = format!("{base}{path}");
    let out = curl(program, &[&["-i"], arguments, &[&url]].concat());
    let end = out.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let (head, body) = out.split_at(end);
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let mut lines: Vec<_> = head
        .lines()
        .skip(1)
        .filter(|line| {
            !["date:", "connection:", "keep-alive:", "transfer-encoding:"]
                .iter()
                .any(|name| line.starts_with(name))
        })
        .map(str::to_owned)
        .collect();
    lines.push(head.split(' ').nth(1).unwrap().to_owned());
    lines.sort_unstable();
    (lines, body.get(4..).unwrap().to_vec())
}

fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> tokio::task::JoinHandle<T> {
    tokio::task::spawn_blocking(work)
}

fn noise(path: &Path, len: usize) {
    let bytes: Vec<u8> = (0..=250).cycle().step_by(31).take(len).collect();
    fs::write(path, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_is_the_same_as_without_the_gateway() {
    let (Some(nginx), Some(program)) = (nginx("same").await, peer::find("curl")) else {
        return;
    };
    for (name, len) in [("0", 0), ("1", 1), ("8k", 8192), ("64k", 65_537), ("3m", 3 << 20)] {
        noise(&nginx.folder.join("www").join(name), len);
    }
    fs::write(nginx.folder.join("www/text.txt"), "word ".repeat(5000)).unwrap();
    for url in [format!("http://{}", nginx.address), format!("h2c://{}", nginx.h2c)] {
        let gateway = Gateway::with(Upstream::new(UpstreamConfig::new(url.parse().unwrap()))).await;
        same_as_without(&gateway, nginx.address, &program).await;
        gateway.quiet().await;
    }
}

/// Asks everything twice: through the gateway, and nginx itself.
async fn same_as_without(gateway: &Gateway, nginx: SocketAddr, program: &Program) {
    let (near, far) = (format!("http://{}", gateway.address), format!("http://{nginx}"));
    let host = format!("Host: {nginx}");
    let program = program.clone();
    blocking(move || {
        for protocol in ["--http1.1", "--http2-prior-knowledge"] {
            for arguments in [
                &[][..],
                &["-I"],
                &["-r", "0-0"],
                &["-r", "5-70000"],
                &["-r", "-10"],
                &["-r", "0-1,5-6"],
                &["-r", "99999999-"],
                &["-H", "Accept-Encoding: gzip"],
                &["-H", "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT"],
                &["-X", "DELETE"],
                &["-X", "POST", "-d", "x"],
            ] {
                for path in ["/0", "/1", "/8k", "/64k", "/3m", "/text.txt", "/none", "/%2e%2e%2fx"]
                {
                    let through = [&[protocol, "-H", &host], arguments].concat();
                    let direct = fetch(&program, &far, &[&["--http1.1"], arguments].concat(), path);
                    let passed = fetch(&program, &near, &through, path);
                    // The boundary of several ranges is a counter of nginx.
                    if arguments.contains(&"0-1,5-6") {
                        assert_eq!(passed.1.len(), direct.1.len(), "{through:?} {path}");
                        continue;
                    }
                    assert_eq!(passed.0, direct.0, "{through:?} {path}");
                    assert!(passed.1 == direct.1, "{through:?} {path}");
                }
            }
        }
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_gibibytes_pass_and_a_unix_socket_serves() {
    let (Some(nginx), Some(program)) = (nginx("large").await, peer::find("curl")) else {
        return;
    };
    let large = fs::File::create(nginx.folder.join("www/large")).unwrap();
    large.set_len((4 << 30) + 1).unwrap();
    let url = format!("unix:{}/socket", nginx.folder.display());
    let gateway = Gateway::with(Upstream::new(UpstreamConfig::new(url.parse().unwrap()))).await;
    let near = format!("http://{}", gateway.address);
    blocking(move || {
        let (head, _) = fetch(&program, &near, &["-I"], "/large");
        assert!(head.contains(&"content-length: 4294967297".to_owned()), "{head:?}");
        let (_, end) = fetch(&program, &near, &["-r", "4294967290-"], "/large");
        assert_eq!(end, [0; 7]);
        // An upload of 64 MiB of unknown length.
        let upload = format!(
            "head -c 67108864 /dev/zero | {} -s -T - {near}/put/x",
            program.path().display()
        );
        let output = Command::new("sh").args(["-c", &upload]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "took 67108864");
    })
    .await
    .unwrap();
    gateway.quiet().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstream_that_restarts_costs_no_request() {
    let Some(first) = nginx("restart").await else {
        return;
    };
    fs::write(first.folder.join("www/x"), "word ").unwrap();
    let gateway = Gateway::to(first.address).await;
    let request = "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    for _ in 0..20 {
        assert!(gateway.ask(request).await.starts_with("HTTP/1.1 200"));
    }
    let pid = fs::read_to_string(first.folder.join("pid")).unwrap();
    // A graceful reload: old workers close their kept connections.
    let reload = Command::new("kill").args(["-HUP", pid.trim()]).status().unwrap();
    assert!(reload.success());
    for _ in 0..200 {
        let got = gateway.ask(request).await;
        assert!(got.starts_with("HTTP/1.1 200"), "{got}");
    }
    assert_eq!(gateway.quiet().await.failures, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_websocket_client_and_server_notice_nothing() {
    let Some(python) = peer::find_python("websockets") else {
        return;
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/websocket.py");
    let mut server = python.command();
    server.args([script, "serve"]);
    let server = Process::spawn(server);
    let line = blocking({
        let timeout = Duration::from_secs(20);
        move || (server.wait_for_line("listening ", timeout), server)
    });
    let (line, server) = line.await.unwrap();
    let address = line.rsplit(' ').next().unwrap().trim().parse().unwrap();
    let gateway = Gateway::with(Upstream::new(config(address))).await;
    let near = format!("ws://{}/socket?api_key=x", gateway.address);
    let mut client = python.command();
    client.args([script, "talk", &near]);
    let output = blocking(move || client.output().unwrap()).await.unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.contains("all done"), "{told}{errors}");
    assert_eq!(gateway.quiet().await.connections, 0);
    // What the client said when it closed, the server has heard.
    for code in [1000, 1001, 1003, 1008, 1009, 1011, 3000, 4321, 4999] {
        let said = format!("closed {code} {}", "\u{fc}".repeat(60));
        assert!(server.output().contains(&said), "{said} is not in\n{}", server.output());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_is_refused_before_it_is_read_gets_its_answer() {
    let (Some(nginx), Some(program)) = (nginx("early").await, peer::find("curl")) else {
        return;
    };
    // Nobody takes an upload there, and nginx says so before it has read it.
    for (name, len) in [("short", 10_000), ("long", 200_000), ("huge", 20 << 20)] {
        fs::File::create(nginx.folder.join(name)).unwrap().set_len(len).unwrap();
    }
    for url in [format!("http://{}", nginx.address), format!("h2c://{}", nginx.h2c)] {
        let gateway = Gateway::with(Upstream::new(UpstreamConfig::new(url.parse().unwrap()))).await;
        let near = format!("http://{}", gateway.address);
        let (folder, program) = (nginx.folder.clone(), program.clone());
        blocking(move || {
            for protocol in ["--http1.1", "--http2-prior-knowledge"] {
                for name in ["short", "long", "huge"].repeat(5) {
                    let file = folder.join(name);
                    let file = file.to_str().unwrap();
                    let (head, _) =
                        fetch(&program, &near, &[protocol, "-H", "Expect:", "-T", file], "/none");
                    assert!(head.contains(&"405".to_owned()), "{url} {protocol} {name}: {head:?}");
                }
            }
        })
        .await
        .unwrap();
        gateway.quiet().await;
    }
}
