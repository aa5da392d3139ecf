//! The known proxies as the walk asks for them.

use std::net::IpAddr;

use ipnet::IpNet;
use jellynet_netif::{PeerAddr, SubnetSet};

use crate::contract::Contract;

/// A set of addresses, each with its contract: what a request asks of
/// [`KnownProxies`](crate::KnownProxies).
///
/// A lookup allocates nothing and takes the same time for ten subnets and for ten thousand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxySet {
    addresses: SubnetSet,
    /// Only what is not [`Contract::STANDARD`], sorted.
    contracts: Vec<(IpNet, Contract)>,
    unix: Option<Contract>,
}

impl ProxySet {
    pub(super) fn new(
        included: impl Iterator<Item = (IpNet, Contract)> + Clone,
        excluded: impl Iterator<Item = IpNet>,
        unix: Option<Contract>,
    ) -> Self {
        let addresses = SubnetSet::with_exclusions(included.clone().map(|(net, _)| net), excluded);
        // The set has cut host bits and mapped forms, so its own subnets are the keys.
        let contracts = included.map(|(_, contract)| contract);
        let mut contracts: Vec<_> = addresses.included().zip(contracts).collect();
        // Of equal subnets the last one counts.
        contracts.reverse();
        contracts.sort_by_key(|(net, _)| *net);
        contracts.dedup_by_key(|(net, _)| *net);
        contracts.retain(|(_, contract)| *contract != Contract::STANDARD);
        Self { addresses, contracts, unix }
    }

    /// What the proxy at this address sets; `None` if it is no known proxy.
    #[must_use]
    #[inline]
    pub fn contract(&self, ip: IpAddr) -> Option<Contract> {
        if self.contracts.is_empty() {
            let is_known = self.addresses.contains(ip);
            return is_known.then_some(Contract::STANDARD);
        }
        let net = self.addresses.longest_match(ip)?;
        let found = self.contracts.binary_search_by_key(&net, |(net, _)| *net);
        let found = found.ok().and_then(|at| self.contracts.get(at));
        Some(found.map_or(Contract::STANDARD, |(_, contract)| *contract))
    }

    /// What this peer sets; `None` if it is no known proxy.
    #[must_use]
    pub fn contract_of(&self, peer: PeerAddr) -> Option<Contract> {
        match peer.ip() {
            Some(ip) => self.contract(ip),
            None if matches!(peer, PeerAddr::Unix) => self.unix,
            None => None,
        }
    }

    /// Whether no peer at all is a known proxy.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty() && self.unix.is_none()
    }

    /// The addresses, without contracts.
    #[must_use]
    pub const fn addresses(&self) -> &SubnetSet {
        &self.addresses
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KnownProxies;

    #[test]
    fn the_most_specific_entry_gives_the_contract() {
        let known = KnownProxies::parse([
            "10.0.0.0/8 sets for",
            "10.1.0.0/16",
            "10.1.1.1 sets for,port",
            "!10.1.1.2",
            "unix sets for",
            "::ffff:192.0.2.1",
            "198.51.100.1 sets for",
            "198.51.100.1 sets proto",
        ])
        .unwrap();
        let set = known.to_set();
        for (ip, expected, why) in [
            ("10.9.9.9", Some("for"), "the widest"),
            ("10.1.9.9", Some("for,proto,host"), "the middle one, standard"),
            ("10.1.1.1", Some("for,port"), "the address"),
            ("::ffff:10.1.1.1", Some("for,port"), "mapped"),
            ("10.1.1.2", None, "excluded"),
            ("192.0.2.1", Some("for,proto,host"), "listed as mapped"),
            ("198.51.100.1", Some("proto"), "the last of two"),
            ("127.0.0.1", None, "loopback is not implied"),
        ] {
            let found = set.contract(ip.parse().unwrap());
            let found = found.map(|contract| contract.to_string());
            assert_eq!(found.as_deref(), expected, "{why}");
        }
        assert_eq!(set.contract_of(PeerAddr::Unix), Some(Contract::FOR));
        let without = KnownProxies::parse(["0.0.0.0/0", "::/0"]).unwrap().to_set();
        assert_eq!(without.contract_of(PeerAddr::Unix), None, "an explicit choice");
    }
}
