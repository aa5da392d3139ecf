//! The URLs that an operator publishes.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use http::uri::{Authority, PathAndQuery};
use thiserror::Error;

use crate::target::scheme;

/// An absolute `http` or `https` URL without query, fragment, user or trailing slash.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PublicUrl {
    https: bool,
    authority: Authority,
    /// Empty, or with a leading and without a trailing slash.
    path: String,
}

/// What is wrong with a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum BadUrl {
    /// No `http://` or `https://` in front.
    #[error("the URL needs http:// or https:// in front")]
    NoScheme,
    /// Another scheme.
    #[error("the scheme is neither http nor https")]
    OtherScheme,
    /// Nothing, or nothing that names a host.
    #[error("the URL names no valid host")]
    Host,
    /// An IPv6 address without brackets (RFC 3986 § 3.2.2).
    #[error("an IPv6 address in a URL needs brackets")]
    NoBrackets,
    /// A port that is not 1 to 65535.
    #[error("the port is not a number from 1 to 65535")]
    Port,
    /// `user@` or `user:password@`.
    #[error("a published URL has no user")]
    User,
    /// `?…`.
    #[error("a published URL has no query")]
    Query,
    /// `#…`.
    #[error("a published URL has no fragment")]
    Fragment,
    /// Characters that a path cannot have.
    #[error("the path has characters that a URL cannot have")]
    Path,
    /// The path does not begin with the base URL, under which alone the server answers.
    #[error("the path does not begin with the base URL")]
    NoBase,
    /// `0.0.0.0` or `::`.
    #[error("the unspecified address reaches nobody")]
    Unspecified,
    /// An IPv6 link-local address, which means another host on every link.
    #[error("a link-local address means nothing without its zone")]
    LinkLocal,
    /// A loopback host, for peers that are elsewhere.
    #[error("a loopback address reaches no other host")]
    Loopback,
}

impl PublicUrl {
    /// Reads a URL whose path has to begin with `base` (normalised); without a path it is `base`.
    pub(crate) fn parse(text: &str, base: &str) -> Result<Self, BadUrl> {
        let (scheme, rest) = text.split_once("://").ok_or(BadUrl::NoScheme)?;
        let https = scheme.eq_ignore_ascii_case("https");
        if !https && !scheme.eq_ignore_ascii_case("http") {
            return Err(BadUrl::OtherScheme);
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end).ok_or(BadUrl::Host)?;
        if path.contains('#') {
            return Err(BadUrl::Fragment);
        }
        if path.contains('?') {
            return Err(BadUrl::Query);
        }
        let authority = parse_authority(authority)?;
        let path = match path.trim_end_matches('/') {
            // Who writes no path means the server, and the server is at its base.
            "" => base,
            path => path,
        };
        if !path.is_empty() {
            path.parse::<PathAndQuery>().map_err(|_| BadUrl::Path)?;
        }
        if !is_below(path, base) {
            return Err(BadUrl::NoBase);
        }
        Ok(Self { https, authority, path: path.to_owned() })
    }

    /// The host as an address; `None` for a name.
    pub(crate) fn ip(&self) -> Option<IpAddr> {
        host_ip(self.authority.host())
    }

    /// Whether the host is this host for everybody who asks.
    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback_host(self.authority.host())
    }

    pub(crate) const fn is_https(&self) -> bool {
        self.https
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", scheme(self.https), self.authority, self.path)
    }
}

/// A base URL with a leading and without a trailing slash; empty for none.
pub(crate) fn normalised_base(base: &str) -> String {
    match base.trim().trim_matches('/') {
        "" => String::new(),
        base => format!("/{base}"),
    }
}

/// What was probably meant by a bad URL; what is returned can be parsed.
pub(crate) fn corrected(text: &str, base: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end)?;
    let path = path.split(['?', '#']).next()?.trim_end_matches('/');
    let (_, authority) = authority.rsplit_once('@').unwrap_or(("", authority));
    let authority = match authority.parse::<Ipv6Addr>() {
        Ok(v6) => format!("[{v6}]"),
        Err(_) => authority.to_owned(),
    };
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "https" | "wss" => "https",
        "" if authority.ends_with(":443") || authority.ends_with(":8920") => "https",
        "" if !names_a_host(&authority) => return None,
        _ => "http",
    };
    // A path that is not below the base becomes the base: nothing else is served.
    let path = if is_below(path, base) { path } else { base };
    let corrected = format!("{scheme}://{authority}{path}");
    PublicUrl::parse(&corrected, base).ok()?;
    Some(corrected)
}

/// Whether a word without a scheme looks like a host: it has a dot, a port or brackets, or is
/// `localhost`.
fn names_a_host(authority: &str) -> bool {
    authority.contains(['.', ':', '[']) || is_localhost(authority)
}

