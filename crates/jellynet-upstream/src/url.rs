//! Where a media server is: `http://127.0.0.1:8097`, `https://media.lan`, `unix:/run/jellyfin.sock`.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// The address of one upstream.
///
/// | written | means |
/// | --- | --- |
/// | `http://127.0.0.1:8097` | TCP; the port is 80 where none is written |
/// | `https://media.lan:8920` | TLS on TCP; the port is 443 where none is written |
/// | `h2c://127.0.0.1:8097` | HTTP/2 without TLS, by prior knowledge; WebSockets go by HTTP/1.1 to the same port |
/// | `http://media.lan:8096/jellyfin` | the server lives below `/jellyfin`; the name is resolved anew for each connection |
/// | `http://[fd00::5]:8096` | IPv6 |
/// | `unix:/run/jellyfin.sock` | a Unix socket |
/// | `unix:/run/jellyfin.sock:/jellyfin` | a Unix socket, the server below `/jellyfin` |
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UpstreamUrl {
    scheme: Scheme,
    target: Target,
    authority: Box<str>,
    /// Empty, or `/a/b`.
    path: Box<str>,
}

/// How an upstream is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Scheme {
    Http,
    Https,
    H2c,
}

impl Scheme {
    const ALL: [Self; 3] = [Self::Http, Self::Https, Self::H2c];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::H2c => "h2c",
        }
    }

    const fn port(self) -> u16 {
        match self {
            Self::Http | Self::H2c => 80,
            Self::Https => 443,
        }
    }

    /// Takes `scheme://` off a URL.
    fn strip(value: &str) -> Option<(Self, &str)> {
        let (scheme, rest) = value.split_once("://")?;
        let known = Self::ALL.into_iter().find(|one| one.as_str().eq_ignore_ascii_case(scheme));
        known.map(|known| (known, rest))
    }
}

/// What to connect to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    Ip(IpAddr, u16),
    Name(Box<str>, u16),
    Unix(PathBuf),
}

impl UpstreamUrl {
    pub(crate) const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Whether connections are made with TLS, so that [`UpstreamConfig::tls`] is needed.
    ///
    /// [`UpstreamConfig::tls`]: crate::UpstreamConfig::tls
    #[must_use]
    pub const fn is_https(&self) -> bool {
        matches!(self.scheme, Scheme::Https)
    }

    pub(crate) const fn target(&self) -> &Target {
        &self.target
    }

    /// Host and port as they were written; `localhost` for a Unix socket.
    #[must_use]
    pub const fn authority(&self) -> &str {
        &self.authority
    }

    /// The path below which the server lives: empty, or `/a/b` without a `/` at its end.
    #[must_use]
    pub const fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for UpstreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            Target::Unix(socket) if self.path.is_empty() => write!(f, "unix:{}", socket.display()),
            Target::Unix(socket) => write!(f, "unix:{}:{}", socket.display(), self.path),
            Target::Ip(..) | Target::Name(..) => {
                write!(f, "{}://{}{}", self.scheme.as_str(), self.authority, self.path)
            }
        }
    }
}

/// Why a text is no upstream URL, and what to write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseUpstreamUrlError {
    /// The scheme is not known.
    #[error(
        "upstream `{value}` does not begin with `http://`, `https://`, `h2c://` or `unix:`: write \
         `http://{hint}`"
    )]
    Scheme {
        /// What was written.
        value: String,
        /// It, without its scheme.
        hint: String,
    },
    /// Host or port cannot be read.
    #[error("upstream `{value}` has no valid host and port: write `http://host:port`")]
    Authority {
        /// What was written.
        value: String,
    },
    /// A user name, a query or a fragment was written.
    #[error("upstream `{value}` has {what}: leave it out")]
    Superfluous {
        /// What was written, without the part behind `@`.
        value: String,
        /// What it has too much.
        what: &'static str,
    },
    /// The path has empty or dot segments, or characters that no path has.
    #[error("upstream path `{path}` is not plain: write it without `//`, `.`, `..` and spaces")]
    Path {
        /// The path.
        path: String,
    },
    /// A Unix socket without an absolute path.
    #[error("upstream `{value}` names no absolute path: write `unix:/run/name.sock`")]
    Socket {
        /// What was written.
        value: String,
    },
}

impl FromStr for UpstreamUrl {
    type Err = ParseUpstreamUrlError;

