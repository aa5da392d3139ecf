//! What the tests are made of: the binary, hosts and links, and a media server behind it.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use jellynet_test::netns::Namespace;
use jellynet_test::peer::{self, Process};

/// Longer than anything takes on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(20);
/// Within this, a change of the network must show.
pub(crate) const CHANGE: Duration = Duration::from_secs(2);

/// Where tests have the administrator's listener.
pub(crate) const ADMIN: &str = "127.0.0.1:9096";
const JELLYNET: &str = env!("CARGO_BIN_EXE_jellynet");

/// A folder of the test's own, removed with it.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("e2e-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// `jellynet` with arguments, and nothing of this environment's settings.
pub(crate) fn jellynet(arguments: &[&str]) -> Command {
    let mut command = Command::new(JELLYNET);
    command.args(arguments);
    clean(&mut command);
    command
}

/// Keeps this environment's settings from a program.
fn clean(command: &mut Command) {
    command.current_dir(env!("CARGO_TARGET_TMPDIR"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("JELLYNET_") {
            command.env_remove(name);
        }
    }
}

/// A running server with its configuration.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) folder: Folder,
}

impl Server {
    /// Starts the server in a namespace with this configuration, and waits until it says so.
    pub(crate) fn start(on: &Namespace, toml: &str) -> Self {
        let server = Self::start_unready(on, toml);
        server.process.wait_for_line("ready to serve", SOON);
        server
    }

    /// The same by another program, to which the server's command line is given.
    pub(crate) fn start_by(on: &Namespace, mut program: Command, toml: &str) -> Self {
        program.arg(JELLYNET);
        clean(&mut program);
        let server = Self::spawn(on, program, toml);
        server.process.wait_for_line("ready to serve", SOON);
        server
    }

    /// The same without waiting.
    pub(crate) fn start_unready(on: &Namespace, toml: &str) -> Self {
        Self::spawn(on, jellynet(&[]), toml)
    }

    fn spawn(on: &Namespace, mut command: Command, toml: &str) -> Self {
        let folder = Folder::new();
        let config = folder.write("jellynet.toml", toml);
        let data = folder.path().join("data");
        command.arg("--config").arg(config).arg("--data-dir").arg(data);
        Self { process: on.spawn(command), folder }
    }
}

/// A namespace with two LANs, a client on each, and a remote host behind a router on the first.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) server: Namespace,
    pub(crate) one: Namespace,
    pub(crate) two: Namespace,
    pub(crate) router: Namespace,
    pub(crate) remote: Namespace,
}

impl Network {
    /// `None`, after saying so, where there can be no namespaces.
    pub(crate) fn new() -> Option<Self> {
        let host = || Namespace::new("jellynet-server");
        let network =
            Self { server: host()?, one: host()?, two: host()?, router: host()?, remote: host()? };
        let Self { server, one, two, router, remote } = &network;
        // The first LAN is a bridge, so that client, router and server share it.
        server.link("eth1", two, "eth0");
        router.ip("link add br0 type bridge");
        router.ip("link set br0 up");
        router.link("port0", server, "eth0");
        router.link("port1", one, "eth0");
        router.ip("link set port0 master br0");
        router.ip("link set port1 master br0");
        router.link("wan0", remote, "eth0");
        server.address("eth0", "10.77.1.1/24");
        server.address("eth0", "fd77:1::1/64");
        server.address("eth1", "10.77.2.1/24");
        one.address("eth0", "10.77.1.2/24");
        one.address("eth0", "fd77:1::2/64");
        two.address("eth0", "10.77.2.2/24");
        router.address("br0", "10.77.1.254/24");
        router.address("wan0", "192.0.2.254/24");
        remote.address("eth0", "192.0.2.7/24");
        server.default_route("10.77.1.254".parse().unwrap());
        one.default_route("10.77.1.254".parse().unwrap());
        two.default_route("10.77.2.1".parse().unwrap());
        remote.default_route("192.0.2.254".parse().unwrap());
        router.forward();
        Some(network)
    }
}

