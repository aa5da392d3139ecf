//! Counters, and events that do not flood.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jellynet_netif::PeerAddr;

use super::{Audit, AuditFlag};

/// How long an event of one peer is not told again. Default of [`AuditLog`].
const INTERVAL: Duration = Duration::from_secs(600);

/// How many events are told in one interval, of all peers together: a flood of addresses must
/// not become a flood of lines.
const MAX_EVENTS: u64 = 64;

/// How many peers are remembered.
const MAX_PEERS: usize = 1024;

/// Something that an operator should put right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditEvent {
    /// The peer that sent the request, without its port; `None` if nobody told it.
    pub peer: Option<PeerAddr>,
    /// What was odd.
    pub flag: AuditFlag,
    /// How often the same was not told since it was last told.
    pub suppressed: u64,
}

impl fmt::Display for AuditEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.flag {
            AuditFlag::NoPeer => {
                "serve a request without a peer address, so that no header is trusted: \
                 insert `PeerAddr` into each request"
            }
            AuditFlag::UntrustedPeer => {
                "sends forwarding headers but is no known proxy: \
                 add it to `proxies.known`, or block it"
            }
            AuditFlag::MissingClient => {
                "is a known proxy but names no client: let it set the header of `proxies.family`"
            }
            AuditFlag::MalformedEntry => "is a known proxy but names a client by no address",
            AuditFlag::UnknownClient => "is a known proxy but hides the client",
            AuditFlag::OnlyProxies => {
                "names only known proxies: take the clients' subnet out of `proxies.known`"
            }
            AuditFlag::HopLimit => "names more proxies than `proxies.limit` allows",
            AuditFlag::Conflict => {
                "sends X-Forwarded-* and Forwarded that disagree: \
                 let it set or remove both, or choose one in `proxies.family`"
            }
            flag => flag.as_str(),
        };
        match self.peer.map(|peer| (peer, peer.ip())) {
            Some((_, Some(ip))) => write!(f, "peer {ip} {what}"),
            Some((peer, None)) => write!(f, "peer {peer} {what}"),
            None => f.write_str(what),
        }
    }
}

/// Counts every flag, and tells the application what an operator should put right: each thing
/// about each peer once in ten minutes.
///
/// Events go to the closure given to [`with_sink`](Self::with_sink); without one to `tracing`
/// (target `jellynet_forwarded`, level `warn`) where that feature is on. Clones share all.
#[derive(Clone, Default)]
pub struct AuditLog {
    shared: Arc<Shared>,
    sink: Option<Arc<dyn Fn(AuditEvent) + Send + Sync>>,
}

#[derive(Default)]
struct Shared {
    counters: [AtomicU64; AuditFlag::ALL.len()],
    limiter: Mutex<Limiter>,
}

impl AuditLog {
    /// Counts, and tells `tracing` where that feature is on.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells `sink` instead. It is called while a request waits.
    #[must_use]
    pub fn with_sink(mut self, sink: impl Fn(AuditEvent) + Send + Sync + 'static) -> Self {
        self.sink = Some(Arc::new(sink));
        self
    }

    /// How many requests had each flag.
    #[must_use]
    pub fn counters(&self) -> impl ExactSizeIterator<Item = (AuditFlag, u64)> {
        let counters = AuditFlag::ALL.iter().zip(&self.shared.counters);
        counters.map(|(flag, counter)| (*flag, counter.load(Ordering::Relaxed)))
    }

    /// Of which peers this was told, as text and in order; remembered for about as long as it is
    /// not told again, and of a bounded number of peers.
    #[must_use]
    pub fn peers(&self, flag: AuditFlag) -> Vec<String> {
        let limiter = self.shared.limiter.lock().unwrap_or_else(PoisonError::into_inner);
        let peers = limiter.peers.keys().filter(|(_, of)| *of == flag);
        let mut peers: Vec<_> = peers
            .filter_map(|(peer, _)| match peer.as_ref()? {
                PeerKey::Inet(ip) => Some(ip.to_string()),
                PeerKey::Unix => Some("unix".to_owned()),
            })
            .collect();
        peers.sort();
        peers
    }

    /// Notes what was odd about one request.
    pub fn record(&self, peer: Option<PeerAddr>, audit: Audit, now: Instant) {
        for (flag, counter) in AuditFlag::ALL.into_iter().zip(&self.shared.counters) {
            if !audit.contains(flag) {
                continue;
            }
            counter.fetch_add(1, Ordering::Relaxed);
            if flag.is_event() {
                self.event(peer, flag, now);
            }
        }
    }

    fn event(&self, peer: Option<PeerAddr>, flag: AuditFlag, now: Instant) {
        let mut limiter = self.shared.limiter.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(suppressed) = limiter.admit(peer, flag, now) else {
            return;
        };
        drop(limiter);
        let event = AuditEvent { peer, flag, suppressed };
        match &self.sink {
            Some(sink) => sink(event),
            None => trace(event),
        }
    }
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.counters().filter(|(_, count)| *count > 0)).finish()
    }
}

