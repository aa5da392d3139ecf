//! What an upstream says reaches the client as it is, through the binary, whatever its size.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use jellynet_test::netns::Namespace;
use jellynet_test::peer::{self, Process, Program};

use crate::rig::{Folder, SOON, Server, ask, get, sample, upstream_in_python};

const NEAR: &str = "http://127.0.0.1:8096";
const FAR: &str = "http://127.0.0.1:8097";
const CONFIG: &str = "[admin]\nlisten = ['127.0.0.1:9096']\n[discovery]\nenabled = false\n\
                      [[upstream]]\nurl = 'http://127.0.0.1:8097'\n";
const PATIENCE: Duration = Duration::from_secs(120);

/// nginx that serves a folder.
struct Files {
    folder: Folder,
    _nginx: Process,
}

impl Files {
    fn serve(on: &Namespace) -> Option<Self> {
        let program = peer::find_with("nginx", &["-v"])?;
        let folder = Folder::new();
        let here = folder.path().display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {here}/{kind};\n"))
            .concat();
        let text = format!(
            "daemon off; worker_processes 1; user root; pid {here}/pid; error_log stderr;
             events {{ worker_connections 1024; }}
             http {{ access_log off; gzip on; gzip_types *; gzip_min_length 100; {temporary}
               server {{ listen 127.0.0.1:8097; root {here}; }} }}"
        );
        let config = folder.write("conf", &text);
        let mut command = program.command();
        command.args(["-e", "stderr", "-p"]).arg(folder.path()).arg("-c").arg(config);
        let nginx = on.spawn(command);
        peer::wait_until("nginx", SOON, || get(on, "127.0.0.1:8097", "/").is_ok());
        Some(Self { folder, _nginx: nginx })
    }

    /// A file of so many bytes, no two kilobytes of it the same.
    fn noise(&self, name: &str, len: usize) {
        let bytes: Vec<u8> =
            (0..len).map(|at| (at ^ (at >> 8) ^ (at >> 16)).to_le_bytes()[0]).collect();
        fs::write(self.folder.path().join(name), bytes).unwrap();
    }
}

fn run(on: &Namespace, mut command: Command) -> Output {
    on.run(|| command.output().unwrap())
}

