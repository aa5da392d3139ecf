//! The kernel's own events about links and addresses.

use std::io;

use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// `RTMGRP_LINK`, `RTMGRP_IPV4_IFADDR` and `RTMGRP_IPV6_IFADDR` (linux/rtnetlink.h).
const GROUPS: u32 = 0x001 | 0x010 | 0x100;
/// What an event says is not read, only that there is one: a reading of the whole table cannot
/// miss what an overrun swallowed.
const BUFFER: usize = 4096;
const READS_PER_WAKE: u32 = 256;

pub(super) struct Events {
    socket: AsyncFd<Socket>,
    buffer: Vec<u8>,
}

impl Events {
    #[expect(
        deprecated,
        reason = "its successor is unsafe, because a type might change its descriptor; this one owns it and cannot"
    )]
    pub(super) fn subscribe() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind(&SocketAddr::new(0, GROUPS))?;
        socket.set_non_blocking(true)?;
        Ok(Self {
            socket: AsyncFd::with_interest(socket, Interest::READABLE)?,
            buffer: Vec::with_capacity(BUFFER),
        })
    }

    /// Waits for one event or more. An overrun counts as one: events were lost, so there were
    /// some.
    pub(super) async fn next(&mut self) -> io::Result<()> {
        loop {
            let mut ready = self.socket.readable().await?;
            let buffer = &mut self.buffer;
            if let Ok(result) = ready.try_io(|socket| drain(socket.get_ref(), buffer)) {
                return result;
            }
        }
    }
}

/// Reads until nothing is left; an error of kind `WouldBlock` when nothing was there.
fn drain(socket: &Socket, buffer: &mut Vec<u8>) -> io::Result<()> {
    for read in 0..READS_PER_WAKE {
        buffer.clear();
        match socket.recv(buffer, 0) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && read > 0 => break,
            Err(error) if is_overrun(&error) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn is_overrun(error: &io::Error) -> bool {
    // On the few architectures that number it otherwise, the subscription is made anew instead.
    const ENOBUFS: i32 = 105;
    error.raw_os_error() == Some(ENOBUFS)
}
