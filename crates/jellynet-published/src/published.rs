//! The choice.

use std::net::{IpAddr, SocketAddr};

use http::Uri;
use jellynet_netif::{InterfaceTable, NamedSubnets, SubnetSet, unmapped};

use crate::answer::{Announced, Considered, Explanation, Rejection, Verdict};
use crate::candidate::{Candidate, Tier};
use crate::overrides::{Override, PublishedConfigError, parse};
use crate::target::Target;
use crate::url::{is_host, normalised_base};

/// What the operator says about the URLs of this server.
///
/// A plain value; [`Published::new`] checks it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublishedConfig {
    /// Published URLs in Jellyfin's syntax, see the [table](crate#published-urls). Default: none.
    pub overrides: Vec<String>,
    /// Where each of [`overrides`](Self::overrides) stands in the operator's list, where it is
    /// a part of one: what is told of an entry names it by this. Default: as they stand here.
    pub positions: Vec<usize>,
    /// Under which host this server answers. Default: any.
    pub own_host: OwnHost,
    /// The path below which the server answers, `/jellyfin`; slashes at its ends do not matter.
    /// Default: none.
    pub base_path: String,
    /// The port of plain HTTP as external peers see it, where a router translates it. Default:
    /// the port of the listener.
    pub public_http_port: Option<u16>,
    /// The port of HTTPS as external peers see it. Default: the port of the listener.
    pub public_https_port: Option<u16>,
    /// Announces `https` where both are listened to. Default: false, because a certificate for an
    /// address is rare and clients refuse any other.
    pub prefer_https: bool,
    /// Answers a request with the scheme and host by which it came, before everything else;
    /// otherwise they are used where nothing else is left. Default: false.
    ///
    /// # Security
    ///
    /// The host is what the client wrote, unless a proxy fixed it: it must stay in the answer to
    /// that client.
    pub by_request: bool,
    /// Who is internal, besides peers on the link. Default: [`NamedSubnets::Private`].
    pub lan: SubnetSet,
}

impl Default for PublishedConfig {
    fn default() -> Self {
        Self {
            overrides: Vec::new(),
            positions: Vec::new(),
            own_host: OwnHost::Any,
            base_path: String::new(),
            public_http_port: None,
            public_https_port: None,
            prefer_https: false,
            by_request: false,
            lan: NamedSubnets::Private.into(),
        }
    }
}

/// Under which host a server answers: one of several behind one address may know only names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OwnHost {
    /// Any: this host's addresses are announced.
    #[default]
    Any,
    /// This one alone (a name, an address, or an IPv6 address in brackets): it stands in the URL
    /// in place of the address, which is chosen as ever. Who understands nothing but a
    /// [plain address](Ask::plain_address) is told the address all the same.
    Named(String),
    /// Names that cannot be told, such as `*.example`: only published URLs are announced, and
    /// addresses to who understands nothing else.
    Unknown,
}

/// A socket that accepts connections, as the caller bound it.
///
/// The unspecified address stands for every address of its own family; a socket that serves both
/// families is two listeners.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Listener {
    address: SocketAddr,
    https: bool,
}

impl Listener {
    /// A listener that speaks plain HTTP.
    #[must_use]
    pub const fn http(address: SocketAddr) -> Self {
        let https = false;
        Self { address, https }
    }

    /// A listener that speaks HTTPS.
    #[must_use]
    pub const fn https(address: SocketAddr) -> Self {
        let https = true;
        Self { address, https }
    }

    fn accepts_at(&self, ip: IpAddr) -> bool {
        let own = unmapped(self.address.ip());
        own == ip || (own.is_unspecified() && own.is_ipv4() == ip.is_ipv4())
    }
}

/// Who asks, and in which form the answer is needed.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    pub(crate) peer: IpAddr,
    pub(crate) came_by: Option<u32>,
    pub(crate) request: Option<&'a Uri>,
    pub(crate) plain: bool,
}

impl<'a> Ask<'a> {
    /// A peer with this address; the client behind proxies, not the proxy.
    #[must_use]
    pub const fn new(peer: IpAddr) -> Self {
        Self { peer: unmapped(peer), came_by: None, request: None, plain: false }
    }