fn parse_authority(text: &str) -> Result<Authority, BadUrl> {
    if text.contains('@') {
        return Err(BadUrl::User);
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Err(BadUrl::NoBrackets);
    }
    let authority: Authority = text.parse().map_err(|_| BadUrl::Host)?;
    let host = authority.host();
    if let Some(port) = text.get(host.len()..).filter(|rest| !rest.is_empty()) {
        let digits = port.strip_prefix(':').ok_or(BadUrl::Host)?;
        let number = digits.bytes().all(|b| b.is_ascii_digit());
        let port = digits.parse::<u16>().ok().filter(|port| *port > 0);
        port.filter(|_| number).ok_or(BadUrl::Port)?;
    }
    match host_ip(host) {
        Some(ip) if ip.is_unspecified() => Err(BadUrl::Unspecified),
        Some(IpAddr::V6(v6)) if v6.is_unicast_link_local() => Err(BadUrl::LinkLocal),
        Some(_) => Ok(authority),
        None if is_name(host) => Ok(authority),
        None => Err(BadUrl::Host),
    }
}

/// The host of a URL as an address.
pub(crate) fn host_ip(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    match bare {
        Some(v6) => v6.parse().ok().map(IpAddr::V6),
        None => host.parse().ok().map(IpAddr::V4),
    }
}

/// Whether a text is the host of a URL: a name, an address, or an IPv6 address in brackets.
pub(crate) fn is_host(text: &str) -> bool {
    host_ip(text).is_some() || is_name(text)
}

/// Whether the host of a URL is this host for everybody who asks.
pub(crate) fn is_loopback_host(host: &str) -> bool {
    host_ip(host).map_or_else(|| is_localhost(host), |ip| ip.is_loopback())
}

/// `localhost` and everything below it (RFC 6761 § 6.3).
fn is_localhost(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}

/// A name of labels from letters, digits, `-` and `_`; one that is all numbers is a broken
/// address.
fn is_name(host: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let mut labels = host.strip_suffix('.').unwrap_or(host).split('.');
    let last_is_number =
        labels.clone().next_back().is_some_and(|label| label.bytes().all(|b| b.is_ascii_digit()));
    host.len() <= 253 && !last_is_number && labels.all(label)
}

/// Whether `path` is `base` or continues it by whole segments.
fn is_below(path: &str, base: &str) -> bool {
    path.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_whole_and_normalised() {
        for (text, base, expected) in [
            ("http://10.0.0.5:8096", "", "http://10.0.0.5:8096"),
            ("HTTPS://Media.Example/", "", "https://Media.Example"),
            ("http://[fd00::1]:8096//", "", "http://[fd00::1]:8096"),
            ("http://media:8096/tv", "", "http://media:8096/tv"),
            ("https://a.example/x/", "/x", "https://a.example/x"),
            ("https://a.example/x/y", "/x", "https://a.example/x/y"),
        ] {
            let url = PublicUrl::parse(text, base).unwrap();
            assert_eq!(url.to_string(), expected, "{text}");
        }
    }

    #[test]
    fn a_url_without_a_path_gets_the_base() {
        for text in ["http://a.example", "http://a.example/"] {
            let url = PublicUrl::parse(text, "/tv").unwrap();
            assert_eq!(url.to_string(), "http://a.example/tv");
        }
    }

    #[test]
    fn a_bad_url_is_named_and_mended() {
        for (text, base, expected, hint) in [
            ("media.example", "", BadUrl::NoScheme, Some("http://media.example")),
            ("media.example:443/", "", BadUrl::NoScheme, Some("https://media.example:443")),
            ("192.168.1.5:8920", "", BadUrl::NoScheme, Some("https://192.168.1.5:8920")),
            ("192.168.1.5", "/tv", BadUrl::NoScheme, Some("http://192.168.1.5/tv")),
            ("media", "", BadUrl::NoScheme, None),
            ("ftp://media.example", "", BadUrl::OtherScheme, Some("http://media.example")),
            ("http://", "", BadUrl::Host, None),
            ("http:///x", "", BadUrl::Host, None),
            ("http://a b", "", BadUrl::Host, None),
            ("http://10.0.0.256", "", BadUrl::Host, None),
            ("http://a..b", "", BadUrl::Host, None),
            ("http://fd00::1", "", BadUrl::NoBrackets, Some("http://[fd00::1]")),
            ("http://a.example:0", "", BadUrl::Port, None),
            ("http://a.example:99999", "", BadUrl::Port, None),
            ("http://a.example:", "", BadUrl::Port, None),
            ("http://me:pw@a.example", "", BadUrl::User, Some("http://a.example")),
            ("http://a.example/?x=1", "", BadUrl::Query, Some("http://a.example")),
            ("http://a.example#web", "", BadUrl::Fragment, Some("http://a.example")),
            ("http://a.example/web#/home", "", BadUrl::Fragment, Some("http://a.example/web")),
            ("http://a.example/a b", "", BadUrl::Path, None),
            ("http://a.example/tvs", "/tv", BadUrl::NoBase, Some("http://a.example/tv")),
            ("http://0.0.0.0:8096", "", BadUrl::Unspecified, None),
            ("http://[::]:8096", "", BadUrl::Unspecified, None),
            ("http://[fe80::1]", "", BadUrl::LinkLocal, None),
        ] {
            assert_eq!(PublicUrl::parse(text, base), Err(expected), "{text}");
            assert_eq!(corrected(text, base).as_deref(), hint, "{text}");
        }
    }

    #[test]
    fn a_base_has_a_leading_slash_and_no_trailing_one() {
        for (given, expected) in [("", ""), ("/", ""), ("tv", "/tv"), (" /tv/x// ", "/tv/x")] {
            assert_eq!(normalised_base(given), expected);
        }
    }
}
