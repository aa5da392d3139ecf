//! The scheme that a client used.

use std::fmt;

/// How the client came: with TLS or without.
///
/// As an extension of a request, it tells [`ForwardedLayer`](crate::ForwardedLayer) the scheme of
/// the connection itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[expect(clippy::exhaustive_enums, reason = "with TLS or without: there is no third")]
pub enum Scheme {
    /// Without TLS.
    #[default]
    Http,
    /// With TLS.
    Https,
}

impl Scheme {
    /// Reads `http`, `https`, `ws` or `wss` in any letter case; a WebSocket scheme becomes the
    /// HTTP scheme that its handshake uses (RFC 6455 § 3).
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let is = |scheme: &[u8]| text.eq_ignore_ascii_case(scheme);
        match text.len() {
            2 if is(b"ws") => Some(Self::Http),
            3 if is(b"wss") => Some(Self::Https),
            4 if is(b"http") => Some(Self::Http),
            5 if is(b"https") => Some(Self::Https),
            _ => None,
        }
    }

    /// `http` or `https`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port that a URL of this scheme need not name.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_schemes_are_known() {
        for (text, expected) in [
            ("http", Some(Scheme::Http)),
            ("HTTPS", Some(Scheme::Https)),
            ("ws", Some(Scheme::Http)),
            ("Wss", Some(Scheme::Https)),
            ("", None),
            ("https,http", None),
            ("gopher", None),
            ("http:", None),
        ] {
            assert_eq!(Scheme::parse(text.as_bytes()), expected, "{text}");
        }
    }
}
