//! Behind real proxies, each configured by the very block that its page of the guide prints.
//!
//! Proxy and server share a host, as in the guide, so that its ports and addresses can stay; the
//! client is on another host. Only the paths of the certificate are put in.

use std::fmt::{self, Write as _};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread;

use jellynet_test::netns::Namespace;
use jellynet_test::peer::{self, Process, Program};

use crate::rig::{Answer, Folder, SOON, Server, ask};

const CLIENT: &str = "203.0.113.9";
const CLIENT_6: &str = "2001:db8::9";
const HOST: &str = "203.0.113.1";
const HOST_6: &str = "2001:db8::1";
const NAME: &str = "tv.example.org";
const SCHEMES: [&str; 2] = ["http", "https"];

/// A page of the guide.
#[derive(Debug)]
pub(crate) struct Page(String);

impl Page {
    pub(crate) fn open(name: &str) -> Self {
        let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide");
        Self(fs::read_to_string(guide.join(format!("{name}.md"))).unwrap())
    }

    /// The fenced block behind a marker.
    pub(crate) fn block(&self, marker: &str) -> &str {
        let marker = format!("<!-- test: {marker} -->\n```");
        let (_, rest) = self.0.split_once(&marker).expect(&marker);
        let (block, _) = rest.split_once("\n```").unwrap();
        block.split_once('\n').unwrap().1
    }
}

/// Where the server lives, and who knows it.
#[derive(Debug)]
struct Shape {
    marker: &'static str,
    /// The path that clients see.
    prefix: &'static str,
    /// What is added to the server's configuration.
    toml: &'static str,
}

impl Shape {
    /// The base path of the server itself, which the media server is told.
    const fn base(&self) -> &'static str {
        if self.toml.is_empty() { "" } else { self.prefix }
    }
}

#[rustfmt::skip]
const SHAPES: [Shape; 3] = [
    Shape { marker: "root", prefix: "", toml: "" },
    Shape { marker: "path", prefix: "/jellyfin", toml: "[base_url]\npath = '/jellyfin'\n" },
    Shape { marker: "stripped", prefix: "/jellyfin", toml: "" },
];

/// What a client might send to be taken for another one; `{other}` is the scheme that it does
/// not use, and `Name;` is curl's way to write a header without a value.
#[rustfmt::skip]
const SPOOFS: &[(&str, &[&str])] = &[
    ("another client, twice", &["X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 7.7.7.7"]),
    ("a client behind the known proxy", &["X-Forwarded-For: 6.6.6.6, 127.0.0.1"]),
    ("a list with tabs", &["X-Forwarded-For: 6.6.6.6,\t127.0.0.1\t"]),
    ("no address", &["X-Forwarded-For: unknown, _hidden, [::1]:80, 6.6.6.6:1"]),
    ("another scheme", &["X-Forwarded-Proto: {other}"]),
    ("another host", &["X-Forwarded-Host: evil.example"]),
    ("another family", &["Forwarded: for=6.6.6.6;host=evil.example;proto={other}"]),
    ("another path", &["X-Forwarded-Prefix: /evil"]),
    ("another port", &["X-Forwarded-Port: 6666"]),
    ("another header", &["X-Real-IP: 6.6.6.6", "X-Original-For: 6.6.6.6"]),
    ("underscores", &["X_Forwarded_For: 6.6.6.6", "X_Forwarded_Proto: {other}", "X_Forwarded_Host: evil.example"]),
    (HOP_BY_HOP, &["Connection: keep-alive, X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Proto"]),
    (EMPTY, &["X-Forwarded-For;", "X-Forwarded-Proto;", "X-Forwarded-Host;", "Forwarded;"]),
];
/// The proxy is told to drop its own headers.
const HOP_BY_HOP: &str = "headers for one hop only";
const EMPTY: &str = "empty lines";

fn spoofed(headers: &[&str], scheme: &str) -> Vec<String> {
    let other = if scheme == "http" { "https" } else { "http" };
    headers.iter().map(|header| header.replace("{other}", other)).collect()
}

/// All spoofs but these in one request.
fn spoofs_without(scheme: &str, without: &[&str]) -> Vec<String> {
    let spoofs = SPOOFS.iter().filter(|(name, _)| !without.contains(name));
    spoofs.flat_map(|(_, headers)| spoofed(headers, scheme)).collect()
}

/// Who the media server takes the client for: all that it is told.
#[derive(Debug, PartialEq, Eq)]
struct Facts(Vec<String>);

