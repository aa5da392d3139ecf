//! Who would this be, may it in, where does the path go, which URL is it told, and why: the
//! functions that requests run, run for one that is described.

mod lines;

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use jellynet_base_url::{DefaultPath, RequestClass, Route};
use jellynet_forwarded::{Connection, Resolved, Scheme};
use jellynet_netif::{ClientAddr, InterfaceTable, PeerAddr, Provenance};
use jellynet_published::Ask;
use serde::Serialize;

use crate::config::{Config, Site};
use crate::routing::{Asked, Chosen, Routing};
use crate::stack::{policy, rules_with};
use crate::{names, reach};

/// A request that is described.
#[derive(Clone, Debug)]
pub struct Question {
    /// Who connects; the port does not matter.
    pub peer: SocketAddr,
    /// Whether the connection is TLS.
    pub tls: bool,
    /// The method.
    pub method: Method,
    /// Path and query, as in the request line.
    pub target: String,
    /// The headers, in their order.
    pub headers: HeaderMap,
    /// What host names among the known proxies resolve to. Those that are not here are asked for,
    /// for two seconds at most; a name that does not resolve is no proxy.
    pub names: HashMap<String, Vec<IpAddr>>,
}

impl Question {
    /// A `GET /` from this peer, without TLS and headers.
    #[must_use]
    pub fn new(peer: SocketAddr) -> Self {
        Self {
            peer,
            tls: false,
            method: Method::GET,
            target: "/".to_owned(),
            headers: HeaderMap::new(),
            names: HashMap::new(),
        }
    }

    /// The same from an address as text; a link-local one may have a zone, the name or the index
    /// of one of these interfaces: `fe80::1%eth0`.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub fn of(peer: &str, interfaces: &InterfaceTable) -> Result<Self, String> {
        let (address, zone) =
            peer.split_once('%').map_or((peer, None), |(address, zone)| (address, Some(zone)));
        let bad = || format!("{peer:?} is no address: write 192.168.1.20 or fe80::1%eth0");
        let ip: IpAddr = address.parse().map_err(|_| bad())?;
        let Some(zone) = zone else {
            return Ok(Self::new(SocketAddr::new(ip, 0)));
        };
        let IpAddr::V6(v6) = ip else { return Err(bad()) };
        let by_index = || interfaces.by_index(zone.parse().ok()?);
        let interface = interfaces.by_name(zone).or_else(by_index);
        let interface = interface.ok_or_else(|| format!("{peer:?}: no interface is {zone:?}"))?;
        Ok(Self::new(SocketAddrV6::new(v6, 0, 0, interface.index).into()))
    }

    /// Adds a header line.
    ///
    /// # Errors
    ///
    /// What is wrong with its name or value, in words.
    pub fn add_header(&mut self, name: &str, value: &str) -> Result<(), String> {
        let bad = |what: &str| format!("the header {name:?} has a {what} that no header can have");
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad("name"))?;
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| bad("value"))?;
        self.headers.append(header, value);
        Ok(())
    }
}

/// What would become of a request; serialises to one JSON object.
#[derive(Clone, Debug, Serialize)]
pub struct Explain {
    client: Option<String>,
    client_port: Option<u16>,
    scheme: &'static str,
    host: Option<String>,
    provenance: &'static str,
    provenance_reason: Option<&'static str>,
    hops: u8,
    audit: Vec<&'static str>,
    local: bool,
    access: AccessAnswer,
    /// The upstream that is meant, by its name, or none of those that there are; left out where
    /// there are none at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream: Option<Meant>,
    base_url: BaseUrlAnswer,
    published: Option<PublishedAnswer>,
}

/// A name, or `null`.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
enum Meant {
    Upstream(String),
    NoneOfThem,
}

impl Meant {
    fn of(site: Option<&Site>) -> Self {
        site.map_or(Self::NoneOfThem, |site| Self::Upstream(site.name.clone()))
    }
}

#[derive(Clone, Debug, Serialize)]
struct AccessAnswer {
    allowed: bool,
    reason: &'static str,
}