#[cfg(feature = "tracing")]
fn trace(event: AuditEvent) {
    tracing::warn!(
        target: "jellynet_forwarded",
        flag = event.flag.as_str(),
        suppressed = event.suppressed,
        "{event}"
    );
}

#[cfg(not(feature = "tracing"))]
const fn trace(_: AuditEvent) {}

type Key = (Option<PeerKey>, AuditFlag);

/// A peer without its port.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum PeerKey {
    Inet(std::net::IpAddr),
    Unix,
}

/// Decides which event is told.
#[derive(Default)]
struct Limiter {
    peers: HashMap<Key, Told>,
    /// The start of the interval that is being counted, and how many events it has told.
    interval: Option<(Instant, u64)>,
}

struct Told {
    at: Instant,
    suppressed: u64,
}

impl Limiter {
    /// How often the same was kept back before, if it may be told now.
    fn admit(&mut self, peer: Option<PeerAddr>, flag: AuditFlag, now: Instant) -> Option<u64> {
        let peer = peer.map(|peer| peer.ip().map_or(PeerKey::Unix, PeerKey::Inet));
        let is_due = |told: &Told| now.saturating_duration_since(told.at) >= INTERVAL;
        if let Some(told) = self.peers.get_mut(&(peer, flag))
            && !is_due(told)
        {
            told.suppressed += 1;
            return None;
        }
        if self.peers.len() >= MAX_PEERS {
            self.peers.retain(|_, told| !is_due(told));
        }
        if self.peers.len() >= MAX_PEERS || !self.count(now) {
            return None;
        }
        let fresh = Told { at: now, suppressed: 0 };
        let before = self.peers.insert((peer, flag), fresh);
        Some(before.map_or(0, |told| told.suppressed))
    }

    fn count(&mut self, now: Instant) -> bool {
        let (start, told) = self.interval.unwrap_or((now, 0));
        let (start, told) =
            if now.saturating_duration_since(start) >= INTERVAL { (now, 0) } else { (start, told) };
        self.interval = Some((start, told.saturating_add(1)));
        told < MAX_EVENTS
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test needs one instant to count from")]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr, SocketAddr};

    fn peer(number: u32, port: u16) -> Option<PeerAddr> {
        let ip = IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + number));
        Some(PeerAddr::inet(SocketAddr::new(ip, port)))
    }

    fn one(flag: AuditFlag) -> Audit {
        let mut audit = Audit::default();
        audit.insert(flag);
        audit
    }

    fn listening() -> (AuditLog, Arc<Mutex<Vec<AuditEvent>>>) {
        let told = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&told);
        let log = AuditLog::new().with_sink(move |event| sink.lock().unwrap().push(event));
        (log, told)
    }

    #[test]
    fn the_same_is_told_once_in_ten_minutes_and_counted_always() {
        let (log, told) = listening();
        let start = Instant::now();
        for second in 0..=600 {
            let now = start + Duration::from_secs(second);
            log.record(peer(7, 1000), one(AuditFlag::UntrustedPeer), now);
        }
        let told = told.lock().unwrap();
        let suppressed: Vec<_> = told.iter().map(|event| event.suppressed).collect();
        assert_eq!(suppressed, [0, 599]);
        assert_eq!(
            told[0].to_string(),
            "peer 10.0.0.7 sends forwarding headers but is no known proxy: \
             add it to `proxies.known`, or block it"
        );
        assert_eq!(log.peers(AuditFlag::UntrustedPeer), ["10.0.0.7"]);
        let count = log.counters().find(|(flag, _)| *flag == AuditFlag::UntrustedPeer);
        assert_eq!(count.map(|(_, count)| count), Some(601));
    }

    #[test]
    fn a_flood_of_peers_is_no_flood_of_events() {
        let (log, told) = listening();
        let now = Instant::now();
        for number in 0..5000 {
            log.record(peer(number, 1), one(AuditFlag::UntrustedPeer), now);
        }
        assert_eq!(told.lock().unwrap().len() as u64, MAX_EVENTS);
        assert!(log.shared.limiter.lock().unwrap().peers.len() <= MAX_PEERS);
        log.record(peer(9999, 1), one(AuditFlag::UntrustedPeer), now + INTERVAL);
        assert_eq!(told.lock().unwrap().len() as u64, MAX_EVENTS + 1, "a new interval");
    }

    #[test]
    fn what_any_client_can_send_is_no_event() {
        let (log, told) = listening();
        for flag in AuditFlag::ALL.into_iter().filter(|flag| !flag.is_event()) {
            log.record(peer(1, 1), one(flag), Instant::now());
        }
        assert!(told.lock().unwrap().is_empty());
        assert!(log.counters().all(|(flag, count)| count == u64::from(!flag.is_event())));
    }
}
