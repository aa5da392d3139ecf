//! Where the header lines come from, and which of them matter.

use std::net::IpAddr;

use crate::address::Node;
use crate::list::{Elements, trim};

/// The headers of a request, however they are kept.
///
/// Implemented for slices of name and value and, with the feature `http`, for `http::HeaderMap`.
pub trait Headers {
    /// Calls `each` with the name and the value of every line; lines of one name come in the
    /// order in which they arrived.
    fn visit<'h>(&'h self, each: impl FnMut(&'h [u8], &'h [u8]));

    /// The values of the lines of one name, from the last to the first.
    fn lines(&self, field: Field) -> impl Iterator<Item = &[u8]>;
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> Headers for [(N, V)] {
    fn visit<'h>(&'h self, mut each: impl FnMut(&'h [u8], &'h [u8])) {
        for (name, value) in self {
            each(name.as_ref(), value.as_ref());
        }
    }

    fn lines(&self, field: Field) -> impl Iterator<Item = &[u8]> {
        self.iter()
            .rev()
            .filter(move |(name, _)| name.as_ref().eq_ignore_ascii_case(field.name().as_bytes()))
            .map(|(_, value)| value.as_ref())
    }
}

#[cfg(feature = "http")]
impl Headers for http::HeaderMap {
    fn visit<'h>(&'h self, mut each: impl FnMut(&'h [u8], &'h [u8])) {
        for (name, value) in self {
            each(name.as_str().as_bytes(), value.as_bytes());
        }
    }

    fn lines(&self, field: Field) -> impl Iterator<Item = &[u8]> {
        let lines = self.get_all(field.name()).iter().rev();
        lines.map(http::HeaderValue::as_bytes)
    }
}

/// A header whose values are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Field {
    /// `X-Forwarded-For`.
    For,
    /// `X-Forwarded-Proto`.
    Proto,
    /// `X-Forwarded-Host`.
    ForwardedHost,
    /// `X-Forwarded-Port`.
    Port,
    /// `X-Forwarded-Prefix`.
    Prefix,
    /// `Forwarded` (RFC 7239).
    Forwarded,
    /// `Host`.
    Host,
}

impl Field {
    const COUNT: usize = 7;

    /// The name in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::For => "x-forwarded-for",
            Self::Proto => "x-forwarded-proto",
            Self::ForwardedHost => "x-forwarded-host",
            Self::Port => "x-forwarded-port",
            Self::Prefix => "x-forwarded-prefix",
            Self::Forwarded => "forwarded",
            Self::Host => "host",
        }
    }
}

/// What a header name is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Read(Field),
    /// A header of one proxy or another that names the client, such as `X-Real-IP`.
    Alias,
    /// Any other header that tells about a proxied request.
    Related,
    /// A forwarding header written with `_`, which programs that map names to variables mistake
    /// for the real one.
    Underscored,
    Connection,
    Other,
}

/// The forwarding headers that are not read, in lower case.
const RELATED: [&[u8]; 7] = [
    b"x-forwarded",
    b"x-forwarded-by",
    b"x-forwarded-server",
    b"x-forwarded-ssl",
    b"x-forwarded-scheme",
    b"x-forwarded-protocol",
    b"x-forwarded-uri",
];

const ALIASES: [&[u8]; 7] = [
    b"x-real-ip",
    b"x-client-ip",
    b"true-client-ip",
    b"cf-connecting-ip",
    b"fastly-client-ip",
    b"x-cluster-client-ip",
    b"x-original-forwarded-for",
];

impl Name {
    /// Tells a name by its first letter and its length: nearly every header of nearly every
    /// request is told from ours by these alone.
    #[inline]
    pub(crate) fn of(name: &[u8]) -> Self {
        let Some(first) = name.first() else {
            return Self::Other;
        };
        match (first | 0x20, name.len()) {
            (b'x', 9..=24) => Self::x(name),
            (b'h', 4) => Self::read(name, Field::Host),
            (b'f', 9) => Self::read(name, Field::Forwarded),
            (b'c', 10) if name.eq_ignore_ascii_case(b"connection") => Self::Connection,
            (b'c' | b'f', 16) | (b't', 14) => Self::rare(name),
            _ => Self::Other,
        }
    }

