//! What was asked for × the interfaces of this moment = the sockets that are wanted now.

mod reason;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use jellynet_netif::{Interface, InterfaceTable};

use crate::listen::{Listen, UnixListen, UnixName};

pub use self::reason::WaitReason;

/// One listener that was asked for, under a name of the caller's such as `http`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Request {
    /// What its connections are for; several requests may share it.
    pub name: Arc<str>,
    /// Where.
    pub listen: Listen,
}

impl Request {
    /// Asks for `listen` under a name.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, listen: Listen) -> Self {
        Self { name: name.into(), listen }
    }
}

/// The sockets that a list of requests wants while the interfaces are as they are.
///
/// Pure: it opens nothing and reads nothing. Recompute it when the interfaces change, and
/// compare.
///
/// | request | interfaces | plan |
/// | --- | --- | --- |
/// | `*:8096` | any | `0.0.0.0:8096` and `[::]:8096`, one socket each |
/// | `192.168.1.10:8096` | the address is there | that socket |
/// | `192.168.1.10:8096` | it is not | that socket, [`Presence::Missing`]: tried, and tried again |
/// | `[fd00::5]:8096` | duplicate address detection runs | that socket, [`Presence::Tentative`] |
/// | `eth0:8096` | eth0 has three addresses | three sockets |
/// | `eth0:8096` | no eth0, or no address on it | none; [`WaitReason`] says what for |
/// | two requests | the same address and port | one socket; [`Repeated`] names the second |
/// | `*:8096` and `10.0.0.1:8096` | any | the wildcard's sockets alone |
/// | `http` and `https` both `*:8096` | any | the first's sockets; a [`Clash`] for the second |
///
/// Nothing here ever turns into a wildcard that was not asked for.
///
/// # Examples
///
/// ```
/// use jellynet_bind::{BindPlan, Request};
/// use jellynet_netif::{Interface, InterfaceTable};
///
/// let requests = [
///     Request::new("http", "eth0:8096".parse()?),
///     Request::new("http", "wg0:8096".parse()?),
/// ];
/// let interfaces = InterfaceTable::new([
///     Interface::new("eth0", 2).with_address("192.168.1.10/24".parse()?),
/// ]);
/// let plan = BindPlan::new(&requests, &interfaces);
/// assert_eq!(plan.sockets[0].endpoint.to_string(), "192.168.1.10:8096");
/// assert_eq!(plan.waiting[0].why.to_string(), "interface wg0 is not there yet");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BindPlan {
    /// The sockets, in the order of the requests.
    pub sockets: Vec<PlannedSocket>,
    /// Requests that have no socket at all for now.
    pub waiting: Vec<Waiting>,
    /// Sockets that were asked for twice under one name.
    pub repeated: Vec<Repeated>,
    /// Sockets that were asked for under two names: only the first gets them.
    pub clashes: Vec<Clash>,
}

/// One socket of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlannedSocket {
    /// Which request it serves, as an index.
    pub request: usize,
    /// Where it is.
    pub endpoint: Endpoint,
    /// Whether its address is there.
    pub presence: Presence,
}

/// Where a socket is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// A TCP address; IPv6 ones are IPv6 only.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(UnixListen),
    /// Sockets that systemd passed under this name, or all of them.
    Systemd(Option<String>),
    /// An inherited file descriptor.
    Fd(i32),
}

/// Whether a socket's address can be bound now, as far as the interface table knows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Presence {
    /// It is there, or needs no address.
    Here,
    /// Duplicate address detection still runs on it (RFC 4862 § 5.4): about a second.
    Tentative {
        /// The interface that has it.
        interface: String,
    },
    /// No interface has it.
    Missing {
        /// This host's addresses of the same family, the most similar first; at most three.
        nearest: Vec<IpAddr>,
    },
}

/// A request that has no socket for now.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Waiting {
    /// Which request, as an index.
    pub request: usize,
    /// What it waits for.
    pub why: WaitReason,
}

/// A socket that was asked for twice under one name: it is bound once.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Repeated {
    /// The later request, as an index.
    pub request: usize,
    /// The earlier request that has the socket, as an index.
    pub by: usize,
    /// What the later one wanted.
    pub endpoint: Endpoint,
}

