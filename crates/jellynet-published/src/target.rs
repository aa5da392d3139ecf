//! A URL before it is written.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use http::uri::Authority;

use crate::url::{PublicUrl, host_ip, is_loopback_host};

/// What a candidate's URL is made of. Written only when it is shown.
#[derive(Clone, Copy)]
pub(crate) enum Target<'a> {
    /// A published URL, whole.
    Published(&'a PublicUrl),
    /// The authority by which a request came.
    Request { https: bool, authority: &'a Authority, base: &'a str },
    /// An address of this host at which something listens; a `name` is written in its place.
    Own { https: bool, at: SocketAddr, name: Option<&'a str>, base: &'a str },
    /// An address of this host at which nothing listens.
    Silent(IpAddr),
}

impl Target<'_> {
    /// The host as an address; `None` for a name.
    pub(crate) fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Published(url) => url.ip(),
            Self::Request { authority, .. } => host_ip(authority.host()),
            Self::Own { at, .. } => Some(at.ip()),
            Self::Silent(ip) => Some(*ip),
        }
    }

    pub(crate) fn is_loopback(&self) -> bool {
        match self {
            Self::Published(url) => url.is_loopback(),
            Self::Request { authority, .. } => is_loopback_host(authority.host()),
            Self::Own { at, .. } => at.ip().is_loopback(),
            Self::Silent(ip) => ip.is_loopback(),
        }
    }

    /// Whether it is plain HTTP to an address.
    pub(crate) fn is_plain(&self) -> bool {
        let https = match self {
            Self::Published(url) => url.is_https(),
            Self::Request { https, .. } | Self::Own { https, .. } => *https,
            Self::Silent(_) => false,
        };
        !https && self.ip().is_some()
    }
}

impl fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Published(url) => url.fmt(f),
            Self::Request { https, authority, base } => {
                write!(f, "{}://{authority}{base}", scheme(*https))
            }
            Self::Own { https, at, name, base } => {
                let default_port = if *https { 443 } else { 80 };
                write!(f, "{}://", scheme(*https))?;
                match (name, at.ip()) {
                    (Some(name), _) => f.write_str(name),
                    (None, IpAddr::V4(v4)) => v4.fmt(f),
                    (None, IpAddr::V6(v6)) => write!(f, "[{v6}]"),
                }?;
                if at.port() != default_port {
                    write!(f, ":{}", at.port())?;
                }
                f.write_str(base)
            }
            Self::Silent(ip) => ip.fmt(f),
        }
    }
}

pub(crate) const fn scheme(https: bool) -> &'static str {
    if https { "https" } else { "http" }
}
