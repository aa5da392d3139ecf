//! Who must send a header, and who must not.

use std::sync::Arc;

use jellynet_netif::PeerAddr;

use crate::proxies::ProxySet;

/// How a connection of this peer has to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a header is required, refused, or nothing is read")]
pub enum Expect {
    /// With a header.
    Header,
    /// With the client's own bytes; a header would be data.
    Plain,
    /// Not at all: the connection is closed.
    Close,
}

/// What a listener expects, by peer. Never guessed from the first bytes: whoever is free to send
/// a header or none can choose the address that he is taken for.
///
/// | policy | known proxy | anybody else |
/// | --- | --- | --- |
/// | [`Refused`](Self::Refused) | plain | plain |
/// | [`Required`](Self::Required) | header | closed |
/// | [`RequiredOfProxies`](Self::RequiredOfProxies) | header | plain |
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum PreamblePolicy {
    /// Nobody speaks the PROXY protocol on this listener.
    #[default]
    Refused,
    /// All who may connect are these proxies, and all of them speak it.
    Required(Arc<ProxySet>),
    /// These proxies speak it; others connect without.
    RequiredOfProxies(Arc<ProxySet>),
}

impl PreamblePolicy {
    /// How a connection of this peer has to start.
    #[must_use]
    pub fn expects(&self, peer: PeerAddr) -> Expect {
        let is_known = |set: &ProxySet| set.contract_of(peer).is_some();
        match self {
            Self::Refused => Expect::Plain,
            Self::Required(set) | Self::RequiredOfProxies(set) if is_known(set) => Expect::Header,
            Self::Required(_) => Expect::Close,
            Self::RequiredOfProxies(_) => Expect::Plain,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KnownProxies;

    #[test]
    fn the_table_holds() {
        let set = Arc::new(KnownProxies::parse(["10.0.0.2"]).unwrap().to_set());
        let peer = |text: &str| PeerAddr::inet(text.parse().unwrap());
        let (proxy, other) = (peer("[::ffff:10.0.0.2]:1"), peer("10.0.0.3:1"));
        for (policy, for_proxy, for_others) in [
            (PreamblePolicy::Refused, Expect::Plain, Expect::Plain),
            (PreamblePolicy::Required(Arc::clone(&set)), Expect::Header, Expect::Close),
            (PreamblePolicy::RequiredOfProxies(set), Expect::Header, Expect::Plain),
        ] {
            assert_eq!(policy.expects(proxy), for_proxy, "{policy:?}");
            for stranger in [other, PeerAddr::Unix] {
                assert_eq!(policy.expects(stranger), for_others, "{policy:?}");
            }
        }
    }
}