#[derive(Clone, Debug, Serialize)]
struct BaseUrlAnswer {
    action: &'static str,
    inner: Option<String>,
    status: Option<u16>,
    location: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
struct PublishedAnswer {
    url: String,
    because: String,
}

impl Explain {
    /// Asks this configuration on these interfaces. As for a gateway with an upstream, the base
    /// URL's default path is `web/`.
    #[must_use]
    pub fn new(config: &Config, interfaces: &InterfaceTable, question: &Question) -> Self {
        let peer = PeerAddr::inet(question.peer);
        let scheme = if question.tls { Scheme::Https } else { Scheme::Http };
        let connection = Connection::from_peer(peer).with_scheme(scheme);
        let rules = rules_with(&config.proxies, &names(config, question));
        let resolved = rules.resolve(&connection, &question.headers);
        let decision = policy(&config.access, interfaces).decide(resolved.client, Some(peer));
        let host = resolved.host.map(|host| host.to_string());
        let (site, base_url) = route(config, question, host.as_deref());
        Self {
            client: resolved.client.map(|client| client.ip.to_string()),
            client_port: resolved.client.and_then(|client| client.port).filter(|port| *port != 0),
            scheme: resolved.scheme.as_str(),
            host,
            provenance: provenance(resolved.client),
            provenance_reason: reason(resolved.client),
            hops: resolved.hops,
            audit: resolved.audit.iter().map(|flag| flag.as_str()).collect(),
            local: decision.local,
            access: AccessAnswer { allowed: decision.allowed, reason: decision.reason.as_str() },
            upstream: config.has_upstream().then(|| Meant::of(site)),
            base_url,
            published: site
                .and_then(|site| published(config, site, interfaces, question, &resolved)),
        }
    }
}

impl fmt::Display for Explain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let client = self.client.as_deref().unwrap_or("nobody knows");
        write!(f, "client     {client} ({}", self.provenance)?;
        if let Some(reason) = self.provenance_reason {
            write!(f, ": {reason}")?;
        }
        writeln!(f, ", {} hops)", self.hops)?;
        writeln!(f, "asked for  {}://{}", self.scheme, self.host.as_deref().unwrap_or("no host"))?;
        for flag in &self.audit {
            writeln!(f, "audit      {flag}")?;
        }
        let verdict = if self.access.allowed { "comes in" } else { "is refused" };
        let side = if self.local { "local" } else { "remote" };
        writeln!(f, "access     {verdict}, {side} ({})", self.access.reason)?;
        let base = &self.base_url;
        if let Some(Meant::Upstream(upstream)) = &self.upstream {
            writeln!(f, "upstream   {upstream}")?;
        }
        let status = base.status.unwrap_or(404).to_string();
        let to = base.inner.as_deref().or(base.location.as_deref()).unwrap_or(&status);
        writeln!(f, "path       {}: {to}", base.action)?;
        match &self.published {
            Some(published) => writeln!(f, "told       {}: {}", published.url, published.because),
            None => writeln!(
                f,
                "told       nothing: no address of this server can be reached from there"
            ),
        }
    }
}

/// What the host names among the proxies resolve to.
fn names(config: &Config, question: &Question) -> names::Resolved {
    let unknown = config.proxies.known.host_names();
    let mut all = names::resolve(unknown.filter(|name| !question.names.contains_key(*name)));
    all.extend(question.names.clone());
    all
}

fn provenance(client: Option<ClientAddr>) -> &'static str {
    match client.map(|client| client.provenance) {
        Some(Provenance::Forwarded { .. }) => "forwarded",
        Some(Provenance::ProxyOnly { .. }) => "proxy-only",
        _ => "direct",
    }
}

fn reason(client: Option<ClientAddr>) -> Option<&'static str> {
    match client?.provenance {
        Provenance::ProxyOnly { reason } => Some(reason.as_str()),
        _ => None,
    }
}

/// Path and query of a target in absolute form (RFC 9112 § 3.2.2); any other as it is.
fn origin_form(target: &str) -> &str {
    let Some((_, rest)) = target.split_once("://").filter(|_| !target.starts_with('/')) else {
        return target;
    };
    rest.find(['/', '?']).and_then(|at| rest.get(at..)).unwrap_or("/")
}

/// The site that is meant, and where in it the request goes.
fn route<'c>(
    config: &'c Config,
    question: &Question,
    host: Option<&str>,
) -> (Option<&'c Site>, BaseUrlAnswer) {
    let routing = Routing::new(&config.sites, &config.base_url, &DefaultPath::default());
    let class = RequestClass::of(&question.method, &question.headers);
    let prefix = question.headers.get("x-forwarded-prefix").and_then(|value| value.to_str().ok());
    let target = origin_form(&question.target);
    let here = |action, status| BaseUrlAnswer {
        action,
        inner: None,
        status: Some(status),
        location: None,
    };
    let site = match routing.choose(&Asked { host, target, prefix }) {
        Chosen::Site(site) => site,
        Chosen::NoHost => return (None, here("not-found", 421)),
        Chosen::NoPath if class == RequestClass::Navigation && is_root(target) => {
            return (None, here("list", 200));
        }
        Chosen::NoPath => return (None, here("not-found", 404)),
    };
    let Some((site, router)) = config.sites.get(site).zip(routing.routers().get(site)) else {
        return (None, here("not-found", 404));
    };
    let route = match prefix {
        Some(prefix) => router.route_stripped(class, target, prefix),
        None => router.route(class, target),
    };
    let (action, inner, status, location) = match route {
        Route::Pass { inner } => ("pass", Some(inner.into_owned()), None, None),
        Route::Redirect { status, location } => ("redirect", None, Some(status), Some(location)),
        Route::NotFound => ("not-found", None, Some(404), None),
    };
    (Some(site), BaseUrlAnswer { action, inner, status, location })
}

fn is_root(target: &str) -> bool {
    matches!(target.split(['?', '#']).next(), Some("" | "/"))
}

fn published(
    config: &Config,
    site: &Site,
    interfaces: &InterfaceTable,
    question: &Question,
    resolved: &Resolved<'_>,
) -> Option<PublishedAnswer> {
    let client = resolved.client?;
    let uri = resolved.host.and_then(|host| {
        let uri = Uri::builder().scheme(resolved.scheme.as_str()).authority(host.to_string());
        uri.path_and_query("/").build().ok()
    });
    // The zone is the peer's; a client that a proxy names has none.
    let zone = match question.peer {
        SocketAddr::V6(peer) if peer.scope_id() != 0 && *peer.ip() == client.ip => peer.scope_id(),
        _ => 0,
    };
    let ask = if zone == 0 { Ask::new(client.ip) } else { Ask::new(client.ip).came_by(zone) };
    let ask = match &uri {
        Some(uri) => ask.request(uri),
        None => ask,
    };
    let listeners = reach::planned(&config.http.listen, &config.https.listen, interfaces);
    let announced = site.published.for_peer(&ask, interfaces, &listeners)?;
    Some(PublishedAnswer { url: announced.url, because: announced.because.to_string() })
}