fn shell(on: &Namespace, script: &str) -> String {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    let output = run(on, command);
    assert!(output.status.success(), "{script}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Status, fields and body as curl sees them, but for what belongs to a connection or a moment.
fn fetch(on: &Namespace, curl: &Program, arguments: &[&str], url: &str) -> (Vec<String>, Vec<u8>) {
    let mut command = curl.command();
    command.args(["-si", "--max-time", "60"]).args(arguments).arg(url);
    let output = run(on, command);
    assert!(output.status.success(), "curl {arguments:?} {url}: {}", output.status);
    let end = output.stdout.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let (head, body) = output.stdout.split_at(end);
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let status = head.split(' ').nth(1).unwrap().to_owned();
    let changes = ["date:", "connection:", "keep-alive:", "transfer-encoding:"];
    let fields = head.lines().skip(1).filter(|l| !changes.iter().any(|name| l.starts_with(name)));
    let mut lines: Vec<_> = fields.map(str::to_owned).chain([status]).collect();
    lines.sort_unstable();
    (lines, body[4..].to_vec())
}

#[test]
fn every_answer_is_the_upstreams_on_either_version_of_http() {
    let Some(host) = Namespace::new("jellynet-server") else { return };
    let (Some(files), Some(curl)) = (Files::serve(&host), peer::find("curl")) else { return };
    for (name, len) in [("0", 0), ("1", 1), ("64k", 65_537), ("3m", 3 << 20)] {
        files.noise(name, len);
    }
    fs::write(files.folder.path().join("text.txt"), "word ".repeat(5000)).unwrap();
    let _server = Server::start(&host, CONFIG);
    for arguments in [
        &[][..],
        &["-I"],
        &["-r", "5-70000"],
        &["-r", "-10"],
        &["-r", "99999999-"],
        &["-H", "Accept-Encoding: gzip"],
        &["-H", "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT"],
        &["-X", "DELETE"],
        &["-d", "x"],
    ] {
        // The last leads above the root, and is refused by whoever is asked to serve files.
        for path in ["/0", "/1", "/64k", "/3m", "/text.txt", "/none", "/%2e%2e%2fx"] {
            let same_host = ["-H", "Host: tv.lan"];
            let direct = [&same_host, arguments].concat();
            let direct = fetch(&host, &curl, &direct, &format!("{FAR}{path}"));
            for protocol in ["--http1.1", "--http2-prior-knowledge"] {
                let through = [&same_host, &[protocol][..], arguments].concat();
                let passed = fetch(&host, &curl, &through, &format!("{NEAR}{path}"));
                assert_eq!(passed.0, direct.0, "{through:?} {path}");
                assert!(passed.1 == direct.1, "{through:?} {path}");
            }
        }
    }
}

#[test]
fn four_gibibytes_come_as_they_are() {
    let Some(host) = Namespace::new("jellynet-server") else { return };
    let (Some(files), Some(_)) = (Files::serve(&host), peer::find("curl")) else { return };
    let path = files.folder.path().join("large");
    let large = fs::File::create(&path).unwrap();
    large.set_len(4 << 30).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&large, b"the end", 4 << 30).unwrap();
    let server = Server::start(&host, CONFIG);
    let before = Memory::of(&server.process).now;
    let told = shell(
        &host,
        &format!("curl -sS --max-time 300 {NEAR}/large | cmp - {} && echo same", path.display()),
    );
    assert_eq!(told, "same\n");
    let peak = Memory::of(&server.process).peak;
    assert!(peak - before < 16 << 10, "{before} KiB before, {peak} KiB at most");
}

/// Resident memory of a process, in KiB.
#[derive(Debug)]
struct Memory {
    now: u64,
    peak: u64,
}

impl Memory {
    fn of(process: &Process) -> Self {
        let path = Path::new("/proc").join(process.pid().to_string()).join("status");
        let status = fs::read_to_string(path).unwrap();
        let value = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        Self { now: value("VmRSS:"), peak: value("VmHWM:") }
    }
}

#[test]
fn a_gibibyte_goes_up_in_constant_memory() {
    let Some(host) = Namespace::new("jellynet-server") else { return };
    let Some(_upstream) = upstream_in_python(&host, "127.0.0.1:8097") else { return };
    let Some(_) = peer::find("curl") else { return };
    let server = Server::start(&host, CONFIG);
    assert_eq!(get(&host, "127.0.0.1:8096", "/x").unwrap().status, 200);
    let file = server.folder.path().join("large");
    fs::File::create(&file).unwrap().set_len(1 << 30).unwrap();
    let file = file.display();
    let before = Memory::of(&server.process).now;
    // With a length, chunked, and by HTTP/2.
    for arguments in [
        format!("-T {file}"),
        format!("-T - -H 'Transfer-Encoding: chunked' < {file}"),
        format!("--http2-prior-knowledge -T {file}"),
    ] {
        let script = format!("curl -sS --max-time 300 -H 'Expect:' {NEAR}/up {arguments}");
        assert_eq!(shell(&host, &script), "took 1073741824", "{arguments}");
    }
    let Memory { now, peak } = Memory::of(&server.process);
    assert!(peak - before < 16 << 10, "{before} KiB before, {peak} KiB at most, {now} KiB after");
}

#[test]
fn a_load_of_requests_gets_an_answer_each() {
    let Some(host) = Namespace::new("jellynet-server") else { return };
    let (Some(files), Some(h2load)) = (Files::serve(&host), peer::find("h2load")) else { return };
    files.noise("8k", 8192);
    let _server = Server::start(&host, CONFIG);
    for version in [&["-m", "20"][..], &["--h1"]] {
        let mut command = h2load.command();
        command.args(["-n", "4000", "-c", "20"]).args(version).arg(format!("{NEAR}/8k"));
        let output = run(&host, command);
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        for expected in [
            "requests: 4000 total, 4000 started, 4000 done, 4000 succeeded, 0 failed, 0 errored",
            "status codes: 4000 2xx, 0 3xx, 0 4xx, 0 5xx",
            &format!("({}) data", 4000 * 8192),
        ] {
            assert!(told.contains(expected), "{version:?}: {told}");
        }
    }
}

/// Nothing is open but what the question itself needs.
fn wait_until_nothing_is_left(host: &Namespace) {
    peer::wait_until("everything to be over", PATIENCE, || {
        sample(host, "jellynet_connections_open{listener=\"http\"}") == 0.0
            && sample(host, "jellynet_http_requests_in_flight{listener=\"http\"}") == 0.0
    });
}

#[test]
fn whoever_is_killed_at_whatever_stage_leaves_nothing_behind() {
    let Some(host) = Namespace::new("jellynet-server") else { return };
    let Some(mut upstream) = upstream_in_python(&host, "127.0.0.1:8097") else { return };
    let Some(curl) = peer::find("curl") else { return };
    let _server = Server::start(&host, CONFIG);
    peer::wait_until("the upstream", SOON, || {
        get(&host, "127.0.0.1:8096", "/x").is_ok_and(|answer| answer.status == 200)
    });
    let busy = || sample(&host, "jellynet_http_requests_in_flight{listener=\"http\"}");
    for kill_client in [true, false] {
        for (arguments, what) in [
            (&["--limit-rate", "10k", "/endless"][..], "a download"),
            (&["--http2-prior-knowledge", "--limit-rate", "10k", "/endless"], "the same by HTTP/2"),
            (&["--limit-rate", "1k", "-T", "/bin/sh", "-H", "Expect:", "/up"], "an upload"),
            (
                &["--http2-prior-knowledge", "--limit-rate", "1k", "-T", "/bin/sh", "/up"],
                "by HTTP/2",
            ),
        ] {
            let (path, options) = arguments.split_last().unwrap();
            let clients: Vec<_> = (0..5)
                .map(|_| {
                    let mut command = curl.command();
                    command.args(["-s", "-o", "/dev/null"]).args(options);
                    host.spawn({
                        command.arg(format!("{NEAR}{path}"));
                        command
                    })
                })
                .collect();
            peer::wait_until(what, PATIENCE, || busy() == 5.0);
            if kill_client {
                drop(clients);
            } else {
                // Dropping it kills it.
                drop(upstream);
                // At a limited rate they learn of it only when they have read, or written, all
                // that is on its way.
                drop(clients);
                upstream = upstream_in_python(&host, "127.0.0.1:8097").unwrap();
            }
            wait_until_nothing_is_left(&host);
        }
    }
    let after = host.run(|| ask("127.0.0.1:8096", "GET /after", &[]).unwrap());
    assert_eq!((after.status, &*after.body), (200, "took 0"), "and all goes on");
}

#[test]
fn an_upstream_behind_tls_is_believed_by_its_own_certificate_and_not_without() {
    let Some(host) = Namespace::new("jellynet-server") else { return };
    let files = Folder::new();
    files.write("x", "from afar");
    let back = Server::start(
        &host,
        &format!(
            "[http]\nlisten = ['127.0.0.1:8097']\n[https]\nlisten = ['127.0.0.1:8920']\n\
             [discovery]\nenabled = false\n[web]\ndirectory = '{}'\n",
            files.path().display()
        ),
    );
    let certificate = back.folder.path().join("data/self-signed.pem");
    let common = "[admin]\nlisten = ['127.0.0.1:9096']\n[discovery]\nenabled = false\n\
                  [[upstream]]\nurl = 'https://127.0.0.1:8920'\n";
    let ask = || get(&host, "127.0.0.1:8096", "/x").unwrap();

    let known = format!("{common}ca_file = '{}'\n", certificate.display());
    let server = Server::start(&host, &known);
    peer::wait_until("the upstream", SOON, || ask().status == 200);
    assert_eq!(ask().body, "from afar");
    server.process.terminate();
    server.process.wait(SOON);

    let server = Server::start(&host, common);
    peer::wait_until("the upstream's certificate", SOON, || ask().status == 502);
    let ready = get(&host, "127.0.0.1:9096", "/ready").unwrap();
    assert_eq!(ready.status, 503);
    let what = "the certificate of the upstream 127.0.0.1 ";
    assert!(ready.body.contains(what), "{}", ready.body);
    server.process.wait_for_line(what, SOON);
}
