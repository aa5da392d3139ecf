//! How many datagrams the kernel dropped because a socket's buffer was full.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::net::UdpSocket;

/// The kernel's drop counter of one socket, read from `/proc/net/udp` or `/proc/net/udp6`.
///
/// The table is that of the network namespace in which the counter was made. The socket is found
/// by its inode number, which the system uses again only after it is closed.
#[derive(Debug)]
pub struct DropCounter {
    table: File,
    inode: u64,
    text: String,
}

impl DropCounter {
    /// The counter of `socket`; `None` where the system has no such table.
    #[must_use]
    pub fn of(socket: &UdpSocket) -> Option<Self> {
        let table = match socket.local_addr().ok()? {
            std::net::SocketAddr::V4(_) => "/proc/thread-self/net/udp",
            std::net::SocketAddr::V6(_) => "/proc/thread-self/net/udp6",
        };
        Some(Self { table: File::open(table).ok()?, inode: inode(socket)?, text: String::new() })
    }

    /// The drops since the socket was made; `None` once it is closed.
    ///
    /// # Errors
    ///
    /// The system's, when the table cannot be read.
    pub fn read(&mut self) -> io::Result<Option<u64>> {
        self.text.clear();
        self.table.rewind()?;
        self.table.read_to_string(&mut self.text)?;
        let row = rows(&self.text).find(|row| row.inode == self.inode);
        Ok(row.map(|row| row.drops))
    }
}

#[cfg(unix)]
fn inode(socket: &UdpSocket) -> Option<u64> {
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::MetadataExt;

    let link = format!("/proc/thread-self/fd/{}", socket.as_raw_fd());
    std::fs::metadata(link).ok().map(|metadata| metadata.ino())
}

#[cfg(not(unix))]
const fn inode(_: &UdpSocket) -> Option<u64> {
    None
}

/// One socket in the kernel's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) port: u16,
    pub(super) uid: u32,
    pub(super) inode: u64,
    pub(super) drops: u64,
}

/// The sockets of `/proc/net/udp`; lines that are none are passed over.
pub(super) fn rows(table: &str) -> impl Iterator<Item = Row> {
    table.lines().filter_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let (_, port) = fields.nth(1)?.rsplit_once(':')?;
        Some(Row {
            port: u16::from_str_radix(port, 16).ok()?,
            // sl, local, remote, state, queues, timer, retransmits, uid, timeout, inode, ref,
            // pointer, drops
            uid: fields.nth(5)?.parse().ok()?,
            inode: fields.nth(1)?.parse().ok()?,
            drops: fields.nth(2)?.parse().ok()?,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_table_is_read_by_column() {
        let table = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
            \x20 123: 0200630A:EE48 00000000:0000 07 00000000:00000000 00:00000000 00000000   998        0 52871 2 0000000000000000 829\n\
            nonsense\n";
        let row = Row { port: 61000, uid: 998, inode: 52871, drops: 829 };
        assert_eq!(rows(table).collect::<Vec<_>>(), [row]);
    }
}
