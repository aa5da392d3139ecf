//! Reading from many sockets, fairly.

use std::future::poll_fn;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll};

use quinn_udp::RecvMeta;
use tokio::io::Interest;

use super::set::UdpSet;
use super::status::{SocketRole, count};
use crate::addr::unmapped;
use crate::drive::now;
use crate::engine::Received;

/// The longest datagram, and the longest row of them that the kernel hands over in one piece.
const LONGEST: usize = 64 * 1024;
const BATCH: usize = 16;

/// Where datagrams are read into.
pub(crate) struct Buffers {
    bytes: Vec<u8>,
    metas: [RecvMeta; BATCH],
    filled: usize,
    role: Option<SocketRole>,
}

impl Buffers {
    pub(crate) fn new() -> Self {
        Self {
            // Zeroed by the system, page by page, as it is first used.
            bytes: vec![0; BATCH * LONGEST],
            metas: [RecvMeta::default(); BATCH],
            filled: 0,
            role: None,
        }
    }

    fn fill(
        &mut self,
        role: SocketRole,
        read: impl FnOnce(&mut [IoSliceMut<'_>], &mut [RecvMeta]) -> io::Result<usize>,
    ) -> io::Result<()> {
        let mut chunks = self.bytes.chunks_exact_mut(LONGEST);
        let mut slices: [IoSliceMut<'_>; BATCH] =
            std::array::from_fn(|_| IoSliceMut::new(chunks.next().unwrap_or_default()));
        self.filled = read(&mut slices, &mut self.metas)?;
        self.role = Some(role);
        Ok(())
    }

    /// The datagrams of the last read, rows taken apart.
    fn datagrams(&self) -> impl Iterator<Item = (&RecvMeta, &[u8])> {
        let filled = self.bytes.chunks_exact(LONGEST).zip(&self.metas);
        filled.take(self.filled).flat_map(|(bytes, meta)| {
            let bytes = bytes.get(..meta.len).unwrap_or_default();
            // An empty datagram has no stride, and is one all the same.
            let empty = bytes.is_empty().then_some((meta, bytes));
            let row = bytes.chunks(meta.stride.max(1)).map(move |one| (meta, one));
            empty.into_iter().chain(row)
        })
    }
}

impl UdpSet {
    /// Waits until some socket has datagrams, and reads a batch of them.
    ///
    /// # Cancel safety
    ///
    /// Nothing is read before the future is ready.
    pub(crate) async fn recv(&mut self, buffers: &mut Buffers) {
        poll_fn(|cx| self.poll_recv(cx, buffers)).await;
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>, buffers: &mut Buffers) -> Poll<()> {
        let sockets = self.slots.len();
        for step in 0..sockets {
            let at = (self.turn + step) % sockets;
            if self.poll_one(at, cx, buffers).is_ready() {
                self.turn = at + 1;
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }

    fn poll_one(&mut self, at: usize, cx: &mut Context<'_>, buffers: &mut Buffers) -> Poll<()> {
        loop {
            let Some(Ok(open)) = self.slots.get(at).map(|slot| &slot.state) else {
                return Poll::Pending;
            };
            match open.socket.poll_recv_ready(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) => {}
                // The runtime is going away, and this task with it.
                Poll::Ready(Err(_)) => return Poll::Pending,
            }
            if self.read(at, buffers) {
                return Poll::Ready(());
            }
        }
    }

    /// Reads another batch if one is there already; takes turns with the other sockets.
    pub(crate) fn try_recv(&mut self, buffers: &mut Buffers) -> bool {
        let sockets = self.slots.len();
        for step in 0..sockets {
            let at = (self.turn + step) % sockets;
            if self.read(at, buffers) {
                self.turn = at + 1;
                return true;
            }
        }
        false
    }

    /// Whether datagrams were read.
    fn read(&mut self, at: usize, buffers: &mut Buffers) -> bool {
        let Some(slot) = self.slots.get_mut(at) else {
            return false;
        };
        let Ok(open) = &mut slot.state else {
            return false;
        };
        let (socket, state) = (&open.socket, &open.state);
        let result = buffers.fill(slot.role, |slices, metas| {
            socket.try_io(Interest::READABLE, || state.recv(socket.into(), slices, metas))
        });
        match result {
            Ok(()) => {
                open.is_broken_by(false);
                true
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            Err(error) => {
                count(&self.counters.receive_failed);
                if open.is_broken_by(true) {
                    self.broke(at, error, now());
                }
                false
            }
        }
    }

    /// The datagrams of the last read that came by an interface in use.
    pub(crate) fn heard<'a>(
        &'a self,
        buffers: &'a Buffers,
    ) -> impl Iterator<Item = Received<'a>> + 'a {
        buffers.datagrams().filter_map(|(meta, payload)| {
            let source = SocketAddr::new(unmapped(meta.addr.ip()), meta.addr.port());
            let interface = meta.interface_index.or(buffers.role?.index());
            // Where the system does not tell the interface, the source's subnet does.
            let interface = interface
                .or_else(|| self.table.on_link(source.ip()).map(|(i, _)| i.index))
                .unwrap_or(0);
            if !self.heard.contains(&interface) {
                count(&self.counters.filtered);
                return None;
            }
            count(&self.counters.received);
            Some(Received {
                payload,
                source: with_scope(source, meta.addr, interface),
                destination: unmapped(meta.dst_ip.unwrap_or_else(|| fallback(buffers.role))),
                interface,
            })
        })
    }
}

/// A link-local source keeps the scope it came with.
const fn with_scope(source: SocketAddr, came_as: SocketAddr, interface: u32) -> SocketAddr {
    match (source, came_as) {
        (SocketAddr::V6(_), SocketAddr::V6(scoped)) if scoped.scope_id() != 0 => came_as,
        (SocketAddr::V6(_), _) => {
            crate::InterfaceTable::scoped(source.ip(), source.port(), interface)
        }
        (SocketAddr::V4(_), _) => source,
    }
}

fn fallback(role: Option<SocketRole>) -> IpAddr {
    role.map_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), SocketRole::ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: SocketRole = SocketRole::Listen { ip: IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED) };

    #[test]
    fn rows_are_taken_apart_and_empty_datagrams_are_kept() {
        let mut buffers = Buffers::new();
        buffers
            .fill(ROLE, |slices, metas| {
                slices[0][..7].copy_from_slice(b"aabbccd");
                (metas[0].len, metas[0].stride) = (7, 2);
                (metas[1].len, metas[1].stride) = (0, 0);
                slices[2][..3].copy_from_slice(b"one");
                (metas[2].len, metas[2].stride) = (3, 3);
                Ok(3)
            })
            .unwrap();
        let read: Vec<_> = buffers.datagrams().map(|(_, bytes)| bytes).collect();
        assert_eq!(read, [b"aa".as_slice(), b"bb", b"cc", b"d", b"", b"one"]);
    }
}
