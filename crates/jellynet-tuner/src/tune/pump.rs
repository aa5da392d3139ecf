//! The task that empties the socket, and waits for nothing else.

use std::future::pending;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use jellynet_netif::unmapped;
use tokio::net::UdpSocket;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tracing::{debug, trace};

use super::stream::Shared;
use crate::rx::Assembler;

/// How many datagrams are taken before batches are handed out.
const BURST: usize = 64;

/// Longer than any datagram of a tuner, so that a longer one is seen to be none.
const BUFFER: usize = 2048;

/// What keeps the way to this host open, and the device sending.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keepalive {
    pub(super) to: SocketAddr,
    pub(super) key: u32,
    pub(super) every: Duration,
}

impl Keepalive {
    /// Sends the first one, before anything else; the kernel's answer shows as silence later.
    pub(super) async fn begin(&self, socket: &UdpSocket) {
        if let Err(error) = socket.send_to(&self.key.to_be_bytes(), self.to).await {
            debug!(%error, to = %self.to, "could not send the first keepalive");
        }
    }

    /// Sends one more. A failure shows as silence, which is looked into.
    fn send(&self, socket: &UdpSocket) {
        if let Err(error) = socket.try_send_to(&self.key.to_be_bytes(), self.to) {
            trace!(%error, to = %self.to, "could not send a keepalive");
        }
    }
}

/// How datagrams are taken from the socket.
#[derive(Debug)]
pub(super) enum Receiver {
    /// One by one.
    Single(Box<[u8; BUFFER]>),
    /// As many as the network card aggregated.
    #[cfg(feature = "gro")]
    Aggregated(gro::Aggregated),
}

impl Receiver {
    pub(super) fn single() -> Self {
        Self::Single(Box::new([0; BUFFER]))
    }

    /// Takes what is there, at most [`BURST`] times.
    fn drain(&mut self, socket: &UdpSocket, mut take: impl FnMut(IpAddr, &[u8])) -> io::Result<()> {
        match self {
            Self::Single(buffer) => {
                for _ in 0..BURST {
                    let (length, from) = socket.try_recv_from(buffer.as_mut_slice())?;
                    take(unmapped(from.ip()), buffer.get(..length).unwrap_or_default());
                }
                Ok(())
            }
            #[cfg(feature = "gro")]
            Self::Aggregated(aggregated) => aggregated.drain(socket, take),
        }
    }
}

/// Moves datagrams to the readers until it is dropped.
pub(super) async fn pump(
    socket: Arc<UdpSocket>,
    mut receiver: Receiver,
    mut assembler: Assembler,
    keepalive: Keepalive,
    shared: Arc<Shared>,
) {
    let mut second = interval(keepalive.every.max(Duration::from_millis(10)));
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let due = assembler.poll_timeout();
        tokio::select! {
            biased;
            _ = second.tick() => {
                keepalive.send(&socket);
                shared.count_by_pid(assembler.continuity_by_pid().collect());
            }
            ready = socket.readable() => {
                if ready.is_ok() {
                    receive(&socket, &mut receiver, &mut assembler);
                }
            }
            () = at(due) => assembler.handle_timeout(now()),
        }
        while let Some(batch) = assembler.poll_batch() {
            shared.hub.publish(batch);
        }
        shared.count(assembler.stats());
    }
}

fn receive(socket: &UdpSocket, receiver: &mut Receiver, assembler: &mut Assembler) {
    let now = now();
    let drained = receiver.drain(socket, |from, datagram| {
        assembler.handle_datagram(now, from, datagram);
    });
    if let Err(error) = drained
        && error.kind() != io::ErrorKind::WouldBlock
    {
        // An ICMP answer to a keepalive, or an interface that went: silence will tell.
        trace!(%error, "could not receive");
    }
}

/// Throws away what is in the socket: late packets of another channel. Takes the bare socket,
/// because a fresh one of tokio's does not know yet that there is something.
pub(super) fn discard(socket: &std::net::UdpSocket) {
    let mut buffer = [0; BUFFER];
    while socket.recv_from(&mut buffer).is_ok() {}
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

async fn at(due: Option<std::time::Instant>) {
    match due {
        Some(due) => sleep_until(due.into()).await,
        None => pending().await,
    }
}

#[cfg(feature = "gro")]
pub(super) mod gro {
    //! Several datagrams per system call.

    use std::io::{self, IoSliceMut};
    use std::net::IpAddr;

    use jellynet_netif::unmapped;
    use quinn_udp::{RecvMeta, UdpSocketState};
    use tokio::io::Interest;
    use tokio::net::UdpSocket;

    /// How many buffers one system call may fill; each holds 64 KiB of aggregated datagrams.
    const BATCH: usize = 4;

    pub(in super::super) struct Aggregated {
        state: UdpSocketState,
        buffers: Vec<u8>,
    }

    impl std::fmt::Debug for Aggregated {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("Aggregated").finish_non_exhaustive()
        }
    }

    impl Aggregated {
        pub(in super::super) fn new(socket: &UdpSocket) -> io::Result<Self> {
            Ok(Self { state: UdpSocketState::new(socket.into())?, buffers: vec![0; BATCH << 16] })
        }

        pub(super) fn drain(
            &mut self,
            socket: &UdpSocket,
            mut take: impl FnMut(IpAddr, &[u8]),
        ) -> io::Result<()> {
            let mut metas = [RecvMeta::default(); BATCH];
            for _ in 0..super::BURST / BATCH {
                let mut slices = self.buffers.chunks_exact_mut(1 << 16);
                let mut slices: [IoSliceMut<'_>; BATCH] =
                    std::array::from_fn(|_| IoSliceMut::new(slices.next().unwrap_or_default()));
                let filled = socket.try_io(Interest::READABLE, || {
                    self.state.recv(socket.into(), &mut slices, &mut metas)
                })?;
                for (meta, slice) in metas.iter().zip(&slices).take(filled) {
                    let from = unmapped(meta.addr.ip());
                    let bytes = slice.get(..meta.len).unwrap_or_default();
                    bytes.chunks(meta.stride.max(1)).for_each(|d| take(from, d));
                }
            }
            Ok(())
        }
    }
}
