//! What is answered, and why.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use thiserror::Error;

/// The URL under which a peer reaches this server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Announced {
    /// An absolute `http` or `https` URL with the base URL and without a trailing slash.
    pub url: String,
    /// Why this one.
    pub because: Because,
}

/// Why a URL is a candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Because {
    /// The peer asked by this scheme and host itself.
    Request,
    /// An entry of the list of published URLs is for this peer.
    Override {
        /// Its position in the list, from 0.
        index: usize,
        /// What stands before its `=`.
        key: String,
    },
    /// The peer is this host.
    Loopback,
    /// The peer is in the subnet of this address.
    OnLink {
        /// The interface that has the address.
        interface: String,
        /// The subnet.
        subnet: IpNet,
    },
    /// The peer came by this link, and the address is on it.
    Link {
        /// The interface.
        interface: String,
    },
    /// The peer is elsewhere, and a router leads from there to this address.
    Routed {
        /// The interface that has the address.
        interface: String,
    },
    /// The address is of the other family; there is none of the peer's.
    OtherFamily {
        /// The interface that has the address.
        interface: String,
    },
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request => f.write_str("the peer asked for it by this name"),
            Self::Override { index, key } => write!(f, "published for {key}, entry [{index}]"),
            Self::Loopback => f.write_str("the peer is this host"),
            Self::OnLink { interface, subnet } => {
                write!(f, "the peer is in {subnet} of {interface}")
            }
            Self::Link { interface } => write!(f, "the peer came by {interface}"),
            Self::Routed { interface } => write!(f, "routed to {interface}"),
            Self::OtherFamily { interface } => {
                write!(f, "{interface} has no address of the peer's family")
            }
        }
    }
}

/// Why a candidate is not announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum Rejection {
    /// A loopback address, and the peer is elsewhere.
    #[error("loopback reaches no other host")]
    Loopback,
    /// The address is valid on its link only, and either the peer is not on it or a URL cannot
    /// say which link it is (RFC 6874 § 1).
    #[error("a link-local address is of no use to this peer")]
    LinkLocal,
    /// Duplicate address detection still runs.
    #[error("the address is still tentative")]
    Tentative,
    /// The interface is down.
    #[error("the interface is down")]
    Down,
    /// No listener accepts connections at the address.
    #[error("nothing listens there")]
    NotListening,
    /// A container's or another software network's address, and the peer is not in its subnet.
    #[error("a software network's address is for peers in its subnet alone")]
    Virtual,
    /// As [`Virtual`](Self::Virtual), and a published URL is meant for this peer.
    #[error("a published URL goes before a software network's address")]
    Published,
    /// No router leads from the peer's network to the address: it is private and the peer is
    /// public, or they are of different private networks.
    #[error("it cannot be reached from the peer's network")]
    Unreachable,
    /// The server answers under names only, and none of them can be told.
    #[error("the server answers under names only, and none can be told")]
    Unnamed,
    /// The peer understands nothing but plain HTTP to an address.
    #[error("this peer needs plain http and an address")]
    NotPlain,
    /// The address is of the other family, and there is one of the peer's, for this peer or not.
    #[error("it is of the other family")]
    OtherFamily,
}

/// What became of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verdict {
    /// It is the answer.
    Chosen,
    /// It would do, and a better one was chosen.
    Spare,
    /// It would not do.
    Rejected(Rejection),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chosen => f.write_str("chosen"),
            Self::Spare => f.write_str("would do"),
            Self::Rejected(rejection) => write!(f, "no: {rejection}"),
        }
    }
}

/// One URL that was thought of.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Considered {
    /// The URL; for an address at which nothing listens, the bare address.
    pub url: String,
    /// Why it was thought of.
    pub because: Because,
    /// What became of it.
    pub verdict: Verdict,
}

/// Everything that was thought of for one peer, best first.
///
/// Shown as text it has one line per URL:
///
/// ```text
/// for 192.168.1.50, internal
///   http://192.168.1.10:8096  chosen: the peer is in 192.168.1.0/24 of eth0
///   http://172.17.0.1:8096    no: a software network's address is for peers in its subnet alone
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// The peer.
    pub peer: IpAddr,
    /// Whether it counts as internal.
    pub internal: bool,
    /// The candidates, best first.
    pub considered: Vec<Considered>,
}

impl Explanation {
    /// The answer; `None` when no candidate would do.
    #[must_use]
    pub fn announced(&self) -> Option<Announced> {
        let mut candidates = self.considered.iter();
        let chosen = candidates.find(|candidate| candidate.verdict == Verdict::Chosen)?;
        Some(Announced { url: chosen.url.clone(), because: chosen.because.clone() })
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = if self.internal { "internal" } else { "external" };
        write!(f, "for {}, {side}", self.peer)?;
        let widths = self.considered.iter().map(|candidate| candidate.url.len());
        let width = widths.max().unwrap_or(0);
        for Considered { url, because, verdict } in &self.considered {
            write!(f, "\n  {url:width$}  {verdict}")?;
            if !matches!(verdict, Verdict::Rejected(_)) {
                write!(f, ": {because}")?;
            }
        }
        if self.considered.is_empty() {
            write!(f, "\n  there is no address at all")?;
        }
        Ok(())
    }
}
