//! The walk from the right, in either header family.

use crate::address::{Node, NotAnAddress, port_number};
use crate::audit::{Audit, AuditFlag};
use crate::contract::Contract;
use crate::headers::{Field, Headers, Seen};
use crate::host::Host;
use crate::list::{Elements, unquoted};
use crate::rfc7239::Element;
use crate::rules::Rules;
use crate::scheme::Scheme;

use super::Resolved;

/// The longest prefix of a path that is taken from a proxy.
const MAX_PREFIX: usize = 256;

/// The known proxy from which the walk starts.
#[derive(Clone, Copy)]
pub(super) struct Start {
    /// `None` for the peer itself.
    pub(super) at: Option<Node>,
    pub(super) hops: u8,
    pub(super) contract: Contract,
}

impl Start {
    pub(super) const fn at_peer(contract: Contract) -> Self {
        Self { at: None, hops: 0, contract }
    }
}

/// Why the walk went no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// It came to somebody who is no known proxy.
    Client,
    Missing,
    Malformed,
    Unknown,
    OnlyProxies,
    Conflict,
}

impl From<NotAnAddress> for Stop {
    fn from(problem: NotAnAddress) -> Self {
        match problem {
            NotAnAddress::Unknown => Self::Unknown,
            NotAnAddress::Malformed => Self::Malformed,
        }
    }
}

/// Where the walk stopped, and what the proxies said on the way.
#[derive(Clone, Copy)]
pub(super) struct Answer<'h> {
    /// The last address walked to; `None` for the peer itself.
    pub(super) at: Option<Node>,
    pub(super) hops: u8,
    pub(super) stop: Stop,
    pub(super) origin: Origin<'h>,
    pub(super) audit: Audit,
}

/// What the proxies said about the request.
#[derive(Clone, Copy, Default)]
pub(super) struct Origin<'h> {
    pub(super) scheme: Option<Scheme>,
    pub(super) host: Option<Host<'h>>,
    pub(super) port: Option<u16>,
    pub(super) prefix: Option<&'h str>,
}

impl<'h> Answer<'h> {
    pub(super) fn at(at: Option<Node>, hops: u8, stop: Stop) -> Self {
        Self { at, hops, stop, origin: Origin::default(), audit: Audit::default() }
    }

    /// This answer if the other family gives the same; else nobody but the start.
    ///
    /// What only one of them says about scheme or host must be what holds anyway: a client that
    /// adds the other family must gain nothing by it.
    pub(super) fn agreed(mut self, other: Self, start: Start, own: &Resolved<'h>) -> Self {
        let (scheme, host) = (own.scheme, own.host);
        let same_client =
            self.stop == other.stop && self.at.map(|node| node.ip) == other.at.map(|node| node.ip);
        let same_scheme =
            self.origin.scheme.unwrap_or(scheme) == other.origin.scheme.unwrap_or(scheme);
        let same_host = self.origin.host.or(host) == other.origin.host.or(host);
        self.audit.extend(other.audit);
        if same_client && same_scheme && same_host {
            return self;
        }
        self.audit.insert(AuditFlag::Conflict);
        Self { audit: self.audit, ..Self::at(start.at, start.hops, Stop::Conflict) }
    }
}

/// One family's hops from the right.
trait Hops<'h> {
    /// The next hop as this proxy tells it, or why it tells none. What the proxy says about the
    /// request is put into `origin` only if it tells a hop.
    fn next(
        &mut self,
        contract: Contract,
        origin: &mut Origin<'h>,
        audit: &mut Audit,
    ) -> Result<Node, Stop>;

    /// Whether entries are left.
    fn has_more(&self) -> bool;
}

/// Walks while each address is a known proxy.
fn walk<'h>(rules: &Rules, start: Start, hops: &mut impl Hops<'h>) -> Answer<'h> {
    let Start { at, hops: walked, mut contract } = start;
    let mut answer = Answer::at(at, walked, Stop::Missing);
    while answer.hops < rules.limit.get() {
        match hops.next(contract, &mut answer.origin, &mut answer.audit) {
            Err(Stop::Missing) if answer.hops > 0 => {
                answer.stop = Stop::OnlyProxies;
                return answer;
            }
            Err(stop) => {
                answer.stop = stop;
                answer.audit.insert(match stop {
                    Stop::Missing => AuditFlag::MissingClient,
                    Stop::Unknown => AuditFlag::UnknownClient,
                    _ => AuditFlag::MalformedEntry,
                });
                return answer;
            }
            Ok(node) => {
                answer.at = Some(node);
                answer.hops += 1;
                match rules.proxies.contract(node.ip) {
                    Some(next) => contract = next,
                    None => {
                        answer.stop = Stop::Client;
                        let more = hops.has_more();
                        answer.audit.insert_if(more, AuditFlag::EntriesLeftOfClient);
                        return answer;
                    }
                }
            }
        }
    }
    answer.stop = Stop::OnlyProxies;
    answer.audit.insert_if(hops.has_more(), AuditFlag::HopLimit);
    answer
}

pub(super) fn x_forwarded<'h, H: Headers + ?Sized>(
    rules: &Rules,
    start: Start,
    seen: &Seen<'h>,
    headers: &'h H,
) -> Answer<'h> {
    let mut hops = XForwarded {
        rules,
        headers,
        nodes: seen.elements(Field::For),
        protos: seen.elements(Field::Proto),
        hosts: seen.elements(Field::ForwardedHost),
        ports: seen.elements(Field::Port),
        prefixes: seen.elements(Field::Prefix),
        first: true,
    };
    walk(rules, start, &mut hops)
}