    /// The question came in by the interface with this index. It matters where a peer's address
    /// does not tell: link-local ones, and point-to-point links.
    #[must_use]
    pub const fn came_by(mut self, interface: u32) -> Self {
        self.came_by = Some(interface);
        self
    }

    /// The question is an HTTP request with this effective URI, after known proxies. Without a
    /// scheme and an authority it says nothing.
    #[must_use]
    pub const fn request(mut self, uri: &'a Uri) -> Self {
        self.request = Some(uri);
        self
    }

    /// The peer understands nothing but `http://` and an address: a UPnP control point.
    #[must_use]
    pub const fn plain_address(mut self) -> Self {
        self.plain = true;
        self
    }
}

/// Under which URL a peer reaches this server; see the [rule](crate).
#[derive(Clone, Debug, Default)]
pub struct Published {
    overrides: Vec<Override>,
    base: String,
    config: PublishedConfig,
}

impl Published {
    /// Checks the configuration.
    ///
    /// # Errors
    ///
    /// [`PublishedConfigError::Overrides`] names every bad entry of the list of published URLs,
    /// with the corrected text where one can be told; [`PublishedConfigError::OwnHost`] a host
    /// that no URL can have.
    pub fn new(config: PublishedConfig) -> Result<Self, PublishedConfigError> {
        if let OwnHost::Named(host) = &config.own_host
            && !is_host(host)
        {
            return Err(PublishedConfigError::OwnHost { host: host.clone() });
        }
        let base = normalised_base(&config.base_path);
        let overrides = parse(&config.overrides, &config.positions, &base)?;
        Ok(Self { overrides, base, config })
    }

    /// The URL under which this peer reaches this server, and why that one. `None` when every
    /// candidate is known to be wrong: no answer is better than a wrong one.
    ///
    /// Pure: the same arguments give the same answer.
    #[must_use]
    pub fn for_peer(
        &self,
        ask: &Ask<'_>,
        interfaces: &InterfaceTable,
        listeners: &[Listener],
    ) -> Option<Announced> {
        let situation = self.situation(ask, interfaces, listeners);
        let candidates = self.candidates(&situation);
        let families = Families::of(&candidates, ask.peer);
        let chosen = candidates
            .iter()
            .filter(|candidate| families.objection(candidate).is_none())
            .min_by_key(|candidate| candidate.rank)?;
        Some(Announced { url: chosen.target.to_string(), because: chosen.why.told() })
    }

    /// Like [`for_peer`](Self::for_peer), with everything that was thought of and what spoke
    /// against it.
    #[must_use]
    pub fn explain(
        &self,
        ask: &Ask<'_>,
        interfaces: &InterfaceTable,
        listeners: &[Listener],
    ) -> Explanation {
        let situation = self.situation(ask, interfaces, listeners);
        let mut candidates = self.candidates(&situation);
        // Stable, so that the first of equals is the one that `for_peer` chooses.
        candidates.sort_by_key(|candidate| candidate.rank);
        let families = Families::of(&candidates, ask.peer);
        let mut first = Verdict::Chosen;
        let considered = candidates.iter().map(|candidate| Considered {
            url: candidate.target.to_string(),
            because: candidate.why.told(),
            verdict: match families.objection(candidate) {
                Some(rejection) => Verdict::Rejected(rejection),
                None => std::mem::replace(&mut first, Verdict::Spare),
            },
        });
        Explanation {
            peer: ask.peer,
            internal: situation.internal,
            considered: considered.collect(),
        }
    }

