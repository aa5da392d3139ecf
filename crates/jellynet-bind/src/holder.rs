//! Who holds a port: from the kernel's tables to a process, its user and its unit.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A socket that is in the way, and whose it is, as far as this process may know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// The address that it has; `None` for a Unix socket.
    pub addr: Option<SocketAddr>,
    /// Whether it listens; otherwise it is an open connection from this port.
    pub listening: bool,
    /// The process; hidden from other users than root and its own.
    pub process: Option<HolderProcess>,
    /// The user's number.
    pub uid: Option<u32>,
    /// The user's name.
    pub user: Option<String>,
}

/// The process that holds a socket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HolderProcess {
    /// Its number; the lowest, where several share the socket.
    pub pid: u32,
    /// Its name as the kernel knows it, up to 15 bytes.
    pub command: String,
    /// The systemd unit or container that it runs in.
    pub unit: Option<String>,
    /// Whether it is this process, another copy of this program, or somebody else.
    pub kin: Kinship,
}

/// How near the holder of a socket is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kinship {
    /// Another program.
    #[default]
    Stranger,
    /// Another process of this very program.
    SameProgram,
    /// This process.
    Ourselves,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = |f: &mut fmt::Formatter<'_>| match (&self.user, self.uid) {
            (Some(user), _) => write!(f, "user {user}"),
            (None, Some(uid)) => write!(f, "user number {uid}"),
            (None, None) => f.write_str("an unknown user"),
        };
        let Some(process) = &self.process else {
            f.write_str("a process of ")?;
            user(f)?;
            return f.write_str(" (root can see which)");
        };
        match process.kin {
            Kinship::Ourselves => return f.write_str("this process itself"),
            Kinship::SameProgram => write!(f, "another copy of this program (pid {}", process.pid)?,
            Kinship::Stranger => write!(f, "{} (pid {}", process.command, process.pid)?,
        }
        f.write_str(", ")?;
        user(f)?;
        if let Some(unit) = &process.unit {
            write!(f, ", {unit}")?;
        }
        f.write_str(")")
    }
}

/// One line of `/proc/net/tcp` or `tcp6` (proc_net_tcp(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TableRow {
    pub(crate) local: SocketAddr,
    pub(crate) state: u8,
    pub(crate) uid: u32,
    pub(crate) inode: u64,
}

/// `TCP_LISTEN` in the kernel's `tcp_states.h`.
pub(crate) const LISTENING: u8 = 0x0A;
/// `TCP_TIME_WAIT`: never in the way of a listener with `SO_REUSEADDR`.
const TIME_WAIT: u8 = 0x06;

impl TableRow {
    /// Reads one line; the heading and anything unknown give `None`.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split_ascii_whitespace();
        let local = parse_local(fields.nth(1)?)?;
        let state = u8::from_str_radix(fields.nth(1)?, 16).ok()?;
        let uid = fields.nth(3)?.parse().ok()?;
        let inode = fields.nth(1)?.parse().ok()?;
        Some(Self { local, state, uid, inode })
    }

    /// How much this socket is in the way of a listener at `wanted`: 0 not at all, then less to
    /// more likely.
    pub(crate) fn conflict(&self, wanted: SocketAddr) -> u8 {
        if self.local.port() != wanted.port() || self.state == TIME_WAIT {
            return 0;
        }
        let (held, wanted) = (self.local.ip(), wanted.ip());
        let overlap = if held == wanted {
            4
        } else if held.is_ipv4() == wanted.is_ipv4() {
            if held.is_unspecified() || wanted.is_unspecified() { 3 } else { 0 }
        } else {
            // Whether `[::]` is dual the table does not tell; it is the last suspect.
            u8::from(held == IpAddr::V6(Ipv6Addr::UNSPECIFIED))
        };
        if overlap == 0 {
            return 0;
        }
        overlap * 2 + u8::from(self.state == LISTENING)
    }
}