/// An answer to an HTTP request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// Asks over HTTP/1.1 with exactly these header lines; an error where nothing answers.
pub(crate) fn ask(address: &str, request: &str, headers: &[&str]) -> std::io::Result<Answer> {
    let to: SocketAddr = address.parse().unwrap();
    let mut stream = TcpStream::connect_timeout(&to, Duration::from_secs(3))?;
    stream.set_read_timeout(Some(SOON))?;
    let mut text = format!("{request} HTTP/1.1\r\n");
    if !headers.iter().any(|h| h.to_ascii_lowercase().starts_with("host:")) {
        let _ = write!(text, "Host: {address}\r\n");
    }
    for header in headers {
        let _ = write!(text, "{header}\r\n");
    }
    text.push_str("Connection: close\r\n\r\n");
    stream.write_all(text.as_bytes())?;
    let mut all = Vec::new();
    stream.read_to_end(&mut all)?;
    let all = String::from_utf8_lossy(&all).into_owned();
    let (head, body) = all.split_once("\r\n\r\n").unwrap_or((&all, ""));
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    Ok(Answer { status, head: head.to_owned(), body: body.to_owned() })
}

/// `GET` from a namespace.
pub(crate) fn get(from: &Namespace, address: &str, path: &str) -> std::io::Result<Answer> {
    from.run(|| ask(address, &format!("GET {path}"), &[]))
}

/// The value of a sample of the metrics, by its whole name.
pub(crate) fn sample(on: &Namespace, name: &str) -> f64 {
    let text = get(on, ADMIN, "/metrics").unwrap().body;
    let line = text.lines().find(|line| line.rsplit_once(' ').is_some_and(|(key, _)| key == name));
    let line = line.unwrap_or_else(|| panic!("no {name} in\n{text}"));
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

/// A media server that takes thousands of connections and reads whole bodies; see `upstream.py`.
/// `None`, after saying so, without Python.
pub(crate) fn upstream_in_python(on: &Namespace, address: &str) -> Option<Process> {
    let mut command = peer::find("python3")?.command();
    command.args([concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/upstream.py"), address]);
    let process = on.spawn(command);
    process.wait_for_line("listening", SOON);
    Some(process)
}

/// A media server of the simplest kind: it tells who it is, and repeats what it was asked, the
/// first line of a tunnel too.
#[derive(Debug)]
pub(crate) struct MediaServer;

pub(crate) const MEDIA_SERVER_ID: &str = "0123456789abcdef0123456789abcdef";

impl MediaServer {
    /// Listens in a namespace until the test program ends.
    pub(crate) fn start(on: &Namespace, address: &str) -> Self {
        Self::start_as(on, address, MEDIA_SERVER_ID, "Living Room")
    }

    /// The same, with this id and name.
    pub(crate) fn start_as(
        on: &Namespace,
        address: &str,
        id: &'static str,
        name: &'static str,
    ) -> Self {
        let listener = on.run(|| TcpListener::bind(address).unwrap());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                thread::spawn(move || answer(stream, id, name));
            }
        });
        Self
    }
}

fn answer(mut stream: TcpStream, id: &str, name: &str) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        if head.to_ascii_lowercase().contains("\nupgrade: websocket\r\n") {
            let accept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
            let fields = format!("Connection: Upgrade\r\nUpgrade: websocket\r\n{accept}");
            write!(stream, "HTTP/1.1 101 Switching Protocols\r\n{fields}\r\n\r\n").ok()?;
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            return writeln!(stream, "{name}: {}", line.trim()).ok();
        }
        let path = head.split(' ').nth(1)?;
        let body = if path.to_ascii_lowercase().starts_with("/system/info/public") {
            format!(
                "{{\"LocalAddress\":\"http://{}\",\"ServerName\":\"{name}\",\"Version\":\"12.0.0\",\
                 \"ProductName\":\"Jellyfin Server\",\"OperatingSystem\":\"\",\"Id\":\"{id}\",\
                 \"StartupWizardCompleted\":true}}",
                stream.local_addr().ok()?
            )
        } else {
            head.clone()
        };
        let kind =
            if body.starts_with('{') { "application/json; charset=utf-8" } else { "text/plain" };
        let close = if head.to_ascii_lowercase().contains("connection: close") {
            "Connection: close\r\n"
        } else {
            ""
        };
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{close}\r\n{body}",
            body.len()
        )
        .ok()?;
        if !close.is_empty() {
            return None;
        }
    }
}