/// A socket that was asked for under two names: connections to it would be ambiguous.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Clash {
    /// The later request, as an index.
    pub request: usize,
    /// The earlier request that has the socket, as an index.
    pub by: usize,
    /// What the later one wanted.
    pub endpoint: Endpoint,
}

impl BindPlan {
    /// Plans `requests` for these interfaces.
    #[must_use]
    pub fn new(requests: &[Request], interfaces: &InterfaceTable) -> Self {
        let mut plan = Self::default();
        for (index, request) in requests.iter().enumerate() {
            plan.add(index, &request.listen, interfaces);
        }
        plan.settle(requests);
        plan
    }

    fn add(&mut self, request: usize, listen: &Listen, interfaces: &InterfaceTable) {
        match listen {
            Listen::Wildcard { families, port } => {
                for ip in families.unspecified() {
                    self.here(request, Endpoint::Tcp(SocketAddr::new(ip, *port)));
                }
            }
            Listen::Loopback { port } => {
                for ip in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
                    self.address(request, SocketAddr::new(ip, *port), interfaces);
                }
            }
            Listen::Address { ip, zone: None, port } => {
                self.address(request, SocketAddr::new(*ip, *port), interfaces);
            }
            Listen::Address { ip, zone: Some(zone), port } => {
                self.zoned(request, *ip, zone, *port, interfaces);
            }
            Listen::Interface { name, port } => self.interface(request, name, *port, interfaces),
            Listen::Unix(unix) => self.here(request, Endpoint::Unix(unix.clone())),
            Listen::Systemd { name } => self.here(request, Endpoint::Systemd(name.clone())),
            Listen::Fd(fd) => self.here(request, Endpoint::Fd(*fd)),
        }
    }

    fn here(&mut self, request: usize, endpoint: Endpoint) {
        self.sockets.push(PlannedSocket { request, endpoint, presence: Presence::Here });
    }

    fn address(&mut self, request: usize, addr: SocketAddr, interfaces: &InterfaceTable) {
        let presence = presence(addr.ip(), interfaces);
        self.sockets.push(PlannedSocket { request, endpoint: Endpoint::Tcp(addr), presence });
    }

    fn zoned(
        &mut self,
        request: usize,
        ip: IpAddr,
        zone: &str,
        port: u16,
        interfaces: &InterfaceTable,
    ) {
        let by_index = || zone.parse().ok().and_then(|i| interfaces.by_index(i));
        let Some(interface) = interfaces.by_name(zone).or_else(by_index) else {
            return self.wait(request, WaitReason::NoInterface { interface: zone.to_owned() });
        };
        let presence = match interface.addresses.iter().find(|a| a.ip() == ip) {
            Some(address) if address.tentative => {
                Presence::Tentative { interface: interface.name.clone() }
            }
            Some(_) => Presence::Here,
            None => Presence::Missing {
                nearest: nearest(ip, interface.addresses.iter().map(|a| a.ip())),
            },
        };
        self.sockets.push(PlannedSocket {
            request,
            endpoint: Endpoint::Tcp(InterfaceTable::scoped(ip, port, interface.index)),
            presence,
        });
    }

    fn interface(&mut self, request: usize, name: &str, port: u16, interfaces: &InterfaceTable) {
        let interface = name.to_owned();
        match interfaces.by_name(name) {
            None => self.wait(request, WaitReason::NoInterface { interface }),
            Some(found) if found.addresses.is_empty() => {
                self.wait(request, WaitReason::NoAddress { interface });
            }
            Some(found) => self.all_of(request, found, port),
        }
    }

    fn all_of(&mut self, request: usize, interface: &Interface, port: u16) {
        for address in &interface.addresses {
            let presence = if address.tentative {
                Presence::Tentative { interface: interface.name.clone() }
            } else {
                Presence::Here
            };
            self.sockets.push(PlannedSocket {
                request,
                endpoint: Endpoint::Tcp(InterfaceTable::scoped(
                    address.ip(),
                    port,
                    interface.index,
                )),
                presence,
            });
        }
    }

    fn wait(&mut self, request: usize, why: WaitReason) {
        self.waiting.push(Waiting { request, why });
    }

    /// Leaves each socket once: wildcards first, because they cover single addresses.
    fn settle(&mut self, requests: &[Request]) {
        let planned = std::mem::take(&mut self.sockets);
        let mut owners: HashMap<Endpoint, usize> = HashMap::new();
        let wildcard = |socket: &PlannedSocket| is_wildcard(&socket.endpoint);
        for socket in planned.iter().filter(|s| wildcard(s)) {
            owners.entry(socket.endpoint.clone()).or_insert(socket.request);
        }
        let mut kept = HashSet::new();
        for socket in planned {
            let place = place(&socket.endpoint);
            let covering = covering(&place).and_then(|w| owners.get(&w).copied());
            match covering.or_else(|| owners.get(&place).copied()) {
                Some(by) if by != socket.request => self.drop_for(by, socket, requests),
                // One interface can have one address with two prefix lengths.
                Some(_) if !kept.insert(place.clone()) => {}
                Some(_) => self.sockets.push(socket),
                None => {
                    // Port 0 is another port each time, so two sockets with it are never the same.
                    if !matches!(place, Endpoint::Tcp(addr) if addr.port() == 0) {
                        kept.insert(place.clone());
                        owners.insert(place, socket.request);
                    }
                    self.sockets.push(socket);
                }
            }
        }
    }

    fn drop_for(&mut self, by: usize, socket: PlannedSocket, requests: &[Request]) {
        let PlannedSocket { request, endpoint, .. } = socket;
        let name = |index: usize| requests.get(index).map(|r| &r.name);
        if name(by) == name(request) {
            self.repeated.push(Repeated { request, by, endpoint });
        } else {
            self.clashes.push(Clash { request, by, endpoint });
        }
    }
}