impl Facts {
    fn new(client: &str, scheme: &str, host: &str, base: &str) -> Self {
        let mut facts =
            vec![format!("x-forwarded-for: {client}"), format!("x-forwarded-host: {host}")];
        facts.extend((!base.is_empty()).then(|| format!("x-forwarded-prefix: {base}")));
        facts.push(format!("x-forwarded-proto: {scheme}"));
        Self(facts)
    }

    fn of(head: &str) -> Self {
        let telling = ["x-forwarded-", "x-original-", "x-real-ip:", "forwarded:"];
        let lines = head.lines().map(str::to_ascii_lowercase);
        let mut facts: Vec<_> =
            lines.filter(|line| telling.iter().any(|name| line.starts_with(name))).collect();
        facts.sort();
        Self(facts)
    }
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

/// A media server that repeats a request's head, and opens tunnels that repeat a line with what it
/// knows about the client.
fn media_server(on: &Namespace) {
    let listener = on.run(|| TcpListener::bind("127.0.0.1:8097").unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || answer(stream));
        }
    });
}

fn answer(mut stream: TcpStream) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    if !head.to_ascii_lowercase().contains("\nupgrade: websocket\r\n") {
        let length = head.len();
        let fields = "Content-Type: text/plain\r\nConnection: close";
        return write!(
            stream,
            "HTTP/1.1 200 OK\r\n{fields}\r\nContent-Length: {length}\r\n\r\n{head}"
        )
        .ok();
    }
    let accept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    let fields = format!("Connection: Upgrade\r\nUpgrade: websocket\r\n{accept}");
    write!(stream, "HTTP/1.1 101 Switching Protocols\r\n{fields}\r\n\r\n").ok()?;
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    writeln!(stream, "{}, {}", line.trim(), Facts::of(&head)).ok()
}

/// Where a request ended, redirects followed.
#[derive(Debug)]
struct Arrived {
    status: String,
    url: String,
    body: String,
}

/// The host of proxy, server and media server, and a client.
#[derive(Debug)]
struct Site {
    host: Namespace,
    client: Namespace,
    folder: Folder,
}

impl Site {
    fn new() -> Option<Self> {
        for tool in ["curl", "openssl", "python3"] {
            let _found = peer::find_with(tool, &[])?;
        }
        let site = Self {
            host: Namespace::new("jellynet-server")?,
            client: Namespace::new("jellynet-server")?,
            folder: Folder::new(),
        };
        site.host.link("eth0", &site.client, "eth0");
        site.host.address("eth0", &format!("{HOST}/24"));
        site.host.address("eth0", &format!("{HOST_6}/64"));
        site.client.address("eth0", &format!("{CLIENT}/24"));
        site.client.address("eth0", &format!("{CLIENT_6}/64"));
        site.certificate();
        media_server(&site.host);
        Some(site)
    }

    /// A self-signed certificate, in all the files that the guide names.
    fn certificate(&self) {
        let mut openssl = Command::new("openssl");
        let subject = format!("/CN={NAME}");
        let names = format!("subjectAltName=DNS:{NAME}");
        openssl.current_dir(self.folder.path()).args(["req", "-x509", "-nodes", "-days", "2"]);
        openssl.args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
        openssl.args(["-keyout", "privkey.pem", "-out", "fullchain.pem"]);
        openssl.args(["-subj", &subject, "-addext", &names]);
        let output = openssl.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let read = |name| fs::read_to_string(self.folder.path().join(name)).unwrap();
        self.folder.write("combined.pem", &(read("fullchain.pem") + &read("privkey.pem")));
    }

    /// A block of the guide with the paths of this site.
    fn here(&self, block: &str) -> String {
        let folder = format!("{}/", self.folder.path().display());
        block.replace(&format!("/etc/ssl/{NAME}/"), &folder)
    }

    /// The server as the guide has it, with its media server; it also listens where clients can
    /// come without the proxy.
    fn serve(&self, block: &str, more: &str) -> Server {
        let direct = format!("\"127.0.0.1:8096\", \"{HOST}:8096\"");
        let toml = self.here(block).replace("\"127.0.0.1:8096\"", &direct);
        let upstream = "[[upstream]]\nurl = 'http://127.0.0.1:8097'\n[log]\naccess = 'json'\n";
        Server::start(&self.host, &format!("{toml}\n{upstream}{more}"))
    }

