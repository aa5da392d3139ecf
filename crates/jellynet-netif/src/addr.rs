//! Typed addresses: whose address is it?

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// Undoes the IPv4-mapped form (`::ffff:a.b.c.d`, RFC 4291 § 2.5.5.2) and leaves every other
/// address as it is.
///
/// IPv4-compatible, NAT64 and 6to4 addresses are different hosts and stay IPv6.
#[must_use]
pub const fn unmapped(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => ip,
        },
    }
}

/// Undoes the IPv4-mapped form inside a socket address; a scope id survives on IPv6.
const fn unmapped_socket(addr: SocketAddr) -> SocketAddr {
    match addr {
        SocketAddr::V4(_) => addr,
        SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
            Some(v4) => SocketAddr::new(IpAddr::V4(v4), v6.port()),
            None => addr,
        },
    }
}

/// The other end of the connection, as the kernel reports it.
///
/// Behind a proxy this is the proxy. Travels as an extension of each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PeerAddr {
    /// A TCP or UDP peer; never IPv4-mapped.
    Inet(SocketAddr),
    /// A process on this host that came through a Unix socket; it has no address.
    Unix,
}

impl PeerAddr {
    /// Takes the address of a connected peer and undoes the IPv4-mapped form.
    #[must_use]
    pub const fn inet(addr: SocketAddr) -> Self {
        Self::Inet(unmapped_socket(addr))
    }

    /// The peer's IP address; `None` for a Unix socket.
    #[must_use]
    pub const fn ip(self) -> Option<IpAddr> {
        match self {
            Self::Inet(addr) => Some(addr.ip()),
            Self::Unix => None,
        }
    }
}

impl From<SocketAddr> for PeerAddr {
    fn from(addr: SocketAddr) -> Self {
        Self::inet(addr)
    }
}

impl fmt::Display for PeerAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(addr) => addr.fmt(f),
            Self::Unix => f.write_str("unix"),
        }
    }
}

/// The address of this host that the peer connected to; never IPv4-mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LocalAddr(SocketAddr);

impl LocalAddr {
    /// Takes the local address of a connected socket and undoes the IPv4-mapped form.
    #[must_use]
    pub const fn new(addr: SocketAddr) -> Self {
        Self(unmapped_socket(addr))
    }

    /// The address and port.
    #[must_use]
    pub const fn get(self) -> SocketAddr {
        self.0
    }

    /// The IP address without its port.
    #[must_use]
    pub const fn ip(self) -> IpAddr {
        self.0.ip()
    }
}

impl From<SocketAddr> for LocalAddr {
    fn from(addr: SocketAddr) -> Self {
        Self::new(addr)
    }
}

impl fmt::Display for LocalAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How the client's address is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Provenance {
    /// The peer is the client: it is no known proxy, and whatever it claims was ignored.
    Direct,
    /// Known proxies named the client, in this many hops (1 or more).
    Forwarded {
        /// How many entries were walked, from the right.
        hops: u8,
    },
    /// The peer is a known proxy, but no usable client was named: the address is the proxy's.
    ///
    /// Policies treat such a request as remote, whatever the address.
    ProxyOnly {
        /// Why no client is known.
        reason: ProxyOnlyReason,
    },
}

/// Why a known proxy's request has no client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProxyOnlyReason {
    /// No forwarding header of the configured family arrived.
    Missing,
    /// The entry nearest to the proxy is not an address.
    Malformed,
    /// The entry nearest to the proxy is `unknown` or an obfuscated name (RFC 7239 § 6.2, § 6.3).
    Unknown,
    /// Two header families name different clients.
    Conflict,
    /// Every entry names a known proxy, or more entries than the limit do.
    OnlyProxies,
}

impl ProxyOnlyReason {
    /// A stable lower-case word for logs, labels and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::Unknown => "unknown",
            Self::Conflict => "conflict",
            Self::OnlyProxies => "only-proxies",
        }
    }
}

/// The client behind every known proxy, with how it is known.
///
/// Travels as an extension of each request; policies read this, then [`PeerAddr`], and refuse
/// when neither is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientAddr {
    /// The client's address, never IPv4-mapped; the proxy's for [`Provenance::ProxyOnly`].
    pub ip: IpAddr,
    /// The client's port where it is known.
    pub port: Option<u16>,
    /// How this is known.
    pub provenance: Provenance,
}

impl ClientAddr {
    /// The peer itself is the client.
    #[must_use]
    pub const fn direct(peer: SocketAddr) -> Self {
        let peer = unmapped_socket(peer);
        Self { ip: peer.ip(), port: Some(peer.port()), provenance: Provenance::Direct }
    }

    /// Whether the client connected to this server itself.
    #[must_use]
    pub const fn is_direct(self) -> bool {
        matches!(self.provenance, Provenance::Direct)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_mapped_form_is_undone() {
        for (given, expected) in [
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("192.0.2.1", "192.0.2.1"),
            ("::192.0.2.1", "::192.0.2.1"),
            ("64:ff9b::192.0.2.1", "64:ff9b::192.0.2.1"),
            ("2002:c000:201::", "2002:c000:201::"),
            ("::1", "::1"),
        ] {
            let given: IpAddr = given.parse().unwrap();
            assert_eq!(unmapped(given), expected.parse::<IpAddr>().unwrap(), "{given}");
        }
    }

    #[test]
    fn a_peer_loses_its_mapping_and_keeps_its_scope() {
        let mapped: SocketAddr = "[::ffff:192.0.2.1]:5".parse().unwrap();
        assert_eq!(PeerAddr::inet(mapped).to_string(), "192.0.2.1:5");
        let scoped: SocketAddr = "[fe80::1%3]:5".parse().unwrap();
        assert_eq!(PeerAddr::inet(scoped), PeerAddr::Inet(scoped));
    }
}
