//! Who holds a port.

use std::collections::HashMap;
use std::fmt;
use std::fs;

use super::drops::rows;

/// A port that could not be leased, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PortHolder {
    /// The port.
    pub port: u16,
    /// Whose it is.
    pub holder: Holder,
}

/// Whose a port is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Holder {
    /// A stream of this program.
    Ours {
        /// What the lease is for.
        label: String,
    },
    /// A process that this one may look at.
    Process {
        /// Its id.
        pid: u32,
        /// Its name.
        name: String,
    },
    /// A process of another user.
    User {
        /// The user's id.
        uid: u32,
    },
    /// Nobody that this system would tell.
    Unknown,
}

impl fmt::Display for PortHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.port;
        match &self.holder {
            Holder::Ours { label } => write!(f, "{port} by this program for {label}"),
            Holder::Process { pid, name } => write!(f, "{port} by {name} (process {pid})"),
            Holder::User { uid } => write!(f, "{port} by a process of user {uid}"),
            Holder::Unknown => write!(f, "{port} by an unknown process"),
        }
    }
}

/// Looks up who holds these ports. Slow (it may read every process), so only for an error.
pub(super) fn look_up(ports: &[u16]) -> Vec<PortHolder> {
    let tables = ["/proc/thread-self/net/udp", "/proc/thread-self/net/udp6"];
    let text: String = tables.iter().filter_map(|t| fs::read_to_string(t).ok()).collect();
    let held: HashMap<u16, (u32, u64)> =
        rows(&text).map(|row| (row.port, (row.uid, row.inode))).collect();
    let owners = processes();
    let holder = |port: &u16| {
        let Some((uid, inode)) = held.get(port) else {
            return Holder::Unknown;
        };
        match owners.get(inode) {
            Some((pid, name)) => Holder::Process { pid: *pid, name: name.clone() },
            None => Holder::User { uid: *uid },
        }
    };
    let holders = ports.iter().map(|port| PortHolder { port: *port, holder: holder(port) });
    holders.collect()
}

/// Every socket inode with the process that has it open.
fn processes() -> HashMap<u64, (u32, String)> {
    let mut owners = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse().ok()) else {
            continue;
        };
        let mut name = None;
        for fd in fs::read_dir(entry.path().join("fd")).into_iter().flatten().flatten() {
            let Ok(link) = fs::read_link(fd.path()) else {
                continue;
            };
            let Some(inode) = link.to_str().and_then(socket_inode) else {
                continue;
            };
            let name = name.get_or_insert_with(|| {
                let comm = fs::read_to_string(entry.path().join("comm"));
                comm.unwrap_or_default().trim_end().to_owned()
            });
            owners.insert(inode, (pid, name.clone()));
        }
    }
    owners
}

fn socket_inode(link: &str) -> Option<u64> {
    link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}
