//! What was odd about a request's forwarding headers.

use std::fmt;

#[cfg(feature = "live")]
mod events;

#[cfg(feature = "live")]
pub use self::events::{AuditEvent, AuditLog};

/// One thing that was odd. Nothing is flagged for a walk that ends as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum AuditFlag {
    /// Nobody told the layer who the peer is; the headers were ignored.
    NoPeer,
    /// The peer sends forwarding headers but is no known proxy; they were ignored.
    UntrustedPeer,
    /// A known proxy sent no header that names a client.
    MissingClient,
    /// A known proxy's entry is no address, or its element of `Forwarded` is malformed.
    MalformedEntry,
    /// A known proxy says that it does not tell the client.
    UnknownClient,
    /// Every entry names a known proxy.
    OnlyProxies,
    /// More hops than the limit; the entries further left were not read.
    HopLimit,
    /// `X-Forwarded-*` and `Forwarded` disagree.
    Conflict,
    /// Headers of the family that is not read are there; most proxies pass a client's own on.
    ForeignFamily,
    /// There are entries left of the client: its own claims, or proxies before it.
    EntriesLeftOfClient,
    /// A header such as `X-Real-IP` names somebody else than the client.
    AliasMismatch,
    /// A forwarding header is written with `_`.
    UnderscoreHeader,
    /// `Connection` asks for a forwarding header to be dropped.
    ConnectionNominates,
    /// A scheme was named that is not http, https, ws or wss; it was passed over.
    InvalidScheme,
    /// A host was named that is none, or the request has several; it was passed over.
    InvalidHost,
    /// A host was named that is not allowed; it was passed over.
    HostNotAllowed,
    /// A header is there that the proxy's contract does not have; it was passed over.
    OutsideContract,
}

impl AuditFlag {
    /// Every flag.
    pub const ALL: [Self; 17] = [
        Self::NoPeer,
        Self::UntrustedPeer,
        Self::MissingClient,
        Self::MalformedEntry,
        Self::UnknownClient,
        Self::OnlyProxies,
        Self::HopLimit,
        Self::Conflict,
        Self::ForeignFamily,
        Self::EntriesLeftOfClient,
        Self::AliasMismatch,
        Self::UnderscoreHeader,
        Self::ConnectionNominates,
        Self::InvalidScheme,
        Self::InvalidHost,
        Self::HostNotAllowed,
        Self::OutsideContract,
    ];

    /// A stable lower-case word for logs, labels and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoPeer => "no-peer",
            Self::UntrustedPeer => "untrusted-peer",
            Self::MissingClient => "missing-client",
            Self::MalformedEntry => "malformed-entry",
            Self::UnknownClient => "unknown-client",
            Self::OnlyProxies => "only-proxies",
            Self::HopLimit => "hop-limit",
            Self::Conflict => "conflict",
            Self::ForeignFamily => "foreign-family",
            Self::EntriesLeftOfClient => "entries-left-of-client",
            Self::AliasMismatch => "alias-mismatch",
            Self::UnderscoreHeader => "underscore-header",
            Self::ConnectionNominates => "connection-nominates",
            Self::InvalidScheme => "invalid-scheme",
            Self::InvalidHost => "invalid-host",
            Self::HostNotAllowed => "host-not-allowed",
            Self::OutsideContract => "outside-contract",
        }
    }

    /// Whether it says that something is set up wrongly, so that an operator should hear of it.
    ///
    /// The others are what any client can send through a proxy that is set up well; they are
    /// counted.
    #[must_use]
    pub const fn is_event(self) -> bool {
        matches!(
            self,
            Self::NoPeer
                | Self::UntrustedPeer
                | Self::MissingClient
                | Self::MalformedEntry
                | Self::UnknownClient
                | Self::OnlyProxies
                | Self::HopLimit
                | Self::Conflict
        )
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

impl fmt::Display for AuditFlag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of [`AuditFlag`]s.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Audit(u32);

impl Audit {
    /// Whether nothing was odd.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether this was odd.
    #[must_use]
    pub const fn contains(self, flag: AuditFlag) -> bool {
        self.0 & flag.bit() != 0
    }

    /// The flags in a fixed order.
    pub fn iter(self) -> impl Iterator<Item = AuditFlag> {
        AuditFlag::ALL.into_iter().filter(move |flag| self.contains(*flag))
    }

    pub(crate) const fn insert(&mut self, flag: AuditFlag) {
        self.0 |= flag.bit();
    }

    pub(crate) const fn insert_if(&mut self, condition: bool, flag: AuditFlag) {
        if condition {
            self.insert(flag);
        }
    }

    pub(crate) const fn extend(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// As a list of words.
#[cfg(feature = "serde")]
impl serde::Serialize for Audit {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(AuditFlag::as_str))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_has_a_word_and_a_bit_of_its_own() {
        let mut audit = Audit::default();
        for flag in AuditFlag::ALL {
            assert!(!audit.contains(flag), "{flag}");
            audit.insert(flag);
            assert!(audit.contains(flag), "{flag}");
        }
        let words: std::collections::BTreeSet<_> = audit.iter().map(AuditFlag::as_str).collect();
        assert_eq!(words.len(), AuditFlag::ALL.len());
    }
}
