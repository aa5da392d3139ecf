//! What an operator asks for: one text per listener.

mod error;
mod parse;
mod unix;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

pub use self::error::{ParseListenError, ParseListenListError};
pub use self::unix::{Account, UnixListen, UnixName};

/// One place to listen on, as it is written in a configuration.
///
/// | text | meaning |
/// | --- | --- |
/// | `*:8096`, `:8096` | every address of both families, one socket per family |
/// | `0.0.0.0:8096` | every IPv4 address |
/// | `[::]:8096` | every IPv6 address, and IPv6 only |
/// | `192.168.1.10:8096`, `[fd00::5]:8096` | this address, now or as soon as it is there |
/// | `[fe80::1%eth0]:8096` | this link-local address on this interface |
/// | `eth0:8096` | all addresses of this interface, followed as they come and go |
/// | `localhost:8096` | 127.0.0.1 and ::1 |
/// | `unix:/run/x.sock?mode=0660&user=media&group=video` | a Unix socket with its mode and owner |
/// | `unix:@name` | a Unix socket in Linux's abstract namespace |
/// | `systemd:http`, `systemd` | the passed socket of that name; all passed sockets |
/// | `fd:5` | an inherited file descriptor |
///
/// Port 0 lets the system choose. Host names are not resolved: which addresses a server listens
/// on must not depend on a name server.
///
/// # Examples
///
/// ```
/// use jellynet_bind::Listen;
///
/// let listen: Listen = "eth0:8096".parse()?;
/// assert_eq!(listen, Listen::Interface { name: "eth0".into(), port: 8096 });
///
/// let wrong = "8096".parse::<Listen>().unwrap_err();
/// assert_eq!(wrong.to_string(), "`8096` names no address, only a port: write `*:8096`");
/// # Ok::<(), jellynet_bind::ParseListenError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Listen {
    /// Every address of one or both families.
    Wildcard {
        /// Which families; one socket each.
        families: Families,
        /// The port; 0 lets the system choose.
        port: u16,
    },
    /// The loopback addresses 127.0.0.1 and ::1.
    Loopback {
        /// The port; 0 lets the system choose.
        port: u16,
    },
    /// One address.
    Address {
        /// The address; never unspecified, multicast or IPv4-mapped.
        ip: IpAddr,
        /// The interface of a link-local IPv6 address, by name or index (RFC 4007 § 11).
        zone: Option<String>,
        /// The port; 0 lets the system choose.
        port: u16,
    },
    /// All addresses of one interface, as they come and go.
    Interface {
        /// The kernel's name of the interface; it need not be there yet.
        name: String,
        /// The port; 0 lets the system choose.
        port: u16,
    },
    /// A Unix stream socket.
    Unix(UnixListen),
    /// Sockets that systemd passed.
    Systemd {
        /// `FileDescriptorName=` of the socket unit; without it, every passed socket.
        name: Option<String>,
    },
    /// An inherited file descriptor that listens already.
    Fd(i32),
}

/// Address families of a wildcard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Families {
    /// IPv4 and IPv6; where the kernel lacks one, the other alone.
    Both,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

impl Families {
    /// The unspecified addresses of these families, IPv4 first.
    pub(crate) fn unspecified(self) -> impl Iterator<Item = IpAddr> {
        let v4 = (self != Self::V6).then_some(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let v6 = (self != Self::V4).then_some(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
        v4.into_iter().chain(v6)
    }
}

impl Listen {
    /// Reads a list and reports **all** its bad entries at once.
    ///
    /// # Errors
    ///
    /// Each entry that cannot be read, with its index.
    ///
    /// # Examples
    ///
    /// ```
    /// use jellynet_bind::Listen;
    ///
    /// let error = Listen::parse_list(["*:8096", "eth0", "*:99999"]).unwrap_err();
    /// let bad: Vec<usize> = error.entries.iter().map(|(index, _)| *index).collect();
    /// assert_eq!(bad, [1, 2]);
    /// ```
    pub fn parse_list<I>(entries: I) -> Result<Vec<Self>, ParseListenListError>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let mut good = Vec::new();
        let mut bad = Vec::new();
        for (index, entry) in entries.into_iter().enumerate() {
            match entry.as_ref().parse() {
                Ok(listen) => good.push(listen),
                Err(error) => bad.push((index, error)),
            }
        }
        if bad.is_empty() {
            Ok(good)
        } else {
            let total = good.len() + bad.len();
            Err(ParseListenListError { entries: bad, total })
        }
    }

    /// The port that was asked for; `None` where the listener has none of its own.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        match self {
            Self::Wildcard { port, .. }
            | Self::Loopback { port }
            | Self::Address { port, .. }
            | Self::Interface { port, .. } => Some(*port),
            Self::Unix(_) | Self::Systemd { .. } | Self::Fd(_) => None,
        }
    }
}

impl FromStr for Listen {
    type Err = ParseListenError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse::listen(text.trim())
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wildcard { families, port } => match families {
                Families::Both => write!(f, "*:{port}"),
                Families::V4 => write!(f, "0.0.0.0:{port}"),
                Families::V6 => write!(f, "[::]:{port}"),
            },
            Self::Loopback { port } => write!(f, "localhost:{port}"),
            Self::Address { ip, zone, port } => match (ip, zone) {
                (IpAddr::V4(ip), _) => write!(f, "{ip}:{port}"),
                (IpAddr::V6(ip), None) => write!(f, "[{ip}]:{port}"),
                (IpAddr::V6(ip), Some(zone)) => write!(f, "[{ip}%{zone}]:{port}"),
            },
            Self::Interface { name, port } => write!(f, "{name}:{port}"),
            Self::Unix(unix) => unix.fmt(f),
            Self::Systemd { name: None } => f.write_str("systemd"),
            Self::Systemd { name: Some(name) } => write!(f, "systemd:{name}"),
            Self::Fd(fd) => write!(f, "fd:{fd}"),
        }
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Listen {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Listen {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
