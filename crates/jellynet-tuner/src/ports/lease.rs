//! Leasing and giving back.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::bind::{bind, local_address, with_port};
use super::error::PortError;
use super::holders::{Holder, PortHolder, look_up};
use super::policy::{BindAt, Order, PortPolicy, Random, candidates};
use super::rcvbuf::{Granted, RxOptions};

/// How many holders an error names.
const NAMED: usize = 16;

/// Leases ports of one policy. Clones share what is leased.
#[derive(Clone, Debug)]
pub struct TunerPorts {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    policy: PortPolicy,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    random: Random,
    leased: BTreeMap<u16, String>,
    resting: BTreeMap<u16, Instant>,
}

impl TunerPorts {
    /// Leases by this policy, beginning at random.
    ///
    /// # Errors
    ///
    /// The system's, when it has no random numbers.
    pub fn new(policy: PortPolicy) -> io::Result<Self> {
        Ok(Self::with_seed(policy, getrandom::u64()?))
    }

    /// Leases by this policy in an order that depends on the seed only.
    #[must_use]
    pub fn with_seed(policy: PortPolicy, seed: u64) -> Self {
        let state =
            State { random: Random::new(seed), leased: BTreeMap::new(), resting: BTreeMap::new() };
        Self { shared: Arc::new(Shared { policy, state: Mutex::new(state) }) }
    }

    /// The policy.
    #[must_use]
    pub fn policy(&self) -> &PortPolicy {
        &self.shared.policy
    }

    /// The ports in use by leases, each with what it is for.
    #[must_use]
    pub fn leased(&self) -> Vec<(u16, String)> {
        let state = self.shared.state();
        state.leased.iter().map(|(p, l)| (*p, l.clone())).collect()
    }

    /// Leases one port. `label` says what for, in errors of others.
    ///
    /// # Errors
    ///
    /// [`PortError`]; the search ends at the first port that can be bound.
    pub fn lease(&self, at: BindAt, rx: RxOptions, label: &str) -> Result<PortLease, PortError> {
        let local = local_address(at)?;
        if self.shared.policy.order == Order::System {
            return self.lease_any(with_port(local, 0), rx, label);
        }
        let mut refused = Refused::default();
        for port in self.order() {
            if let Some(lease) = self.try_port(with_port(local, port), rx, label, &mut refused)? {
                return Ok(lease);
            }
        }
        Err(self.exhausted(local.ip(), &refused))
    }

    /// Leases an even port for RTP and the next one for RTCP (RFC 3550 § 11). HDHomeRun needs
    /// one port only; SAT>IP and RTSP need the pair.
    ///
    /// # Errors
    ///
    /// [`PortError`], as for [`lease`](Self::lease).
    pub fn lease_rtp_pair(
        &self,
        at: BindAt,
        rx: RxOptions,
        label: &str,
    ) -> Result<RtpPair, PortError> {
        let local = local_address(at)?;
        let mut refused = Refused::default();
        let policy = &self.shared.policy;
        for port in self.order() {
            let Some(next) = port.checked_add(1).filter(|_| port % 2 == 0) else {
                continue;
            };
            if !policy.range.contains(&next) || policy.skip.contains(&next) {
                continue;
            }
            let rtp = self.try_port(with_port(local, port), rx, label, &mut refused)?;
            let Some(rtp) = rtp else { continue };
            let rtcp = self.try_port(with_port(local, next), rx, label, &mut refused)?;
            if let Some(rtcp) = rtcp {
                return Ok(RtpPair { rtp, rtcp });
            }
            // Nobody sent anything to it: no need to rest.
            rtp.reservation.forget();
        }
        Err(self.exhausted(local.ip(), &refused))
    }

    /// Fresh ports first, then those that rest, the longest resting first.
    fn order(&self) -> impl Iterator<Item = u16> {
        let now = Instant::now();
        let policy = &self.shared.policy;
        let mut state = self.shared.state();
        state.resting.retain(|_, since| now.duration_since(*since) < policy.quarantine);
        let random = state.random.next_u32();
        let resting = state.resting.clone();
        drop(state);
        let allowed = |port: &u16| policy.range.contains(port) && !policy.skip.contains(port);
        let mut last: Vec<_> = resting.keys().copied().filter(allowed).collect();
        last.sort_by_key(|port| resting.get(port).copied());
        candidates(policy, random).filter(move |port| !resting.contains_key(port)).chain(last)
    }

    fn try_port(
        &self,
        at: SocketAddr,
        rx: RxOptions,
        label: &str,
        refused: &mut Refused,
    ) -> Result<Option<PortLease>, PortError> {
        refused.tried += 1;
        let reservation = match self.reserve(at.port(), label) {
            Ok(reservation) => reservation,
            Err(holder) => {
                refused.ours.push((at.port(), holder));
                return Ok(None);
            }
        };
        let (socket, granted) = match bind(at, rx) {
            Ok(bound) => bound,
            Err(error) => {
                reservation.forget();
                return refused.judge(at.port(), error).map(|()| None);
            }
        };
        Ok(Some(self.lease_of(socket, at, granted, reservation)))
    }

