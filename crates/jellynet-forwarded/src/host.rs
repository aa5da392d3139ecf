//! The host that a client asked for, and which hosts may be asked for.

use std::fmt;
use std::str;

use crate::address::{port_number, v4, v6};

/// The longest name that DNS allows, in text (RFC 1035 § 2.3.4).
const MAX_NAME: usize = 253;

/// A host with an optional port, fit to be put in a URL: a name of letters, digits, `-`, `.` and
/// `_`, an IPv4 address, or an IPv6 address in brackets.
///
/// Stricter than RFC 3986: no escapes, no user, no other delimiter, no empty label, no zone. What
/// is not in here can not get from a header into a redirect or a page.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Host<'h> {
    name: &'h str,
    port: Option<u16>,
}

impl<'h> Host<'h> {
    /// Reads `host` or `host:port`; `None` if it is no such thing.
    #[must_use]
    pub fn parse(text: &'h [u8]) -> Option<Self> {
        let (name, after) = text.split_at_checked(name_length(text)?)?;
        let port = match after {
            [] => None,
            [b':', port @ ..] => Some(port_number(port).filter(|port| *port != 0)?),
            _ => return None,
        };
        let name = str::from_utf8(name).ok()?;
        Some(Self { name, port })
    }

    /// The name or address without the port; an IPv6 address has its brackets.
    #[must_use]
    pub const fn name(self) -> &'h str {
        self.name
    }

    /// The port, where one was named.
    #[must_use]
    pub const fn port(self) -> Option<u16> {
        self.port
    }

    /// The same host with another port; a port that the scheme implies is left out.
    pub(crate) fn with_port(self, port: u16, implied: u16) -> Self {
        Self { name: self.name, port: Some(port).filter(|port| *port != implied) }
    }
}

impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Host<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// How many bytes at the start are a name or an address.
fn name_length(text: &[u8]) -> Option<usize> {
    if let Some(bracketed) = text.strip_prefix(b"[") {
        let end = bracketed.iter().position(|byte| *byte == b']')?;
        v6(bracketed.get(..end)?)?;
        return Some(end + 2);
    }
    let end = text.iter().position(|byte| *byte == b':');
    let name = text.get(..end.unwrap_or(text.len()))?;
    is_name(name).then_some(name.len())
}

/// Whether it is a host name or a dotted quad; one dot at the end is the root.
pub(crate) fn is_name(name: &[u8]) -> bool {
    let name = name.strip_suffix(b".").unwrap_or(name);
    if name.is_empty() || name.len() > MAX_NAME {
        return false;
    }
    let mut label = 0usize;
    for byte in name {
        match byte {
            b'.' if label == 0 => return false,
            b'.' => label = 0,
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => label += 1,
            _ => return false,
        }
    }
    label > 0
}

/// The hosts that a proxy may name; without entries, every valid one.
///
/// | entry | allows |
/// | --- | --- |
/// | `tv.example` | this name, on any port |
/// | `*.example` | every name below it, not `example` itself |
/// | `192.0.2.1`, `[2001:db8::1]` | this address, on any port |
///
/// Letter case and a dot at the end do not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedHosts {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    Exact(String),
    Below(String),
}

/// Every entry of an allow list of hosts that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseAllowedHostsError {
    bad: Vec<(usize, String)>,
}

impl AllowedHosts {
    /// Allows every valid host.
    pub const ANY: Self = Self { entries: Vec::new() };

    /// Reads the entries; the [type's table](Self) says what an entry may be.
    ///
    /// # Errors
    ///
    /// [`ParseAllowedHostsError`] names every bad entry with its index.
    pub fn parse(
        entries: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<Self, ParseAllowedHostsError> {
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        for (index, text) in entries.into_iter().enumerate() {
            match Entry::parse(text.as_ref().trim()) {
                Some(entry) => good.push(entry),
                None => bad.push((index, text.as_ref().to_owned())),
            }
        }
        if bad.is_empty() {
            Ok(Self { entries: good })
        } else {
            Err(ParseAllowedHostsError { bad })
        }
    }

    /// Whether this host may be asked for; the port does not matter. Allocates nothing.
    #[must_use]
    pub fn allows(&self, host: Host<'_>) -> bool {
        self.entries.is_empty() || self.entries.iter().any(|entry| entry.allows(host.name))
    }
}

impl Entry {
    fn parse(text: &str) -> Option<Self> {
        let (below, name) = match text.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, text),
        };
        let host = Host::parse(name.as_bytes()).filter(|host| host.port().is_none())?;
        let is_address = host.name().starts_with('[') || v4(host.name().as_bytes()).is_some();
        let name = without_root(host.name()).to_owned();
        match (below, is_address) {
            (true, true) => None,
            (true, false) => Some(Self::Below(name)),
            (false, _) => Some(Self::Exact(name)),
        }
    }

    fn allows(&self, name: &str) -> bool {
        let name = without_root(name);
        match self {
            Self::Exact(exact) => name.eq_ignore_ascii_case(exact),
            Self::Below(parent) => name
                .len()
                .checked_sub(parent.len())
                .and_then(|at| name.split_at_checked(at))
                .is_some_and(|(label, end)| {
                    label.len() > 1 && label.ends_with('.') && end.eq_ignore_ascii_case(parent)
                }),
        }
    }
}

