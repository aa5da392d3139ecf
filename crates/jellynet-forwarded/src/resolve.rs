//! From a peer and its headers to the client.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use jellynet_netif::{ClientAddr, PeerAddr, Provenance, ProxyOnlyReason};

use crate::address::Node;
use crate::audit::{Audit, AuditFlag};
use crate::contract::Contract;
use crate::headers::{Field, Headers, Seen};
use crate::host::Host;
use crate::rules::{Family, Rules};
use crate::scheme::Scheme;

use self::walk::{Answer, Start, Stop};

mod walk;

/// What is known about a request without its forwarding headers.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Connection<'h> {
    /// Who connected; `None` where nobody can tell, and then no header is trusted.
    pub peer: Option<PeerAddr>,
    /// Whether this server itself ended TLS.
    pub scheme: Scheme,
    /// The authority of the request target, as HTTP/2 and the absolute form of HTTP/1.1 have it.
    /// Without it, the `Host` header counts.
    pub authority: Option<&'h str>,
    /// What the peer said in the PROXY protocol.
    pub preamble: Option<PreambleClient>,
}

impl<'h> Connection<'h> {
    /// A request from this peer, without TLS.
    #[must_use]
    pub fn from_peer(peer: impl Into<Option<PeerAddr>>) -> Self {
        Self { peer: peer.into(), ..Self::default() }
    }

    /// The same over this scheme.
    #[must_use]
    pub const fn with_scheme(mut self, scheme: Scheme) -> Self {
        self.scheme = scheme;
        self
    }

    /// The same for this authority of the request target.
    #[must_use]
    pub const fn with_authority(mut self, authority: Option<&'h str>) -> Self {
        self.authority = authority;
        self
    }

    /// The same with what the peer said in the PROXY protocol.
    #[must_use]
    pub const fn with_preamble(mut self, preamble: Option<PreambleClient>) -> Self {
        self.preamble = preamble;
        self
    }
}

/// What the PROXY protocol says about the client, as the walk needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PreambleClient {
    /// The client; `None` where the proxy speaks for itself (`LOCAL`) or does not know
    /// (`UNKNOWN`).
    pub client: Option<SocketAddr>,
    /// Whether the client came to the proxy over TLS, where the proxy says so.
    pub tls: Option<bool>,
}

/// Who the client of a request is, and what it asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Resolved<'h> {
    /// The client; `None` for a peer on a Unix socket that is no known proxy, and for a request
    /// whose peer nobody told.
    ///
    /// A known proxy on a Unix socket that names no client has 0.0.0.0 here, as
    /// [`Provenance::ProxyOnly`].
    pub client: Option<ClientAddr>,
    /// How many entries were walked; the PROXY protocol counts as one.
    pub hops: u8,
    /// The scheme by which the client came.
    pub scheme: Scheme,
    /// The host that the client asked for; `None` if the request names none that is valid.
    pub host: Option<Host<'h>>,
    /// The path prefix that a proxy cut off, where a [`Contract`] has it: starts with `/`, ends
    /// without.
    pub prefix: Option<&'h str>,
    /// What was odd.
    pub audit: Audit,
}

impl Resolved<'_> {
    /// `direct`, `forwarded` or `proxy-only`; `unknown` without a client.
    #[must_use]
    pub const fn provenance(&self) -> &'static str {
        match self.client {
            None => "unknown",
            Some(client) => match client.provenance {
                Provenance::Direct => "direct",
                Provenance::Forwarded { .. } => "forwarded",
                _ => "proxy-only",
            },
        }
    }
}

impl Rules {
    /// Finds the client, by the [rules of this crate](crate). Allocates nothing, and reads no
    /// header value unless the peer is a known proxy.
    #[must_use]
    pub fn resolve<'h, H: Headers + ?Sized>(
        &self,
        connection: &Connection<'h>,
        headers: &'h H,
    ) -> Resolved<'h> {
        let seen = Seen::scan(headers);
        let mut resolved = Resolved::of_peer(connection, &seen);
        let Some(peer) = connection.peer else {
            resolved.client = None;
            resolved.audit.insert(AuditFlag::NoPeer);
            return resolved;
        };
        let Some(contract) = self.proxies.contract_of(peer) else {
            let claims = connection.preamble.is_some() || seen.has_any_forwarding();
            resolved.audit.insert_if(claims, AuditFlag::UntrustedPeer);
            return resolved;
        };
        let start = match connection.preamble {
            None => Start::at_peer(contract),
            Some(preamble) => {
                resolved.take_scheme(preamble.tls);
                match self.start_behind(preamble) {
                    Ok(start) => start,
                    Err(answer) => return resolved.concluded(peer, answer),
                }
            }
        };
        let answer = self.walk(start, &resolved, &seen, headers);
        let mut resolved = resolved.concluded(peer, answer);
        resolved.note_oddities(contract, self.family, &seen, headers);
        resolved
    }

    /// Where the walk goes on after the PROXY protocol. It goes on only if the client that was
    /// named is itself a known proxy: a peer that speaks this protocol passes the client's own
    /// headers through unread.
    fn start_behind<'h>(&self, preamble: PreambleClient) -> Result<Start, Answer<'h>> {
        let Some(client) = preamble.client else {
            return Err(Answer::at(None, 0, Stop::Unknown));
        };
        let PeerAddr::Inet(client) = PeerAddr::inet(client) else {
            return Err(Answer::at(None, 0, Stop::Unknown));
        };
        let node = Node { ip: client.ip(), port: Some(client.port()).filter(|port| *port != 0) };
        match self.proxies.contract(node.ip) {
            Some(contract) => Ok(Start { at: Some(node), hops: 1, contract }),
            None => Err(Answer::at(Some(node), 1, Stop::Client)),
        }
    }

    fn walk<'h, H: Headers + ?Sized>(
        &self,
        start: Start,
        resolved: &Resolved<'h>,
        seen: &Seen<'h>,
        headers: &'h H,
    ) -> Answer<'h> {
        match self.family {
            Family::XForwarded => walk::x_forwarded(self, start, seen, headers),
            Family::Forwarded => walk::forwarded(self, start, seen, headers),
            Family::Both => match (seen.has_x_forwarded(), seen.has(Field::Forwarded)) {
                (_, false) => walk::x_forwarded(self, start, seen, headers),
                (false, true) => walk::forwarded(self, start, seen, headers),
                (true, true) => {
                    let one = walk::x_forwarded(self, start, seen, headers);
                    let other = walk::forwarded(self, start, seen, headers);
                    one.agreed(other, start, resolved)
                }
            },
        }
    }
}