    /// Takes the port out of further leases, or says what it is leased for.
    fn reserve(&self, port: u16, label: &str) -> Result<Reservation, String> {
        let mut state = self.shared.state();
        if let Some(holder) = state.leased.get(&port) {
            return Err(holder.clone());
        }
        state.leased.insert(port, label.to_owned());
        state.resting.remove(&port);
        drop(state);
        Ok(Reservation { shared: Arc::clone(&self.shared), port, rests: true })
    }

    fn lease_of(
        &self,
        socket: UdpSocket,
        local: SocketAddr,
        granted: Granted,
        reservation: Reservation,
    ) -> PortLease {
        let advertise = self.shared.policy.advertise;
        PortLease {
            socket,
            local,
            advertised: SocketAddr::new(advertise.unwrap_or_else(|| local.ip()), local.port()),
            granted,
            reservation,
        }
    }

    /// A port that the system picks.
    fn lease_any(
        &self,
        at: SocketAddr,
        rx: RxOptions,
        label: &str,
    ) -> Result<PortLease, PortError> {
        loop {
            let (socket, granted) = bind(at, rx)?;
            let local = socket.local_addr().map_err(|source| PortError::Os {
                operation: "read the bound address",
                at,
                source,
            })?;
            // Taken only if it is leased at another address; the system then picks another.
            if let Ok(reservation) = self.reserve(local.port(), label) {
                return Ok(self.lease_of(
                    socket,
                    with_port(at, local.port()),
                    granted,
                    reservation,
                ));
            }
        }
    }

    fn exhausted(&self, at: IpAddr, refused: &Refused) -> PortError {
        let ours = refused.ours.iter().map(|(port, label)| PortHolder {
            port: *port,
            holder: Holder::Ours { label: label.clone() },
        });
        let mut sample: Vec<_> = ours.take(NAMED).collect();
        let others: Vec<u16> = refused.others.iter().take(NAMED - sample.len()).copied().collect();
        if !others.is_empty() {
            sample.extend(look_up(&others));
        }
        sample.sort_by_key(|holder| holder.port);
        PortError::Exhausted {
            range: self.shared.policy.range.clone(),
            at,
            tried: refused.tried,
            ours: refused.ours.len(),
            others: refused.others.len(),
            denied: refused.denied,
            sample,
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that runs under the lock can leave the maps half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct Refused {
    tried: usize,
    ours: Vec<(u16, String)>,
    others: Vec<u16>,
    denied: usize,
}

impl Refused {
    /// Counts what means "the next port" and passes on the rest.
    fn judge(&mut self, port: u16, error: PortError) -> Result<(), PortError> {
        let PortError::Os { source, .. } = &error else {
            return Err(error);
        };
        match source.kind() {
            io::ErrorKind::AddrInUse => self.others.push(port),
            // Windows says "denied" for ports that Hyper-V or WinNAT reserved.
            io::ErrorKind::PermissionDenied => self.denied += 1,
            _ => return Err(error),
        }
        Ok(())
    }
}

/// A bound socket; its port is nobody else's until this is dropped.
#[derive(Debug)]
pub struct PortLease {
    socket: UdpSocket,
    local: SocketAddr,
    advertised: SocketAddr,
    granted: Granted,
    // Dropped after the socket, so that the port rests from when it is really closed.
    reservation: Reservation,
}

impl PortLease {
    /// The local address and port.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Where a device has to send to: the local address, or the one that
    /// [`PortPolicy::advertise`] names.
    #[must_use]
    pub const fn advertised(&self) -> SocketAddr {
        self.advertised
    }

    /// The receive buffer.
    #[must_use]
    pub const fn granted(&self) -> Granted {
        self.granted
    }

    /// The socket; it does not block.
    #[must_use]
    pub const fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    /// The socket by itself and what keeps its port reserved: drop the socket first.
    #[must_use]
    pub fn into_parts(self) -> (UdpSocket, Reservation) {
        (self.socket, self.reservation)
    }
}

/// An even port for RTP and the next one for RTCP.
#[derive(Debug)]
pub struct RtpPair {
    /// The even port.
    pub rtp: PortLease,
    /// The odd one.
    pub rtcp: PortLease,
}

/// Keeps a port out of further leases; when dropped, the port rests for the quarantine.
#[derive(Debug)]
pub struct Reservation {
    shared: Arc<Shared>,
    port: u16,
    rests: bool,
}

impl Reservation {
    fn forget(mut self) {
        self.rests = false;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut state = self.shared.state();
        state.leased.remove(&self.port);
        if self.rests {
            state.resting.insert(self.port, now);
        }
    }
}