    fn from_str(written: &str) -> Result<Self, Self::Err> {
        let value = written.trim();
        if let Some(socket) = value.strip_prefix("unix:") {
            return unix(value, socket);
        }
        let Some((scheme, rest)) = Scheme::strip(value) else {
            let hint = value.split_once("://").map_or(value, |(_, rest)| rest);
            return Err(ParseUpstreamUrlError::Scheme {
                value: value.to_owned(),
                hint: hint.to_owned(),
            });
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if let Some((_, host)) = authority.rsplit_once('@') {
            return Err(ParseUpstreamUrlError::Superfluous {
                value: format!("{}://{host}{path}", scheme.as_str()),
                what: "a user name",
            });
        }
        if rest.contains(['?', '#']) {
            return Err(ParseUpstreamUrlError::Superfluous {
                value: value.to_owned(),
                what: "a query or fragment",
            });
        }
        let target = target(authority, scheme.port())
            .ok_or_else(|| ParseUpstreamUrlError::Authority { value: value.to_owned() })?;
        let (authority, path) = (authority.into(), plain_path(path)?.into());
        Ok(Self { scheme, target, authority, path })
    }
}

fn unix(value: &str, socket: &str) -> Result<UpstreamUrl, ParseUpstreamUrlError> {
    let (socket, path) = socket.split_once(':').unwrap_or((socket, ""));
    let socket = socket.strip_prefix("//").unwrap_or(socket);
    if !socket.starts_with('/') || socket.len() < 2 {
        return Err(ParseUpstreamUrlError::Socket { value: value.to_owned() });
    }
    Ok(UpstreamUrl {
        scheme: Scheme::Http,
        target: Target::Unix(socket.into()),
        authority: "localhost".into(),
        path: plain_path(path)?.into(),
    })
}

fn target(authority: &str, port: u16) -> Option<Target> {
    let uri: http::uri::Authority = authority.parse().ok()?;
    let port = match authority.rsplit_once(':') {
        Some((_, digits)) if !authority.ends_with(']') => {
            // `u16::from_str` would take a sign.
            let digits = digits.bytes().all(|byte| byte.is_ascii_digit()).then_some(digits)?;
            digits.parse().ok().filter(|&port| port != 0)?
        }
        _ => port,
    };
    let host = uri.host();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(ip) => Some(Target::Ip(ip, port)),
        Err(_) if host.is_empty() || host.starts_with('[') => None,
        Err(_) => Some(Target::Name(host.into(), port)),
    }
}

fn plain_path(path: &str) -> Result<&str, ParseUpstreamUrlError> {
    let short = path.strip_suffix('/').unwrap_or(path);
    let plain = short.is_empty()
        || (short.starts_with('/')
            && short.split('/').skip(1).all(|segment| {
                !matches!(segment, "" | "." | "..")
                    && segment.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
            }));
    if plain { Ok(short) } else { Err(ParseUpstreamUrlError::Path { path: path.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_url_is_read_and_written_the_same() {
        for (written, shown, authority, path) in [
            ("http://127.0.0.1:8097", "http://127.0.0.1:8097", "127.0.0.1:8097", ""),
            ("HTTP://media.lan/", "http://media.lan", "media.lan", ""),
            ("https://media.lan/tv", "https://media.lan/tv", "media.lan", "/tv"),
            ("H2C://10.0.0.5:8097", "h2c://10.0.0.5:8097", "10.0.0.5:8097", ""),
            ("http://[fd00::5]:8096/a/b/", "http://[fd00::5]:8096/a/b", "[fd00::5]:8096", "/a/b"),
            ("unix:/run/x.sock", "unix:/run/x.sock", "localhost", ""),
            ("unix:/run/x.sock:/tv", "unix:/run/x.sock:/tv", "localhost", "/tv"),
        ] {
            let url: UpstreamUrl = written.parse().unwrap();
            assert_eq!(url.to_string(), shown);
            assert_eq!((url.authority(), url.path()), (authority, path));
        }
    }

    #[test]
    fn each_scheme_has_its_port() {
        for (written, port) in
            [("http://a", 80), ("https://a", 443), ("h2c://a", 80), ("https://a:1", 1)]
        {
            let url: UpstreamUrl = written.parse().unwrap();
            assert_eq!(*url.target(), Target::Name("a".into(), port), "{written}");
        }
    }

    #[test]
    fn a_bad_url_says_what_to_write() {
        for (written, message) in [
            (
                "127.0.0.1:8097",
                "upstream `127.0.0.1:8097` does not begin with `http://`, `https://`, `h2c://` or `unix:`: write `http://127.0.0.1:8097`",
            ),
            (
                "ftp://media.lan",
                "upstream `ftp://media.lan` does not begin with `http://`, `https://`, `h2c://` or `unix:`: write `http://media.lan`",
            ),
            (
                "http://media.lan:+80",
                "upstream `http://media.lan:+80` has no valid host and port: write `http://host:port`",
            ),
            (
                "http://:80",
                "upstream `http://:80` has no valid host and port: write `http://host:port`",
            ),
            (
                "http://me:secret@media.lan/x",
                "upstream `http://media.lan/x` has a user name: leave it out",
            ),
            ("https://me@media.lan", "upstream `https://media.lan` has a user name: leave it out"),
            ("http://a/?b", "upstream `http://a/?b` has a query or fragment: leave it out"),
            (
                "http://a/b/../c",
                "upstream path `/b/../c` is not plain: write it without `//`, `.`, `..` and spaces",
            ),
            (
                "unix:x.sock",
                "upstream `unix:x.sock` names no absolute path: write `unix:/run/name.sock`",
            ),
        ] {
            let error = written.parse::<UpstreamUrl>().unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }
}