    /// The entries that name an interface which this host does not have now, each with its
    /// position in the list and the name. They wait for it; a misspelt one waits for ever.
    pub fn waiting<'a>(
        &'a self,
        interfaces: &'a InterfaceTable,
    ) -> impl Iterator<Item = (usize, &'a str)> {
        let named = self.overrides.iter();
        let named = named.filter_map(|one| Some((one.index, one.interface()?)));
        named.filter(|(_, name)| interfaces.by_name(name).is_none())
    }

    fn situation<'a>(
        &'a self,
        ask: &'a Ask<'a>,
        interfaces: &'a InterfaceTable,
        listeners: &'a [Listener],
    ) -> Situation<'a> {
        Situation {
            ask,
            peer: ask.peer,
            internal: self.is_internal(ask.peer, interfaces),
            interfaces,
            listeners,
            base: &self.base,
            config: &self.config,
            is_published: false,
        }
    }

    fn candidates<'a>(&'a self, situation: &Situation<'a>) -> Vec<Candidate<'a>> {
        let overrides = self.overrides.iter();
        let published = overrides.filter_map(|one| Candidate::published(situation, one));
        let mut candidates: Vec<_> = published.collect();
        let situation = Situation { is_published: !candidates.is_empty(), ..*situation };
        let tier = if self.config.by_request { Tier::RequestFirst } else { Tier::RequestLast };
        candidates.extend(Candidate::request(&situation, tier));
        let addresses = situation.interfaces.addresses();
        candidates.extend(addresses.map(|(i, a)| Candidate::address(&situation, i, a)));
        candidates
    }

    /// On the link or in the LAN's subnets; an exclusion makes external, on the link too.
    fn is_internal(&self, peer: IpAddr, interfaces: &InterfaceTable) -> bool {
        let lan = &self.config.lan;
        let on_link = || interfaces.on_link(peer).is_some();
        let excluded = || lan.excluded().any(|net| net.contains(&peer));
        peer.is_loopback() || lan.contains(peer) || (on_link() && !excluded())
    }
}

/// Everything that the choice depends on.
#[derive(Clone, Copy)]
pub(crate) struct Situation<'a> {
    pub(crate) ask: &'a Ask<'a>,
    pub(crate) peer: IpAddr,
    pub(crate) internal: bool,
    pub(crate) interfaces: &'a InterfaceTable,
    listeners: &'a [Listener],
    pub(crate) base: &'a str,
    config: &'a PublishedConfig,
    /// Whether a published URL is for this peer.
    pub(crate) is_published: bool,
}

impl<'a> Situation<'a> {
    /// Whether this host's addresses lead to the server, for all that can be told.
    pub(crate) fn is_unnamed(&self) -> bool {
        !self.ask.plain && matches!(self.config.own_host, OwnHost::Unknown)
    }

    /// One of this host's addresses, with the listener there that suits the peer best.
    pub(crate) fn target(&self, ip: IpAddr) -> Target<'a> {
        let preferred = self.config.prefer_https && !self.ask.plain;
        let listener = self
            .listeners
            .iter()
            .filter(|listener| listener.accepts_at(ip) && !(self.ask.plain && listener.https))
            .min_by_key(|listener| {
                let wildcard = listener.address.ip().is_unspecified();
                (listener.https != preferred, wildcard)
            });
        let Some(listener) = listener else {
            return Target::Silent(ip);
        };
        let name = match &self.config.own_host {
            OwnHost::Named(name) if !self.ask.plain => Some(name.as_str()),
            _ => None,
        };
        let public = if listener.https {
            self.config.public_https_port
        } else {
            self.config.public_http_port
        };
        let own = listener.address.port();
        let port = public.filter(|_| !self.internal).unwrap_or(own);
        Target::Own { https: listener.https, at: SocketAddr::new(ip, port), name, base: self.base }
    }
}

/// Whether the peer's own family has an answer.
///
/// A URL of the other family is one only where none of the peer's is, and an address of this host
/// only where it has none of the peer's family at all.
#[derive(Clone, Copy)]
struct Families {
    v4: bool,
    answered: bool,
    exists: bool,
}

impl Families {
    fn of(candidates: &[Candidate<'_>], peer: IpAddr) -> Self {
        let v4 = peer.is_ipv4();
        let own = || candidates.iter().filter(|candidate| candidate.suits(v4));
        Self {
            v4,
            answered: own().any(|candidate| candidate.rejection.is_none()),
            exists: own().any(Candidate::exists),
        }
    }

    /// What speaks against a candidate, its family included.
    fn objection(self, candidate: &Candidate<'_>) -> Option<Rejection> {
        let other =
            !candidate.suits(self.v4) && (self.answered || (self.exists && candidate.is_stopgap()));
        candidate.rejection.or_else(|| other.then_some(Rejection::OtherFamily))
    }
}

/// Whether the address is valid on one link only (RFC 3927, RFC 4291 § 2.5.6).
pub(crate) const fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}