fn without_root(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

impl ParseAllowedHostsError {
    /// The index and the text of each bad entry; at least one.
    #[must_use]
    pub fn bad(&self) -> impl ExactSizeIterator<Item = (usize, &str)> {
        self.bad.iter().map(|(index, text)| (*index, text.as_str()))
    }
}

impl fmt::Display for ParseAllowedHostsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (index, text) in &self.bad {
            write!(
                f,
                "{separator}entry [{index}] {text:?}: not a host name, an address or `*.` and a name"
            )?;
            separator = "; ";
        }
        Ok(())
    }
}

impl std::error::Error for ParseAllowedHostsError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_fit_for_a_url_is_a_host() {
        for (text, expected, why) in [
            ("tv.lan", Some(("tv.lan", None)), "a name"),
            ("tv.lan:8096", Some(("tv.lan", Some(8096))), "with a port"),
            ("TV_1-a.lan.", Some(("TV_1-a.lan.", None)), "case is kept"),
            ("192.0.2.1:81", Some(("192.0.2.1", Some(81))), "IPv4"),
            ("[2001:db8::1]:81", Some(("[2001:db8::1]", Some(81))), "IPv6"),
            ("", None, "empty"),
            (":80", None, "a port alone"),
            ("a:", None, "an empty port"),
            ("a:0", None, "port 0"),
            ("a:+80", None, "a signed port"),
            ("a:65536", None, "a port out of range"),
            ("a:80:80", None, "two ports"),
            ("a/b", None, "a path"),
            ("a\\b", None, "a path for browsers"),
            ("a?b", None, "a query"),
            ("a#b", None, "a fragment"),
            ("user@a", None, "a user"),
            ("a%2eb", None, "an escape"),
            ("a b", None, "a blank"),
            ("a\r\nb", None, "a line end"),
            ("a<b>", None, "markup"),
            ("a,b", None, "a list"),
            ("a..b", None, "an empty label"),
            (".a", None, "an empty first label"),
            (".", None, "the root"),
            ("2001:db8::1", None, "IPv6 without brackets"),
            ("[fe80::1%25eth0]", None, "a zone"),
            ("[::1", None, "no closing bracket"),
            ("[x]", None, "no address in the brackets"),
            ("[::1]x", None, "more after the bracket"),
            ("b\u{fc}cher", None, "not ASCII"),
        ] {
            let found = Host::parse(text.as_bytes());
            let found = found.map(|host| (host.name(), host.port()));
            assert_eq!(found, expected, "{why}");
        }
        let long = "a.".repeat(127) + "aa";
        assert_eq!(Host::parse(long.as_bytes()), None, "254 bytes");
    }

    #[test]
    fn a_star_stands_for_what_is_below() {
        let allowed = AllowedHosts::parse(["tv.example", " *.Home.example", "[::1]"]).unwrap();
        for (host, expected, why) in [
            ("tv.example", true, "exact"),
            ("TV.example.:8096", true, "case, the root and the port"),
            ("a.home.example", true, "below"),
            ("a.b.home.example", true, "two below"),
            ("home.example", false, "not the parent itself"),
            ("evilhome.example", false, "no label of its own"),
            ("x.tv.example", false, "exact means exact"),
            ("tv.example.evil", false, "the name goes on"),
            ("[::1]:8096", true, "an address"),
            ("[::2]", false, "another address"),
        ] {
            let host = Host::parse(host.as_bytes()).unwrap();
            assert_eq!(allowed.allows(host), expected, "{why}");
        }
        assert!(AllowedHosts::ANY.allows(Host::parse(b"evil.example").unwrap()));
    }

    #[test]
    fn every_bad_entry_is_named() {
        let error = AllowedHosts::parse(["ok", "a:80", "*", "*.1.2.3.4", ""]).unwrap_err();
        let indexes: Vec<_> = error.bad().map(|(index, _)| index).collect();
        assert_eq!(indexes, [1, 2, 3, 4]);
        assert!(error.to_string().starts_with("entry [1] \"a:80\": not a host"));
    }
}