    /// Starts a proxy, and waits until it listens.
    fn start(&self, mut command: Command) -> Process {
        command.current_dir(self.folder.path()).env("HOME", self.folder.path());
        let proxy = self.host.spawn(command);
        for port in [80, 443] {
            peer::wait_until("the proxy to listen", SOON, || {
                assert!(proxy.exit_status().is_none(), "the proxy ended:\n{}", proxy.output());
                self.host.run(|| TcpStream::connect((HOST, port)).is_ok())
            });
        }
        proxy
    }

    /// Asks with curl, and follows redirects.
    fn curl(&self, options: &str, url: &str, headers: &[String]) -> Arrived {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--insecure", "--location", "--max-time", "20"]);
        curl.args(["--write-out", "\n%{http_code} %{url_effective}"]);
        for port in [80, 443] {
            curl.arg("--resolve").arg(format!("{NAME}:{port}:{HOST},[{HOST_6}]"));
        }
        for header in headers {
            curl.args(["--header", header]);
        }
        curl.args(options.split(' ')).arg(url);
        let output = self.client.run(|| curl.output().unwrap());
        let text = String::from_utf8_lossy(&output.stdout);
        let (body, end) = text.rsplit_once('\n').unwrap();
        let (status, url) = end.split_once(' ').unwrap();
        Arrived {
            status: status.to_owned(),
            url: url.to_owned(),
            body: body.to_owned() + &String::from_utf8_lossy(&output.stderr),
        }
    }

    /// Opens a tunnel, and returns the status line and the line that comes out of it.
    fn tunnel(&self, scheme: &str, path: &str) -> String {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/peers/tunnel.py");
        let mut python = Command::new("python3");
        python.args([script, HOST, NAME, scheme, path]);
        let output = self.client.run(|| python.output().unwrap());
        let error = String::from_utf8_lossy(&output.stderr);
        String::from_utf8_lossy(&output.stdout).into_owned() + &error
    }

    /// Everything that must hold for whoever comes through the proxy.
    fn prove(&self, server: &Server, shape: &Shape, each_spoof: bool) {
        let prefix = shape.prefix;
        for scheme in SCHEMES {
            let ask = |what: &str, options: &str, headers: &[String]| {
                let place = format!("/echo/{scheme}/{}", what.replace([' ', ','], "-"));
                let url = format!("{scheme}://{NAME}{prefix}{place}");
                let arrived = self.curl(options, &url, headers);
                let client = if options == "-6" { CLIENT_6 } else { CLIENT };
                let truth = Facts::new(client, scheme, NAME, shape.base());
                assert_eq!(Facts::of(&arrived.body), truth, "{what}: {arrived:?}");
                logged(server, &place, client);
            };
            ask("nothing", "-4", &[]);
            ask("nothing by IPv6", "-6", &[]);
            let spoofs = spoofs_without(scheme, &[EMPTY, HOP_BY_HOP]);
            ask("all in the newest version", "-4", &spoofs);
            let spoofs = spoofs_without(scheme, &[EMPTY]);
            ask("all in HTTP/1.1", "-4 --http1.1", &spoofs);
            for (what, headers) in SPOOFS.iter().filter(|_| each_spoof) {
                ask(what, "-4 --http1.1", &spoofed(headers, scheme));
            }
            self.prove_redirects(scheme, prefix);
            self.prove_tunnel(server, scheme, shape);
        }
    }

    fn prove_redirects(&self, scheme: &str, prefix: &str) {
        for slash in ["", "/"] {
            let start = format!("{scheme}://{NAME}{prefix}{slash}");
            let arrived = self.curl("-4", &start, &[]);
            let end = format!("{scheme}://{NAME}{prefix}/web/");
            assert_eq!(arrived.url, end, "{start}: {arrived:?}");
            assert_eq!(arrived.status, "200", "{start}: {arrived:?}");
            let asked = arrived.body.lines().next();
            assert_eq!(asked, Some("GET /web/ HTTP/1.1"), "{start}: {arrived:?}");
        }
    }

    fn prove_tunnel(&self, server: &Server, scheme: &str, shape: &Shape) {
        let place = format!("/socket/{scheme}");
        let seen = self.tunnel(scheme, &format!("{}{place}", shape.prefix));
        let truth = Facts::new(CLIENT, scheme, NAME, shape.base());
        let expected = format!("HTTP/1.1 101 Switching Protocols\nhello, {truth}\n");
        assert_eq!(seen, expected, "a WebSocket by {scheme}");
        logged(server, &place, CLIENT);
    }

