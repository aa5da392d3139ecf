//! What to do while port 1900 is not to be had.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use jellynet_netif::{
    Driver, Engine, InterfaceTable, Interfaces, Received, Sharing, SocketRole, SocketState,
    Transmit, UdpConfig, UdpStatus, drive,
};
use tokio::sync::watch;

use super::minissdpd::register;
use super::service::Rung;
use super::sockets::with_interfaces;
use crate::advertiser::Advertiser;
use crate::message::FIRST_SEARCH_PORT;

/// How many ports are tried for unicast searches.
const ATTEMPTS: u64 = 16;
/// The ports that `SEARCHPORT.UPNP.ORG` may name.
const FIRST_PORT: u64 = FIRST_SEARCH_PORT as u64;
const PORTS: u64 = 65536 - FIRST_PORT;

/// Climbs down and up again as port 1900 comes and goes.
pub(super) struct Ladder {
    front: Driver<Advertiser>,
    interfaces: Interfaces,
    minissdpd: Option<PathBuf>,
    side: Option<Driver<SideDoor>>,
    rung: watch::Sender<Rung>,
}

impl Ladder {
    pub(super) fn new(
        front: Driver<Advertiser>,
        interfaces: Interfaces,
        minissdpd: Option<PathBuf>,
    ) -> (Self, watch::Receiver<Rung>) {
        let (sender, rung) = watch::channel(Rung::Shared);
        let mut ladder = Self { front, interfaces, minissdpd, side: None, rung: sender };
        // Before the first announcement, so that it names the right port.
        ladder.climb();
        (ladder, rung)
    }

    pub(super) async fn run(mut self) {
        loop {
            self.register().await;
            let go_on = tokio::select! {
                status = self.front.status_changed() => status.is_some(),
                update = self.interfaces.changed() => update.is_some(),
            };
            if !go_on {
                return;
            }
            self.climb();
        }
    }

    /// Opens or closes the side door.
    fn climb(&mut self) {
        let busy = is_busy(&self.front.status());
        if busy == !matches!(*self.rung.borrow(), Rung::Shared) {
            return;
        }
        let rung = if busy {
            self.side = self.open_side();
            self.side.as_ref().and_then(|side| open_port(&side.status())).map_or(
                Rung::AnnounceOnly { registered: false },
                |port| Rung::SearchPort { port, registered: false },
            )
        } else {
            self.side = None;
            Rung::Shared
        };
        let port = match rung {
            Rung::SearchPort { port, .. } => Some(port),
            Rung::Shared | Rung::AnnounceOnly { .. } => None,
        };
        self.front.with(|advertiser, now| advertiser.set_search_port(now, port));
        self.rung.send_replace(rung);
    }

    fn open_side(&self) -> Option<Driver<SideDoor>> {
        let (seed, families, filter) = self.front.with(|advertiser, _| {
            let config = advertiser.config();
            (config.seed, config.families, config.interfaces.clone())
        });
        (0..ATTEMPTS).find_map(|attempt| {
            let port = FIRST_PORT + seed.wrapping_add(attempt) % PORTS;
            let listen = UdpConfig::listen(u16::try_from(port).ok()?);
            let config =
                with_interfaces(listen, families, &filter).with_sharing(Sharing::Exclusive);
            let door = SideDoor { front: self.front.clone(), out: VecDeque::new() };
            let (side, _) = drive(door, config, self.interfaces.clone());
            let status = side.status();
            (open_port(&status).is_some() && !is_busy(&status)).then_some(side)
        })
    }

    /// Gives the devices to `minissdpd` while multicast searches are not heard.
    async fn register(&self) {
        let rung = *self.rung.borrow();
        let (Some(socket), Rung::SearchPort { .. } | Rung::AnnounceOnly { .. }) =
            (&self.minissdpd, rung)
        else {
            return;
        };
        let registrations = self.front.with(|advertiser, _| advertiser.registrations());
        let attempt = register(socket, &registrations);
        let outcome = tokio::time::timeout(Duration::from_secs(5), attempt).await;
        let taken = matches!(outcome, Ok(Ok(()))) && !registrations.is_empty();
        self.rung.send_if_modified(|rung| {
            let (Rung::SearchPort { registered, .. } | Rung::AnnounceOnly { registered }) = rung
            else {
                return false;
            };
            std::mem::replace(registered, taken) != taken
        });
    }
}

/// Whether another program has the port for itself.
fn is_busy(status: &UdpStatus) -> bool {
    status.sockets.iter().any(|socket| {
        let listens = matches!(socket.role, SocketRole::Listen { .. });
        let in_use = matches!(&socket.state, SocketState::Failed { error, .. }
            if error.kind() == io::ErrorKind::AddrInUse);
        listens && in_use
    })
}

fn open_port(status: &UdpStatus) -> Option<u16> {
    status.listening().next().map(|local| local.port())
}

/// Hands unicast searches at another port to the advertiser, and takes the answers back.
struct SideDoor {
    front: Driver<Advertiser>,
    out: VecDeque<Transmit>,
}

impl Engine for SideDoor {
    type Event = Infallible;

    fn handle_datagram(&mut self, now: Instant, datagram: Received<'_>) {
        let replies = self.front.with(|advertiser, _| {
            advertiser.handle_datagram(now, datagram);
            advertiser.take_replies()
        });
        self.out.extend(replies);
    }

    fn handle_timeout(&mut self, _: Instant) {}

    fn handle_interfaces(&mut self, _: Instant, _: &InterfaceTable) {}

    fn poll_transmit(&mut self) -> Option<Transmit> {
        self.out.pop_front()
    }

    fn poll_event(&mut self) -> Option<Infallible> {
        None
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}
