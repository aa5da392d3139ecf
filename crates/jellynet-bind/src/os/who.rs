//! Who holds an address, as far as `/proc` lets this process see.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::error::DeniedHint;
use crate::holder::{Holder, HolderProcess, Kinship, LISTENING, TableRow, unit_of};
use crate::os::accounts;

/// Who has a socket that keeps `wanted` from being bound.
pub(crate) fn holds(wanted: SocketAddr) -> Option<Holder> {
    let rows = ["tcp", "tcp6"].into_iter().filter_map(read_table);
    let rows: Vec<TableRow> = rows
        .flat_map(|table| table.lines().filter_map(TableRow::parse).collect::<Vec<_>>())
        .filter(|row| row.conflict(wanted) > 0)
        .collect();
    rows.iter().max_by_key(|row| row.conflict(wanted)).map(of_row)
}

/// A transport that has ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// Its listeners.
    Tcp,
    /// All its sockets.
    Udp,
}

/// Who has this port on this host now, each process once; nobody where the list is empty.
///
/// Reads `/proc`: which process it is stays hidden from other users than root and its own, and
/// what holds a port in another network namespace is not seen.
///
/// # Examples
///
/// ```
/// use jellynet_bind::{Kinship, Transport, holders};
///
/// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
/// let found = holders(Transport::Udp, socket.local_addr()?.port());
/// assert_eq!(found[0].process.as_ref().map(|p| p.kin), Some(Kinship::Ourselves));
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use]
pub fn holders(transport: Transport, port: u16) -> Vec<Holder> {
    let tables = match transport {
        Transport::Tcp => ["tcp", "tcp6"],
        Transport::Udp => ["udp", "udp6"],
    };
    let tables = tables.into_iter().filter_map(read_table);
    let rows = tables
        .flat_map(|table| table.lines().filter_map(TableRow::parse).collect::<Vec<_>>())
        .filter(|row| row.local.port() == port)
        .filter(|row| transport == Transport::Udp || row.state == LISTENING);
    let mut found: Vec<Holder> = Vec::new();
    for row in rows {
        let holder = of_row(&row);
        let same = |known: &Holder| match (&known.process, &holder.process) {
            (Some(known), Some(new)) => known.pid == new.pid,
            (None, None) => known.uid == holder.uid,
            _ => false,
        };
        if !found.iter().any(same) {
            found.push(holder);
        }
    }
    found
}

fn of_row(row: &TableRow) -> Holder {
    Holder {
        addr: Some(row.local),
        listening: row.state == LISTENING,
        process: process_with(row.inode),
        uid: Some(row.uid),
        user: accounts::user_name(row.uid),
    }
}

/// Who answers on a Unix socket, from the credentials of a connection to it.
pub(crate) fn answers(pid: u32, uid: u32) -> Holder {
    Holder {
        addr: None,
        listening: true,
        process: process(pid),
        uid: Some(uid),
        user: accounts::user_name(uid),
    }
}

/// The thread's own table: a thread can be in another network namespace than its process.
fn read_table(name: &str) -> Option<String> {
    ["/proc/thread-self/net", "/proc/net"]
        .iter()
        .find_map(|dir| fs::read_to_string(Path::new(dir).join(name)).ok())
}

fn process_with(inode: u64) -> Option<HolderProcess> {
    let link = format!("socket:[{inode}]");
    let mut pids: Vec<u32> = fs::read_dir("/proc")
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    // A master's number is lower than its workers'.
    pids.sort_unstable();
    pids.into_iter().find(|pid| has_open(*pid, &link)).and_then(process)
}

fn has_open(pid: u32, link: &str) -> bool {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return false;
    };
    descriptors
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .any(|target| target.as_os_str() == link)
}

fn process(pid: u32) -> Option<HolderProcess> {
    let command = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    let cgroup = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    Some(HolderProcess {
        pid,
        command: command.trim_end().to_owned(),
        unit: unit_of(&cgroup),
        kin: kinship(pid),
    })
}

fn kinship(pid: u32) -> Kinship {
    if pid == std::process::id() {
        return Kinship::Ourselves;
    }
    let same = match (program_of("self"), program_of(&pid.to_string())) {
        (Some(ours), Some(theirs)) => ours == theirs,
        _ => false,
    };
    if same { Kinship::SameProgram } else { Kinship::Stranger }
}

/// The program's file; an upgrade on disk marks the running one as deleted.
fn program_of(pid: &str) -> Option<PathBuf> {
    let path = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    let text = path.to_str()?;
    Some(text.strip_suffix(" (deleted)").unwrap_or(text).into())
}

/// Why this port is refused.
pub(crate) fn denied(port: u16) -> DeniedHint {
    let first_free = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(1024);
    if port < first_free {
        DeniedHint::Privileged { first_free, program: program_of("self") }
    } else {
        DeniedHint::Policy
    }
}