    /// Who comes without the proxy is not believed.
    fn prove_direct(&self, shape: &Shape) {
        let at = format!("{HOST}:8096");
        let spoofs = spoofs_without("http", &[EMPTY]);
        let headers: Vec<_> = spoofs.iter().map(String::as_str).collect();
        let answer = self
            .client
            .run(|| ask(&at, &format!("GET {}/direct", shape.prefix), &headers))
            .unwrap();
        let truth = Facts::new(CLIENT, "http", &at, shape.base());
        assert_eq!(Facts::of(&answer.body), truth, "{answer:?}");
    }
}

/// Waits for the line of the access log that has this in its target, and looks at its facts.
fn logged(server: &Server, target: &str, client: &str) {
    let line = server.process.wait_for_line(&format!("{target}\""), SOON);
    let seen: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&seen["client"], &seen["host"]), (&client.into(), &NAME.into()), "{line}");
}

/// Runs a proxy in each shape; `run` makes the command from the block of the guide.
fn behind(page: &str, program: &Program, run: impl Fn(&Site, &Program, &str) -> Command) {
    let page = Page::open(page);
    for shape in SHAPES {
        let Some(site) = Site::new() else { return };
        let server = site.serve(page.block("jellynet"), shape.toml);
        let block = site.here(page.block(shape.marker));
        let _proxy = site.start(run(&site, program, &block));
        site.prove(&server, &shape, shape.marker == "root");
        site.prove_direct(&shape);
    }
}

/// nginx in one process, with what Debian's nginx.conf has around the block.
fn nginx(site: &Site, program: &Program, contexts: &str) -> Command {
    let folder = site.folder.path().display();
    let own = "daemon off; master_process off; error_log stderr; events {}";
    let file =
        site.folder.write("nginx.conf", &format!("pid {folder}/nginx.pid; {own}\n{contexts}"));
    let mut command = program.command();
    command.arg("-p").arg(site.folder.path()).arg("-c").arg(file).args(["-e", "stderr"]);
    command
}

fn haproxy(site: &Site, program: &Program, block: &str) -> Command {
    let mut command = program.command();
    command.arg("-db").arg("-f").arg(site.folder.write("haproxy.cfg", &format!("{block}\n")));
    command
}

#[test]
fn nginx_tells_who_the_client_is() {
    let Some(program) = peer::find_with("nginx", &["-v"]) else {
        return;
    };
    behind("nginx", &program, |site, program, block| {
        let mut own = "access_log off;\n".to_owned();
        for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
            let _ = writeln!(own, "{kind}_temp_path {kind};");
        }
        nginx(site, program, &format!("http {{\n{own}{block}\n}}\n"))
    });
}

#[test]
fn haproxy_tells_who_the_client_is() {
    let Some(program) = peer::find_with("haproxy", &["-v"]) else {
        return;
    };
    behind("haproxy", &program, haproxy);
}

#[test]
fn caddy_tells_who_the_client_is() {
    let Some(program) = peer::find_with("caddy", &["version"]) else {
        return;
    };
    behind("caddy", &program, |site, program, block| {
        let file = site.folder.write("Caddyfile", &format!("{block}\n"));
        let mut command = program.command();
        command.args(["run", "--adapter", "caddyfile", "--config"]).arg(file);
        command.env("XDG_DATA_HOME", site.folder.path()).env("XDG_CONFIG_HOME", site.folder.path());
        command
    });
}

#[test]
fn apache_tells_who_the_client_is() {
    let Some(program) = peer::find_with("apache2", &["-v"]) else {
        return;
    };
    behind("apache", &program, |site, program, block| {
        let folder = site.folder.path().display();
        let mut own =
            format!("ServerRoot {folder}\nDefaultRuntimeDir {folder}\nPidFile {folder}/pid\n");
        own.push_str("User www-data\nGroup www-data\nListen 80\nListen 443\n");
        own.push_str("ServerName localhost\nErrorLog /dev/stderr\n");
        for module in APACHE_MODULES {
            let path = format!("/usr/lib/apache2/modules/mod_{module}.so");
            let _ = writeln!(own, "LoadModule {module}_module {path}");
        }
        let file = site.folder.write("apache.conf", &format!("{own}{block}\n"));
        let mut command = program.command();
        command.arg("-X").arg("-f").arg(file);
        command
    });
}