fn is_wildcard(endpoint: &Endpoint) -> bool {
    matches!(endpoint, Endpoint::Tcp(addr) if addr.ip().is_unspecified() && addr.port() != 0)
}

/// The endpoint without what two requests for one place may differ in.
fn place(endpoint: &Endpoint) -> Endpoint {
    match endpoint {
        Endpoint::Unix(UnixListen { name: UnixName::Path(path), .. }) => {
            Endpoint::Unix(UnixListen::at(path))
        }
        other => other.clone(),
    }
}

/// The wildcard that takes this address's connections too.
fn covering(endpoint: &Endpoint) -> Option<Endpoint> {
    let Endpoint::Tcp(addr) = endpoint else {
        return None;
    };
    if addr.ip().is_unspecified() || addr.port() == 0 {
        return None;
    }
    let any: IpAddr = match addr.ip() {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    Some(Endpoint::Tcp(SocketAddr::new(any, addr.port())))
}

/// Whether `ip` can be bound, as far as the table knows.
fn presence(ip: IpAddr, interfaces: &InterfaceTable) -> Presence {
    let mut tentative = None;
    for (interface, address) in interfaces.addresses() {
        // All of 127.0.0.0/8 is local, though only 127.0.0.1 is listed.
        let ours =
            address.ip() == ip || (interface.flags.loopback && ip.is_ipv4() && address.on_link(ip));
        if ours && !address.tentative {
            return Presence::Here;
        }
        if ours {
            tentative = Some(interface.name.clone());
        }
    }
    match tentative {
        Some(interface) => Presence::Tentative { interface },
        None => {
            Presence::Missing { nearest: nearest(ip, interfaces.addresses().map(|(_, a)| a.ip())) }
        }
    }
}

/// The addresses of the same family that share the most leading bits; at most three.
fn nearest(ip: IpAddr, ours: impl Iterator<Item = IpAddr>) -> Vec<IpAddr> {
    let mut ours: Vec<IpAddr> = ours
        .filter(|our| our.is_ipv4() == ip.is_ipv4() && our.is_loopback() == ip.is_loopback())
        .collect();
    ours.sort_by_key(|our| (std::cmp::Reverse(shared_bits(*our, ip)), *our));
    ours.dedup();
    ours.truncate(3);
    ours
}

fn shared_bits(a: IpAddr, b: IpAddr) -> u32 {
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
        _ => 0,
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(addr) => addr.fmt(f),
            Self::Unix(unix) => write!(f, "unix:{}", unix.name),
            Self::Systemd(None) => f.write_str("systemd"),
            Self::Systemd(Some(name)) => write!(f, "systemd:{name}"),
            Self::Fd(fd) => write!(f, "fd:{fd}"),
        }
    }
}
