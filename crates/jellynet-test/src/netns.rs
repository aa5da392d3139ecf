//! Network namespaces with links between them: real kernels for real sockets.
//!
//! # Examples
//!
//! ```no_run
//! use std::net::UdpSocket;
//!
//! use jellynet_test::netns::Namespace;
//!
//! // Without root the test ends here, and says so.
//! let Some(server) = Namespace::new("jellynet-example") else { return };
//! let Some(client) = Namespace::new("jellynet-example") else { return };
//! server.link("eth0", &client, "eth0");
//! server.address("eth0", "10.77.1.1/24");
//! client.address("eth0", "10.77.1.2/24");
//!
//! let socket = server.run(|| UdpSocket::bind("10.77.1.1:0")).unwrap();
//! let port = socket.local_addr().unwrap().port();
//! let sent = client.run(|| {
//!     let socket = UdpSocket::bind("0.0.0.0:0")?;
//!     socket.send_to(b"hello", ("10.77.1.1", port))
//! });
//! assert_eq!(sent.unwrap(), 5);
//! ```

use std::fs::File;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::peer;

/// A network namespace of its own, deleted when it is dropped, with all its interfaces.
///
/// Its loopback interface is up. Sockets that were made in it stay in it, wherever they are used.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes a namespace whose name begins with `prefix` (the crate's name), followed by the
    /// process id and a number.
    ///
    /// `None`, after saying so, where this process may not: it is not root or there is no `ip`.
    ///
    /// # Panics
    ///
    /// In that case, when `JELLYNET_PEERS=require`; and when `ip` fails where it should not.
    #[must_use]
    pub fn new(prefix: &str) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        if let Some(why) = unavailable() {
            peer::skip(&format!("network namespaces: {why}"));
            return None;
        }
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{prefix}-{}-{number}", std::process::id());
        ip(&["netns", "add", &name]);
        let namespace = Self { name };
        namespace.ip("link set lo up");
        Some(namespace)
    }

    /// The name under which `ip netns` knows it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `ip` in the namespace with these arguments, separated by blanks: `link set eth0 down`.
    ///
    /// # Panics
    ///
    /// When `ip` fails, with what it said.
    pub fn ip(&self, arguments: &str) {
        let _ = self.ip_output(arguments);
    }

    /// Like [`ip`](Self::ip), and returns what it printed: `-j address`.
    #[must_use]
    pub fn ip_output(&self, arguments: &str) -> String {
        let mut all = vec!["-n", self.name.as_str()];
        all.extend(arguments.split_whitespace());
        ip(&all)
    }

    /// Lays a veth link between an interface here and one in `other`; both are up.
    pub fn link(&self, interface: &str, other: &Self, other_interface: &str) {
        #[rustfmt::skip]
        ip(&[
            "link", "add", interface, "netns", &self.name, "type", "veth",
            "peer", "name", other_interface, "netns", &other.name,
        ]);
        self.ip(&format!("link set {interface} up"));
        other.ip(&format!("link set {other_interface} up"));
    }

    /// Gives an interface an address such as `10.77.1.1/24` or `fd77::1/64`.
    ///
    /// An IPv6 address can be used at once (`nodad`); one that is to be tentative first is added
    /// with [`ip`](Self::ip).
    pub fn address(&self, interface: &str, address: &str) {
        let family = if address.contains(':') { "nodad" } else { "brd +" };
        self.ip(&format!("address add {address} {family} dev {interface}"));
    }

    /// Sends everything that is on no link of this namespace to `router`. A broadcast to
    /// 255.255.255.255 needs such a route too.
    pub fn default_route(&self, router: IpAddr) {
        self.ip(&format!("route add default via {router}"));
    }

    /// Makes the namespace pass packets on between its interfaces.
    pub fn forward(&self) {
        self.run(|| {
            for path in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
                // Like the thread that opens it, this directory is in the namespace.
                std::fs::write(Path::new("/proc/sys/net").join(path), "1").unwrap();
            }
        });
    }

    /// Runs `code` in the namespace, on a thread of its own, and waits for it. A panic in it
    /// becomes one of the caller.
    ///
    /// A runtime that is built inside stays inside when it is single-threaded.
    pub fn run<T: Send>(&self, code: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                self.enter();
                code()
            });
            inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Starts a program in the namespace.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[must_use]
    pub fn spawn(&self, command: Command) -> peer::Process {
        self.run(|| peer::Process::spawn(command))
    }

    /// Moves the calling thread into the namespace, for good. Threads that it starts from then on
    /// are in it too.
    pub fn enter(&self) {
        let path = Path::new("/run/netns").join(&self.name);
        let link = File::open(&path).unwrap_or_else(|e| panic!("open {}: {e}", path.display()));
        move_into_link_name_space(link.as_fd(), Some(LinkNameSpaceType::Network))
            .unwrap_or_else(|e| panic!("enter {}: {e}", path.display()));
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // A failing test must not become an abort: what cannot be deleted is only named.
        let outcome = Command::new("ip").args(["netns", "delete", &self.name]).output();
        if !outcome.is_ok_and(|output| output.status.success()) {
            eprintln!("could not delete the network namespace {}", self.name);
        }
    }
}

/// Why there can be no namespaces here; asked of the kernel once.
fn unavailable() -> Option<&'static str> {
    static WHY: OnceLock<Option<&'static str>> = OnceLock::new();
    *WHY.get_or_init(|| {
        if !rustix::process::geteuid().is_root() {
            return Some("this is not root");
        }
        let name = format!("jellynet-probe-{}", std::process::id());
        let run = |verb| Command::new("ip").args(["netns", verb, &name]).output();
        match run("add") {
            Err(_) => Some("the program ip is not here (Debian: iproute2)"),
            Ok(output) if !output.status.success() => Some("the kernel refuses to make one"),
            Ok(_) => run("delete").err().map(|_| "ip netns delete failed"),
        }
    })
}

fn ip(arguments: &[&str]) -> String {
    let output =
        Command::new("ip").args(arguments).output().unwrap_or_else(|e| panic!("start ip: {e}"));
    assert!(
        output.status.success(),
        "ip {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