/// Those that Debian enables by itself, and those that the page says to enable.
#[rustfmt::skip]
const APACHE_MODULES: [&str; 9] = [
    "mpm_event", "authz_core", "alias", "socache_shmcb",
    "proxy", "proxy_http", "proxy_wstunnel", "headers", "ssl",
];

/// Bytes passed on unread, with the client's address in front of them.
fn by_preamble(page: &str, run: impl Fn(&Site, &str) -> Command) {
    let page = Page::open(page);
    let Some(site) = Site::new() else { return };
    let server = site.serve(page.block("jellynet-proxy-protocol"), "");
    let _proxy = site.start(run(&site, &site.here(page.block("proxy-protocol"))));
    let [root, ..] = SHAPES;
    site.prove(&server, &root, true);
    site.prove_direct(&root);
    let refused = |answer: std::io::Result<Answer>| {
        let passed = answer.as_ref().is_ok_and(|answer| answer.status == 200);
        assert!(!passed, "{answer:?}");
    };
    let forged = "PROXY TCP4 6.6.6.6 6.6.6.7 80 80\r\nGET /forged";
    let direct = format!("{HOST}:8096");
    refused(site.client.run(|| ask(&direct, forged, &[])));
    refused(site.host.run(|| ask("127.0.0.1:8096", "GET /missing", &[])));
}

#[test]
fn haproxy_tells_by_either_version_of_the_proxy_protocol() {
    let Some(program) = peer::find_with("haproxy", &["-v"]) else {
        return;
    };
    for version in ["send-proxy-v2", "send-proxy"] {
        by_preamble("haproxy", |site, block| {
            haproxy(site, &program, &block.replace("send-proxy-v2", version))
        });
    }
}

#[test]
fn nginx_tells_by_the_proxy_protocol() {
    let Some(program) = peer::find_with("nginx", &["-v"]) else {
        return;
    };
    let module = "/usr/lib/nginx/modules/ngx_stream_module.so";
    if !Path::new(module).exists() {
        peer::skip("nginx has no module for streams (Debian: libnginx-mod-stream)");
        return;
    }
    by_preamble("nginx", |site, block| {
        let mut command = nginx(site, &program, block);
        command.arg("-g").arg(format!("load_module {module};"));
        command
    });
}

/// What Traefik says about a request, by its documentation: its own values in place of the
/// client's, `wss` for a WebSocket, and the path that its `stripPrefix` cut off.
fn traefik(said: &str, cut: &str) -> Vec<String> {
    let port = if matches!(said, "https" | "wss") { 443 } else { 80 };
    let mut headers = vec![
        format!("Host: {NAME}"),
        format!("X-Forwarded-For: {CLIENT}"),
        format!("X-Forwarded-Host: {NAME}"),
        format!("X-Forwarded-Port: {port}"),
        format!("X-Forwarded-Proto: {said}"),
        "X-Forwarded-Server: 4f1a2b3c".to_owned(),
        format!("X-Real-Ip: {CLIENT}"),
    ];
    headers.extend((!cut.is_empty()).then(|| format!("X-Forwarded-Prefix: {cut}")));
    headers
}

#[test]
fn what_traefik_says_is_understood() {
    let page = Page::open("traefik");
    // No name server is here: the address of the container in place of its name.
    let block = page.block("jellynet").replace("traefik", "127.0.0.1");
    for shape in SHAPES {
        let Some(site) = Site::new() else { return };
        let server = site.serve(&block, shape.toml);
        let stripped = shape.marker == "stripped";
        let (cut, passed) = if stripped { (shape.prefix, "") } else { ("", shape.prefix) };
        for (said, scheme) in
            [("http", "http"), ("https", "https"), ("ws", "http"), ("wss", "https")]
        {
            let headers = traefik(said, cut);
            let headers: Vec<_> = headers.iter().map(String::as_str).collect();
            let get = |path: &str| {
                let request = format!("GET {passed}{path}");
                site.host.run(|| ask("127.0.0.1:8096", &request, &headers)).unwrap()
            };
            let place = format!("/echo/{said}");
            let answer = get(&place);
            let truth = Facts::new(CLIENT, scheme, NAME, shape.base());
            assert_eq!(Facts::of(&answer.body), truth, "{answer:?}");
            logged(&server, &place, CLIENT);
            let redirect = get("/");
            assert_eq!(redirect.header("location"), Some("web/"), "{redirect:?}");
        }
        site.prove_direct(&shape);
    }
}
