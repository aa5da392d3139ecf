//! The task that empties the socket, and waits for nothing else.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jellynet_netif::unmapped;
use tokio::task::yield_now;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use tracing::trace;

use super::inlet::{BUFFER, Inlet, is_refused};
use super::stream::Shared;
use crate::rx::Assembler;

/// How often the socket is looked into. A mux sends a datagram every half millisecond: being
/// woken for each costs several times what taking it does. The receive buffer holds hundreds of
/// times as much.
const LOOK: Duration = Duration::from_millis(5);

/// How many datagrams are taken before batches are handed out and others have their turn.
const BURST: usize = 64;

/// What keeps the way to this host open, and the device sending.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keepalive {
    pub(super) to: SocketAddr,
    pub(super) key: u32,
    pub(super) every: Duration,
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
    fn drain(&mut self, inlet: &Inlet, mut take: impl FnMut(SocketAddr, &[u8])) -> io::Result<()> {
        match self {
            Self::Single(buffer) => {
                for _ in 0..BURST {
                    let (length, from) = inlet.socket().recv_from(buffer.as_mut_slice())?;
                    take(from, buffer.get(..length).unwrap_or_default());
                }
                Ok(())
            }
            #[cfg(feature = "gro")]
            Self::Aggregated(aggregated) => aggregated.drain(inlet.socket(), take),
        }
    }
}

/// Moves datagrams to the readers until it is told to stop and the socket is empty.
pub(super) async fn pump(
    inlet: Arc<Inlet>,
    mut receiver: Receiver,
    mut assembler: Assembler,
    keepalive: Keepalive,
    shared: Arc<Shared>,
) {
    let mut look = looks();
    let mut kept = Instant::now();
    loop {
        let now = Instant::now();
        if now.duration_since(kept) >= keepalive.every {
            kept = now;
            inlet.keepalive(keepalive.key, keepalive.to);
            shared.count_by_pid(assembler.continuity_by_pid().collect());
        }
        let drained = drain(&inlet, &mut receiver, &mut assembler, keepalive, &shared);
        let stopping = shared.stopping.load(Ordering::Relaxed);
        let last = stopping && matches!(drained, Drained::Empty);
        if last {
            assembler.flush(now.into_std());
        } else {
            assembler.handle_timeout(now.into_std());
        }
        while let Some(batch) = assembler.poll_batch() {
            shared.hub.publish(batch);
        }
        shared.count(assembler.stats());
        if last {
            return;
        }
        match drained {
            Drained::More => yield_now().await,
            Drained::Empty => {
                look.tick().await;
            }
        }
    }
}

/// The streams of a thread look at the same time, so that it is woken once for all of them.
fn looks() -> Interval {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    let (now, epoch) = (Instant::now(), *EPOCH.get_or_init(Instant::now));
    let step = LOOK.as_micros();
    let into = now.saturating_duration_since(epoch).as_micros() % step;
    let wait = u64::try_from(step - into).map_or(LOOK, Duration::from_micros);
    let mut looks = interval_at(now + wait, LOOK);
    // After a stall one look finds everything.
    looks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    looks
}

enum Drained {
    /// There may be more.
    More,
    Empty,
}

fn drain(
    inlet: &Inlet,
    receiver: &mut Receiver,
    assembler: &mut Assembler,
    keepalive: Keepalive,
    shared: &Shared,
) -> Drained {
    let now = Instant::now().into_std();
    let mut answers = false;
    let drained = receiver.drain(inlet, |from, datagram| {
        answers |= from == keepalive.to;
        assembler.handle_datagram(now, unmapped(from.ip()), datagram);
    });
    if answers {
        inlet.connect(keepalive.to);
    }
    match drained {
        Ok(()) => Drained::More,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Drained::Empty,
        Err(error) => {
            trace!(%error, "could not receive");
            if is_refused(&error) {
                shared.trouble.notify_one();
            }
            // What is behind it waits for the next look: an error may repeat itself.
            Drained::Empty
        }
    }
}

#[cfg(feature = "gro")]
pub(super) mod gro {
    //! Several datagrams per system call.

    use std::io::{self, IoSliceMut};
    use std::net::{SocketAddr, UdpSocket};

    use quinn_udp::{RecvMeta, UdpSocketState};

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
            mut take: impl FnMut(SocketAddr, &[u8]),
        ) -> io::Result<()> {
            let mut metas = [RecvMeta::default(); BATCH];
            for _ in 0..super::BURST / BATCH {
                let mut slices = self.buffers.chunks_exact_mut(1 << 16);
                let mut slices: [IoSliceMut<'_>; BATCH] =
                    std::array::from_fn(|_| IoSliceMut::new(slices.next().unwrap_or_default()));
                let filled = self.state.recv(socket.into(), &mut slices, &mut metas)?;
                for (meta, slice) in metas.iter().zip(&slices).take(filled) {
                    let bytes = slice.get(..meta.len).unwrap_or_default();
                    bytes.chunks(meta.stride.max(1)).for_each(|d| take(meta.addr, d));
                }
            }
            Ok(())
        }
    }
}