    fn x(name: &[u8]) -> Self {
        // The letter after `x-forwarded-`.
        let letter = name.get(12).map(|letter| letter | 0x20);
        match (letter, name.len()) {
            (Some(b'f'), 15) => Self::read(name, Field::For),
            (Some(b'p'), 17) => Self::read(name, Field::Proto),
            (Some(b'h'), 16) => Self::read(name, Field::ForwardedHost),
            (Some(b'p'), 16) => Self::read(name, Field::Port),
            (Some(b'p'), 18) => Self::read(name, Field::Prefix),
            _ => Self::rare(name),
        }
    }

    #[inline]
    fn read(name: &[u8], field: Field) -> Self {
        let expected = field.name().as_bytes();
        // `http` has names in lower case.
        if name == expected || name.eq_ignore_ascii_case(expected) {
            Self::Read(field)
        } else if same(name, expected) {
            Self::Underscored
        } else {
            Self::rare(name)
        }
    }

    fn rare(name: &[u8]) -> Self {
        let kind = if ALIASES.iter().any(|alias| same(name, alias)) {
            Self::Alias
        } else if RELATED.iter().any(|related| same(name, related)) {
            Self::Related
        } else {
            return Self::Other;
        };
        if name.contains(&b'_') { Self::Underscored } else { kind }
    }

    /// Whether the name is of a header that only a proxy should send.
    #[cfg(any(feature = "tower", test))]
    pub(crate) const fn is_forwarding(self) -> bool {
        match self {
            Self::Read(field) => !matches!(field, Field::Host),
            Self::Alias | Self::Related | Self::Underscored => true,
            Self::Connection | Self::Other => false,
        }
    }
}

/// Compares without letter case, and takes `_` for `-`.
fn same(name: &[u8], expected: &[u8]) -> bool {
    name.len() == expected.len()
        && name.iter().zip(expected).all(|(byte, expected)| {
            byte.to_ascii_lowercase() == *expected || (*byte == b'_' && *expected == b'-')
        })
}

/// What one pass over all headers saw.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen<'h> {
    fields: [Sighting<'h>; Field::COUNT],
    pub(crate) alias: bool,
    pub(crate) related: bool,
    pub(crate) underscored: bool,
    /// `Connection` asks the next hop to drop a forwarding header (RFC 9110 § 7.6.1).
    pub(crate) nominated: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sighting<'h> {
    last: Option<&'h [u8]>,
    several: bool,
}

impl<'h> Seen<'h> {
    pub(crate) fn scan<H: Headers + ?Sized>(headers: &'h H) -> Self {
        let mut seen = Self::default();
        headers.visit(|name, value| seen.note(Name::of(name), value));
        seen
    }

    #[inline]
    fn note(&mut self, name: Name, value: &'h [u8]) {
        match name {
            Name::Other => {}
            Name::Read(field) => {
                if let Some(sighting) = self.fields.get_mut(field as usize) {
                    sighting.several = sighting.last.replace(value).is_some();
                }
            }
            Name::Alias => self.alias = true,
            Name::Related => self.related = true,
            Name::Underscored => self.underscored = true,
            Name::Connection => self.nominated |= nominates(value),
        }
    }

