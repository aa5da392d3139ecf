//! A simulated device, good enough for the vendor's own client.
//!
//! It answers discovery and control, tunes, locks, streams and serves its HTTP API, and can be
//! told to misbehave in every way that a network or a device does: see [`Faults`].

mod config;
mod control;
mod discovery;
mod http;
mod source;
mod state;
mod stream;
mod tuner;
mod variables;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinHandle;
use tokio::time::Instant;

pub use self::config::{Faults, SimChannel, SimConfig};
use self::state::State;
pub use self::state::{SimStats, TunerView};

/// How often a pair of free TCP and UDP ports is looked for.
const ATTEMPTS: u32 = 32;

/// A device that runs until it is dropped.
#[derive(Debug)]
pub struct Simulator {
    state: Arc<Shared>,
    control: SocketAddr,
    stream_port: u16,
    http: Option<SocketAddr>,
    tasks: Vec<JoinHandle<()>>,
}

/// The device, shared by its tasks.
#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// The keepalive sink once more, to look into it at once.
    sink: std::net::UdpSocket,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Simulator {
    /// Opens the device's sockets and starts it.
    ///
    /// # Errors
    ///
    /// The system's, when a port is taken or an address is not of this host.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with I/O and time.
    pub async fn start(config: SimConfig) -> io::Result<Self> {
        let (listener, discovery) = listen(config.address, config.port)?;
        let control = listener.local_addr()?;
        let sink = stream_socket(SocketAddr::new(config.address, config.stream_port))?;
        let stream_port = sink.local_addr()?.port();
        let keepalive = UdpSocket::from_std(sink.try_clone()?)?;
        let http = match config.http_port {
            Some(port) => Some(TcpListener::bind((config.address, port)).await?),
            None => None,
        };
        let http_address = http.as_ref().map(TcpListener::local_addr).transpose()?;
        for index in &config.interfaces {
            discovery::join(&discovery, *index)?;
        }
        let tuners = config.tuners;
        let state = State::new(config, stream_port, http_address, Instant::now());
        let shared = Arc::new(Shared { state: Mutex::new(state), sink });
        let mut tasks = vec![
            tokio::spawn(discovery::answer(Arc::clone(&shared), discovery)),
            tokio::spawn(control::accept(Arc::clone(&shared), listener)),
            tokio::spawn(stream::keepalives(Arc::clone(&shared), keepalive)),
        ];
        tasks.extend(http.map(|http| tokio::spawn(http::serve(Arc::clone(&shared), http))));
        tasks.extend((0..tuners).map(|t| tokio::spawn(stream::send(Arc::clone(&shared), t))));
        Ok(Self { state: shared, control, stream_port, http: http_address, tasks })
    }

    /// Where it answers to discovery and control.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.control
    }

    /// The port that takes keepalives.
    #[must_use]
    pub const fn stream_port(&self) -> u16 {
        self.stream_port
    }

    /// Where its HTTP API is.
    #[must_use]
    pub const fn http_address(&self) -> Option<SocketAddr> {
        self.http
    }

    /// Changes how it misbehaves, from now on.
    pub fn faults(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.state.lock().config.faults);
    }

    /// How a tuner stands; `None` when there is no such tuner.
    #[must_use]
    pub fn tuner(&self, tuner: u8) -> Option<TunerView> {
        self.state.lock().view(tuner, Instant::now())
    }

    /// What it did so far.
    #[must_use]
    pub fn stats(&self) -> SimStats {
        self.state.lock().stats
    }

    /// Takes a tuner's lock away by force, as an impatient user may: the stream stops.
    pub fn steal_lock(&self, tuner: u8, owner: IpAddr) {
        self.state.lock().steal(tuner, owner, Instant::now());
    }

    /// Loses its memory, as when the power fails: locks, channels and streams are gone.
    pub fn reboot(&self) {
        self.state.lock().reboot();
    }

    /// Stops answering and sending, as when the cable is pulled, but can come back by
    /// [`Faults::silent`].
    pub fn vanish(&self) {
        self.faults(|faults| faults.silent = true);
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// A TCP listener and a UDP socket on one port.
fn listen(address: IpAddr, port: u16) -> io::Result<(TcpListener, UdpSocket)> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        let listener = tcp_listener(SocketAddr::new(address, port))?;
        match discovery::bind(listener.local_addr()?) {
            Ok(socket) => return Ok((listener, socket)),
            // Another program has the UDP half of a port that the system picked.
            Err(_) if port == 0 && attempt < ATTEMPTS => {}
            Err(error) => return Err(error),
        }
    }
}

/// Of its family only, so that an IPv4 and an IPv6 device may share this host.
fn tcp_listener(at: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(at), Type::STREAM, Some(Protocol::TCP))?;
    if at.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Connections of an earlier run may still be waiting for their end.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&at.into())?;
    socket.listen(64)?;
    TcpListener::from_std(socket.into())
}

/// A socket on the stream port, which the keepalive sink and every stream share.
fn stream_socket(at: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP))?;
    if at.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&at.into())?;
    Ok(socket.into())
}