impl<'h> Resolved<'h> {
    /// What holds if no header is trusted.
    fn of_peer(connection: &Connection<'h>, seen: &Seen<'h>) -> Self {
        let mut audit = Audit::default();
        let named = match connection.authority {
            Some(authority) => Some(authority.as_bytes()),
            None => seen.only(Field::Host),
        };
        let host = named.and_then(Host::parse);
        let names_none = host.is_none() && (named.is_some() || seen.has(Field::Host));
        audit.insert_if(names_none, AuditFlag::InvalidHost);
        let client = match connection.peer {
            Some(PeerAddr::Inet(peer)) => Some(ClientAddr::direct(peer)),
            _ => None,
        };
        Self { client, hops: 0, scheme: connection.scheme, host, prefix: None, audit }
    }

    fn take_scheme(&mut self, tls: Option<bool>) {
        match tls {
            Some(true) => self.scheme = Scheme::Https,
            Some(false) => self.scheme = Scheme::Http,
            None => {}
        }
    }

    fn concluded(mut self, peer: PeerAddr, answer: Answer<'h>) -> Self {
        let at = answer.at.map(|node| node.ip).or_else(|| peer.ip());
        let (provenance, port) = match answer.stop.reason() {
            None => {
                let port = answer.at.and_then(|node| node.port);
                (Provenance::Forwarded { hops: answer.hops }, port)
            }
            Some(reason) => (Provenance::ProxyOnly { reason }, None),
        };
        self.client = Some(ClientAddr {
            ip: at.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            port,
            provenance,
        });
        self.hops = answer.hops;
        self.scheme = answer.origin.scheme.unwrap_or(self.scheme);
        self.host = answer.origin.host.or(self.host);
        if let (Some(host), Some(port)) = (self.host, answer.origin.port) {
            self.host = Some(host.with_port(port, self.scheme.default_port()));
        }
        self.prefix = answer.origin.prefix;
        self.audit.extend(answer.audit);
        self.audit.insert_if(matches!(answer.stop, Stop::OnlyProxies), AuditFlag::OnlyProxies);
        self
    }

    /// Flags what does not change the answer.
    fn note_oddities<H: Headers + ?Sized>(
        &mut self,
        contract: Contract,
        family: Family,
        seen: &Seen<'h>,
        headers: &'h H,
    ) {
        let foreign = match family {
            Family::XForwarded => seen.has(Field::Forwarded),
            Family::Forwarded => seen.has_x_forwarded(),
            Family::Both => false,
        };
        let outside = |field, part| seen.has(field) && !contract.sets(part);
        let outside = outside(Field::Port, Contract::PORT)
            || outside(Field::Prefix, Contract::PREFIX)
            || outside(Field::Proto, Contract::PROTO)
            || outside(Field::ForwardedHost, Contract::HOST);
        let audit = &mut self.audit;
        audit.insert_if(foreign, AuditFlag::ForeignFamily);
        audit.insert_if(outside, AuditFlag::OutsideContract);
        audit.insert_if(seen.underscored, AuditFlag::UnderscoreHeader);
        audit.insert_if(seen.nominated, AuditFlag::ConnectionNominates);
        if seen.alias {
            let client = self.client.map(|client| client.ip);
            let differs = Seen::alias_differs(headers, client);
            audit.insert_if(differs, AuditFlag::AliasMismatch);
        }
    }
}

impl Stop {
    const fn reason(self) -> Option<ProxyOnlyReason> {
        match self {
            Self::Client => None,
            Self::Missing => Some(ProxyOnlyReason::Missing),
            Self::Malformed => Some(ProxyOnlyReason::Malformed),
            Self::Unknown => Some(ProxyOnlyReason::Unknown),
            Self::OnlyProxies => Some(ProxyOnlyReason::OnlyProxies),
            Self::Conflict => Some(ProxyOnlyReason::Conflict),
        }
    }
}

/// As `explain` prints it: client, client_port, scheme, host, provenance, hops, audit.
#[cfg(feature = "serde")]
impl serde::Serialize for Resolved<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut map = serializer.serialize_struct("Resolved", 7)?;
        map.serialize_field("client", &self.client.map(|client| client.ip))?;
        map.serialize_field("client_port", &self.client.and_then(|client| client.port))?;
        map.serialize_field("scheme", &self.scheme)?;
        map.serialize_field("host", &self.host)?;
        map.serialize_field("provenance", self.provenance())?;
        map.serialize_field("hops", &self.hops)?;
        map.serialize_field("audit", &self.audit)?;
        map.end()
    }
}
