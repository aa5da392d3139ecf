//! Sends what the tuners are tuned to.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::config::{Faults, hits};
use super::source::Source;
use super::state::Sending;
use super::{Shared, stream_socket};

/// How often a tuner looks what is due.
const TICK: Duration = Duration::from_millis(2);

/// The most datagrams at once, so that a machine that slept does not flood.
const BURST: u64 = 400;

/// Seven packets and an RTP header.
const DATAGRAM: usize = 12 + 7 * 188;

/// Takes keepalives of receivers whose stream comes from another port, or has not begun.
pub(super) async fn keepalives(shared: Arc<Shared>, socket: UdpSocket) {
    let mut buffer = [0; 16];
    loop {
        if let Ok((4, from)) = socket.recv_from(&mut buffer).await {
            shared.lock().keepalive(from, Instant::now());
        }
    }
}

/// Takes the keepalives that came before the command that is being answered.
pub(super) fn take_keepalives(shared: &Shared) {
    let mut buffer = [0; 16];
    while let Ok((length, from)) = shared.sink.recv_from(&mut buffer) {
        if length == 4 {
            shared.lock().keepalive(from, Instant::now());
        }
    }
}

/// Sends the stream of one tuner, whenever it has one.
pub(super) async fn send(shared: Arc<Shared>, tuner: u8) {
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut stream: Option<Stream> = None;
    loop {
        tick.tick().await;
        let now = Instant::now();
        let wanted = shared.lock().sending(tuner, now);
        let Some(wanted) = wanted else {
            stream = None;
            continue;
        };
        if stream.as_ref().is_none_or(|s| s.sending != wanted) {
            stream = Stream::begin(&shared, wanted, tuner, now).ok();
        }
        let Some(open) = &mut stream else { continue };
        if open.send_due(&shared, now).is_err() {
            stop(&shared, tuner);
            stream = None;
        }
    }
}

/// A host answered that the port is closed.
fn stop(shared: &Shared, tuner: u8) {
    let mut state = shared.lock();
    let ignore = state.config.faults.ignore_icmp;
    if let Some(tuner) = state.tuners.get_mut(usize::from(tuner)).filter(|_| !ignore) {
        tuner.stop(2);
    }
}

struct Stream {
    sending: Sending,
    socket: UdpSocket,
    injector: Option<UdpSocket>,
    source: Source,
    began: Instant,
    sent: u64,
    sequence: u16,
    ssrc: u32,
    /// A datagram that waits to be overtaken.
    held: Option<Vec<u8>>,
}

impl Stream {
    fn begin(shared: &Shared, sending: Sending, tuner: u8, now: Instant) -> io::Result<Self> {
        let state = shared.lock();
        let port = if state.config.random_source_port { 0 } else { state.stream_port };
        let mut at = SocketAddr::new(sending.target.from, port);
        if let (SocketAddr::V6(at), SocketAddr::V6(to)) = (&mut at, sending.target.to) {
            at.set_scope_id(to.scope_id());
        }
        let socket = stream_socket(at)?;
        // Connected, so that an ICMP answer becomes an error.
        socket.connect(sending.target.to)?;
        let socket = UdpSocket::from_std(socket)?;
        let injector = match state.config.faults.injector {
            Some(ip) => Some(UdpSocket::from_std(stream_socket(SocketAddr::new(ip, 0))?)?),
            None => None,
        };
        Ok(Self {
            sending,
            socket,
            injector,
            source: Source::new(state.config.transport_stream.clone()),
            began: now,
            sent: 0,
            sequence: u16::try_from(sending.generation % 65_536).unwrap_or_default(),
            ssrc: u32::from(tuner) << 24 | sending.generation,
            held: None,
        })
    }

    /// Sends what the clock says is due, and takes keepalives.
    fn send_due(&mut self, shared: &Shared, now: Instant) -> io::Result<()> {
        let mut buffer = [0; 16];
        while let Ok(4) = self.socket.try_recv(&mut buffer) {
            shared.lock().keepalive(self.sending.target.to, now);
        }
        let (rate, faults) = {
            let state = shared.lock();
            (state.config.packets_per_second, state.config.faults.clone())
        };
        let elapsed = now.duration_since(self.began).as_micros();
        let due = elapsed * u128::from(rate) / 1_000_000;
        let due = u64::try_from(due).unwrap_or(u64::MAX);
        if due.saturating_sub(self.sent) > BURST {
            // Slept: go on from here instead of making up for it.
            self.began =
                now - Duration::from_micros(self.sent * 1_000_000 / u64::from(rate.max(1)));
            return Ok(());
        }
        while self.sent < due {
            self.send_one(shared, &faults)?;
        }
        Ok(())
    }

    fn send_one(&mut self, shared: &Shared, faults: &Faults) -> io::Result<()> {
        let number = self.sent;
        self.sent += 1;
        let damaged = hits(faults.transport_error_every, number);
        let datagram = self.datagram(damaged);
        if hits(faults.drop_every, number) {
            shared.lock().stats.dropped += 1;
            return Ok(());
        }
        if hits(faults.swap_every, number) {
            self.held = Some(datagram);
            return Ok(());
        }
        self.put(shared, &datagram)?;
        if hits(faults.duplicate_every, number) {
            self.put(shared, &datagram)?;
        }
        if let Some(held) = self.held.take() {
            self.put(shared, &held)?;
        }
        if let Some(injector) = self.injector.as_ref().filter(|_| hits(Some(100), number)) {
            let _ = injector.try_send_to(&datagram, self.sending.target.to);
        }
        Ok(())
    }

    fn put(&self, shared: &Shared, datagram: &[u8]) -> io::Result<()> {
        match self.socket.try_send(datagram) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Err(error),
            Err(_) => Ok(()),
            Ok(_) => {
                shared.lock().stats.sent += 1;
                Ok(())
            }
        }
    }

    fn datagram(&mut self, damaged: bool) -> Vec<u8> {
        let mut datagram = Vec::with_capacity(DATAGRAM);
        if self.sending.target.rtp {
            datagram.extend([0x80, 33]);
            datagram.extend(self.sequence.to_be_bytes());
            let timestamp = self.began.elapsed().as_micros() * 9 / 100;
            let [.., a, b, c, d] = timestamp.to_be_bytes();
            datagram.extend([a, b, c, d]);
            datagram.extend(self.ssrc.to_be_bytes());
            self.sequence = self.sequence.wrapping_add(1);
        }
        for n in 0..7 {
            let mut packet = self.source.next_packet();
            let [_, flags, ..] = &mut packet;
            if damaged && n == 0 {
                *flags |= 0x80;
            }
            datagram.extend(packet);
        }
        datagram
    }
}