/// The lists of `X-Forwarded-*`. Each proxy takes its own element off the right end of the lists
/// that its contract says it sets, so that scheme and host stay paired with their hop even where
/// one proxy of a chain sets fewer headers than another.
struct XForwarded<'r, 'h, H: ?Sized> {
    rules: &'r Rules,
    headers: &'h H,
    nodes: Elements<'h>,
    protos: Elements<'h>,
    hosts: Elements<'h>,
    ports: Elements<'h>,
    prefixes: Elements<'h>,
    first: bool,
}

impl<'h, H: Headers + ?Sized> XForwarded<'_, 'h, H> {
    fn apply(&mut self, contract: Contract, origin: &mut Origin<'h>, audit: &mut Audit) {
        if contract.sets(Contract::PROTO)
            && let Some(text) = self.protos.next(self.headers)
        {
            origin.take_scheme(unquoted(text), audit);
        }
        if contract.sets(Contract::HOST)
            && let Some(text) = self.hosts.next(self.headers)
        {
            origin.take_host(unquoted(text), self.rules, audit);
        }
        if contract.sets(Contract::PORT)
            && let Some(text) = self.ports.next(self.headers)
        {
            origin.port = port_number(text).filter(|port| *port != 0).or(origin.port);
        }
        if contract.sets(Contract::PREFIX)
            && let Some(text) = self.prefixes.next(self.headers)
        {
            origin.prefix = prefix(text).or(origin.prefix);
        }
    }
}

impl<'h, H: Headers + ?Sized> Hops<'h> for XForwarded<'_, 'h, H> {
    #[inline]
    fn next(
        &mut self,
        contract: Contract,
        origin: &mut Origin<'h>,
        audit: &mut Audit,
    ) -> Result<Node, Stop> {
        let first = std::mem::take(&mut self.first);
        let element = contract.sets(Contract::FOR).then(|| self.nodes.next(self.headers));
        let Some(element) = element.flatten() else {
            // Without any X-Forwarded-For the rightmost values are still the peer's own.
            if first {
                self.apply(contract, origin, audit);
            }
            return Err(Stop::Missing);
        };
        let node = Node::parse(unquoted(element))?;
        self.apply(contract, origin, audit);
        Ok(node)
    }

    fn has_more(&self) -> bool {
        self.nodes.has_more(self.headers)
    }
}

pub(super) fn forwarded<'h, H: Headers + ?Sized>(
    rules: &Rules,
    start: Start,
    seen: &Seen<'h>,
    headers: &'h H,
) -> Answer<'h> {
    let mut hops = Rfc7239 { rules, headers, elements: seen.elements(Field::Forwarded) };
    walk(rules, start, &mut hops)
}

/// The elements of `Forwarded`, which pair by themselves.
struct Rfc7239<'r, 'h, H: ?Sized> {
    rules: &'r Rules,
    headers: &'h H,
    elements: Elements<'h>,
}

impl<'h, H: Headers + ?Sized> Hops<'h> for Rfc7239<'_, 'h, H> {
    fn next(
        &mut self,
        contract: Contract,
        origin: &mut Origin<'h>,
        audit: &mut Audit,
    ) -> Result<Node, Stop> {
        let element = contract.sets(Contract::FOR).then(|| self.elements.next(self.headers));
        let element = element.flatten().ok_or(Stop::Missing)?;
        let element = Element::parse(element).ok_or(Stop::Malformed)?;
        let node = element.node.ok_or(Stop::Unknown)?;
        let node = node.read(Node::parse_forwarded).ok_or(Stop::Malformed)??;
        if contract.sets(Contract::PROTO)
            && let Some(proto) = element.proto
        {
            proto.read(|text| origin.take_scheme(text, audit));
        }
        if contract.sets(Contract::HOST)
            && let Some(host) = element.host
        {
            origin.take_host(host.raw(), self.rules, audit);
        }
        Ok(node)
    }

    fn has_more(&self) -> bool {
        self.elements.has_more(self.headers)
    }
}

impl<'h> Origin<'h> {
    fn take_scheme(&mut self, text: &[u8], audit: &mut Audit) {
        let scheme = Scheme::parse(text);
        audit.insert_if(scheme.is_none(), AuditFlag::InvalidScheme);
        self.scheme = scheme.or(self.scheme);
    }

    fn take_host(&mut self, text: &'h [u8], rules: &Rules, audit: &mut Audit) {
        let Some(host) = Host::parse(text) else {
            audit.insert(AuditFlag::InvalidHost);
            return;
        };
        if rules.allowed_hosts.allows(host) {
            self.host = Some(host);
        } else {
            audit.insert(AuditFlag::HostNotAllowed);
        }
    }
}

/// Reads a path prefix: segments of letters, digits, `-`, `.`, `_`, `~` and escapes, each after a
/// `/`, no dot segment; a `/` at the end is dropped. `None` also for `/`, which cuts nothing off.
fn prefix(text: &[u8]) -> Option<&str> {
    let text = text.strip_suffix(b"/").unwrap_or(text);
    let segments = text.strip_prefix(b"/")?;
    let is_byte = |byte: &u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'%')
    };
    let is_segment =
        |segment: &[u8]| !matches!(segment, b"" | b"." | b"..") && segment.iter().all(is_byte);
    let valid = text.len() <= MAX_PREFIX && segments.split(|byte| *byte == b'/').all(is_segment);
    valid.then(|| std::str::from_utf8(text).ok())?
}