    fn sighting(&self, field: Field) -> Sighting<'h> {
        self.fields.get(field as usize).copied().unwrap_or_default()
    }

    pub(crate) fn has(&self, field: Field) -> bool {
        self.sighting(field).last.is_some()
    }

    /// The only line of a header; `None` if there are several or none.
    pub(crate) fn only(&self, field: Field) -> Option<&'h [u8]> {
        let sighting = self.sighting(field);
        sighting.last.filter(|_| !sighting.several)
    }

    /// Whether a header of the family `X-Forwarded-*` is there that is read.
    pub(crate) fn has_x_forwarded(&self) -> bool {
        [Field::For, Field::Proto, Field::ForwardedHost].into_iter().any(|field| self.has(field))
    }

    /// Whether any header is there that only a proxy should send.
    pub(crate) fn has_any_forwarding(&self) -> bool {
        let optional = [Field::Forwarded, Field::Port, Field::Prefix];
        self.has_x_forwarded()
            || self.alias
            || self.related
            || self.underscored
            || optional.into_iter().any(|field| self.has(field))
    }

    /// Whether a header such as `X-Real-IP` names somebody else.
    pub(crate) fn alias_differs<H: Headers + ?Sized>(headers: &H, client: Option<IpAddr>) -> bool {
        let mut differs = false;
        headers.visit(|name, value| {
            if Name::of(name) == Name::Alias {
                let named = Node::parse(trim(value)).ok().map(|node| node.ip);
                differs |= named.is_none() || named != client;
            }
        });
        differs
    }

    /// The elements of a header from the right.
    pub(crate) fn elements(&self, field: Field) -> Elements<'h> {
        let sighting = self.sighting(field);
        Elements::new(field, sighting.last, sighting.several)
    }
}

fn nominates(connection: &[u8]) -> bool {
    let mut options = connection.split(|byte| *byte == b',');
    options
        .any(|option| matches!(Name::of(trim(option)), Name::Read(field) if field != Field::Host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart() {
        for (name, expected) in [
            ("X-Forwarded-For", Name::Read(Field::For)),
            ("x-forwarded-proto", Name::Read(Field::Proto)),
            ("X-FORWARDED-HOST", Name::Read(Field::ForwardedHost)),
            ("X-Forwarded-Port", Name::Read(Field::Port)),
            ("X-Forwarded-Prefix", Name::Read(Field::Prefix)),
            ("Forwarded", Name::Read(Field::Forwarded)),
            ("Host", Name::Read(Field::Host)),
            ("X-Real-IP", Name::Alias),
            ("CF-Connecting-IP", Name::Alias),
            ("Fastly-Client-IP", Name::Alias),
            ("True-Client-IP", Name::Alias),
            ("X-Cluster-Client-IP", Name::Alias),
            ("X-Client-IP", Name::Alias),
            ("X-Original-Forwarded-For", Name::Alias),
            ("X-Forwarded", Name::Related),
            ("X-Forwarded-By", Name::Related),
            ("X-Forwarded-Server", Name::Related),
            ("X-Forwarded-Ssl", Name::Related),
            ("X-Forwarded-Uri", Name::Related),
            ("X-Forwarded-Scheme", Name::Related),
            ("X-Forwarded-Protocol", Name::Related),
            ("X_Forwarded_For", Name::Underscored),
            ("x_forwarded-proto", Name::Underscored),
            ("X_Real_IP", Name::Underscored),
            ("Connection", Name::Connection),
            ("Accept-Language", Name::Other),
            ("Accept-Encoding", Name::Other),
            ("Date", Name::Other),
            ("", Name::Other),
        ] {
            assert_eq!(Name::of(name.as_bytes()), expected, "{name}");
        }
    }

    #[test]
    fn several_lines_come_last_to_first() {
        let headers = [("x-forwarded-for", "a"), ("Host", "h"), ("X-Forwarded-For", "b,c")];
        let seen = Seen::scan(headers.as_slice());
        let mut elements = seen.elements(Field::For);
        let elements: Vec<_> = std::iter::from_fn(|| elements.next(headers.as_slice())).collect();
        assert_eq!(elements, [b"c", b"b", b"a"]);
        assert_eq!(seen.only(Field::For), None);
        assert_eq!(seen.only(Field::Host), Some(&b"h"[..]));
    }
}
