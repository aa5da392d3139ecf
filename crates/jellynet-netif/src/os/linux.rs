//! Asks the kernel over netlink.

use std::io;

use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};

use super::netlink::{Dump, Progress, addresses_request, links_request};
use crate::interface::InterfaceTable;

/// The kernel fills at most 32 KiB per read of a dump.
const BUFFER: usize = 64 * 1024;
/// How often a dump that changes under our eyes is begun again.
const ATTEMPTS: u32 = 5;

pub(super) fn interfaces() -> io::Result<InterfaceTable> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let mut buffer = Vec::with_capacity(BUFFER);
    let mut dump = Dump::default();
    for attempt in 0..ATTEMPTS {
        dump = Dump::default();
        ask(&socket, 2 * attempt + 1, links_request, &mut dump, &mut buffer)?;
        ask(&socket, 2 * attempt + 2, addresses_request, &mut dump, &mut buffer)?;
        if !dump.interrupted {
            break;
        }
    }
    // On a host that never holds still, the last reading is as good as any.
    Ok(dump.finish())
}

fn ask(
    socket: &Socket,
    sequence: u32,
    request: fn(u32) -> Vec<u8>,
    dump: &mut Dump,
    buffer: &mut Vec<u8>,
) -> io::Result<()> {
    socket.send(&request(sequence), 0)?;
    loop {
        buffer.clear();
        match socket.recv(buffer, 0) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        match dump.take(sequence, buffer) {
            Progress::More => {}
            Progress::Done => return Ok(()),
            Progress::Refused(code) => return Err(io::Error::from_raw_os_error(code)),
        }
    }
}
