//! What was decided, and why.

use std::fmt;

/// Whether a client may come in. The layer puts it into the extensions of an allowed request and
/// of the response to a refused one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Decision {
    /// Whether it may come in.
    pub allowed: bool,
    /// Whether it is on the LAN, by the policy's list, or this very host.
    pub local: bool,
    /// Why.
    pub reason: Reason,
}

/// Why a client may come in, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Reason {
    /// In: it connected from this host itself.
    Loopback,
    /// In: it is on the LAN.
    Lan,
    /// In: it came through a Unix socket, and the policy takes such peers in.
    UnixPeer,
    /// In: it is remote, remote access is on, and no list keeps it out.
    Remote,
    /// In: it is remote, and on the allow list.
    AllowListed,
    /// Out: it is remote, and remote access is off.
    RemoteDisabled,
    /// Out: it is remote, and on the block list.
    BlockListed,
    /// Out: it is remote, and not on the allow list.
    NotAllowListed,
    /// Out: a proxy named no client, so that no list can tell whether it is on it.
    ClientUnknown,
    /// Out: it came through a Unix socket, and the policy does not take such peers in.
    UnixPeerRefused,
    /// Out: nobody told who the client or the peer is.
    NoAddress,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 11] = [
        Self::Loopback,
        Self::Lan,
        Self::UnixPeer,
        Self::Remote,
        Self::AllowListed,
        Self::RemoteDisabled,
        Self::BlockListed,
        Self::NotAllowListed,
        Self::ClientUnknown,
        Self::UnixPeerRefused,
        Self::NoAddress,
    ];

    /// A stable lower-case word for logs, labels and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Lan => "lan",
            Self::UnixPeer => "unix-peer",
            Self::Remote => "remote",
            Self::AllowListed => "allow-listed",
            Self::RemoteDisabled => "remote-disabled",
            Self::BlockListed => "block-listed",
            Self::NotAllowListed => "not-allow-listed",
            Self::ClientUnknown => "client-unknown",
            Self::UnixPeerRefused => "unix-peer-refused",
            Self::NoAddress => "no-address",
        }
    }

    /// Whether it lets the client in.
    #[must_use]
    pub const fn allows(self) -> bool {
        match self {
            Self::Loopback | Self::Lan | Self::UnixPeer | Self::Remote | Self::AllowListed => true,
            Self::RemoteDisabled
            | Self::BlockListed
            | Self::NotAllowListed
            | Self::ClientUnknown
            | Self::UnixPeerRefused
            | Self::NoAddress => false,
        }
    }

    pub(crate) const fn remote(self) -> Decision {
        Decision { allowed: self.allows(), local: false, reason: self }
    }

    pub(crate) const fn local(self) -> Decision {
        Decision { allowed: self.allows(), local: true, reason: self }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