/// `0100007F:1F90`: each 32-bit word in the host's byte order, the port in plain hexadecimal.
fn parse_local(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |n: usize| u32::from_str_radix(ip.get(n * 8..n * 8 + 8)?, 16).ok();
    let ip = match ip.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?.to_ne_bytes())),
        32 => {
            let mut bytes = [0; 16];
            for (n, chunk) in bytes.chunks_exact_mut(4).enumerate() {
                chunk.copy_from_slice(&word(n)?.to_ne_bytes());
            }
            jellynet_netif::unmapped(IpAddr::V6(Ipv6Addr::from(bytes)))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// The systemd unit or container in a `/proc/PID/cgroup`.
pub(crate) fn unit_of(cgroup: &str) -> Option<String> {
    let paths = cgroup.lines().filter_map(|line| line.splitn(3, ':').nth(2));
    paths.filter_map(unit_of_path).next()
}

fn unit_of_path(path: &str) -> Option<String> {
    let mut parts = path.rsplit('/').filter(|part| !part.is_empty());
    if let Some(container) = parts.clone().find_map(container_of) {
        return Some(container);
    }
    let unit = parts.find(|part| part.ends_with(".service") || part.ends_with(".scope"))?;
    Some(format!("unit {unit}"))
}

/// Docker, podman, containerd and CRI-O name a group after the container's 64 hexadecimal digits.
fn container_of(part: &str) -> Option<String> {
    let stem = part.strip_suffix(".scope").unwrap_or(part);
    if let Some(name) = stem.strip_prefix("lxc.payload.") {
        return Some(format!("container {name}"));
    }
    let id = stem.rsplit('-').next()?;
    let hex = id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit());
    hex.then(|| format!("container {}", id.get(..12).unwrap_or(id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TCP: &str = "   1: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000    33        0 12345 1 0000000000000000 100 0 0 10 0";
    const TCP6: &str = "   0: 00000000000000000000000000000000:1FA0 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 777 1 0";
    const MAPPED: &str = "   0: 0000000000000000FFFF00000100007F:1FA0 0000000000000000FFFF00000100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 778 1 0";

    #[test]
    #[cfg(target_endian = "little")]
    fn the_kernels_tables_are_read() {
        let row = TableRow::parse(TCP).unwrap();
        assert_eq!(row.local, "127.0.0.1:8080".parse().unwrap());
        assert_eq!((row.state, row.uid, row.inode), (LISTENING, 33, 12345));
        assert_eq!(TableRow::parse(TCP6).unwrap().local, "[::]:8096".parse().unwrap());
        assert_eq!(TableRow::parse(MAPPED).unwrap().local, "127.0.0.1:8096".parse().unwrap());
        let heading = "  sl  local_address rem_address   st tx_queue rx_queue tr";
        assert_eq!(TableRow::parse(heading), None);
        assert_eq!(TableRow::parse(""), None);
    }

    #[test]
    fn the_likeliest_socket_in_the_way_ranks_first() {
        let row = |local: &str, state| TableRow {
            local: local.parse().unwrap(),
            state,
            uid: 0,
            inode: 1,
        };
        let wanted = "192.0.2.1:80".parse().unwrap();
        let ranks: Vec<u8> = [
            row("192.0.2.1:80", LISTENING),
            row("192.0.2.1:80", 1),
            row("0.0.0.0:80", LISTENING),
            row("[::]:80", LISTENING),
        ]
        .iter()
        .map(|row| row.conflict(wanted))
        .collect();
        assert!(ranks.is_sorted_by(|a, b| a > b), "{ranks:?}");
        assert!(!ranks.contains(&0));
        for (held, why) in [
            (row("192.0.2.2:80", LISTENING), "another address"),
            (row("192.0.2.1:81", LISTENING), "another port"),
            (row("192.0.2.1:80", TIME_WAIT), "only lingering"),
            (row("[::1]:80", LISTENING), "another family"),
        ] {
            assert_eq!(held.conflict(wanted), 0, "{why}");
        }
    }

    #[test]
    fn units_and_containers_are_named() {
        let id = "3f2a".repeat(16);
        for (cgroup, expected) in [
            ("0::/system.slice/nginx.service\n".to_owned(), Some("unit nginx.service")),
            (
                "0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-x.scope".into(),
                Some("unit app-x.scope"),
            ),
            (format!("0::/system.slice/docker-{id}.scope"), Some("container 3f2a3f2a3f2a")),
            (format!("12:cpu:/docker/{id}\n0::/"), Some("container 3f2a3f2a3f2a")),
            (
                format!("0::/machine.slice/libpod-{id}.scope/container"),
                Some("container 3f2a3f2a3f2a"),
            ),
            ("0::/lxc.payload.media/system.slice/x.service".into(), Some("container media")),
            ("0::/".into(), None),
            (String::new(), None),
        ] {
            assert_eq!(unit_of(&cgroup).as_deref(), expected, "{cgroup}");
        }
    }
}
