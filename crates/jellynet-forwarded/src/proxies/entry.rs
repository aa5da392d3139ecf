//! One entry of the list of known proxies, and what can be wrong with it.

use std::net::IpAddr;

use jellynet_netif::{BadEntry, BadSubnetReason, NamedSubnets, ParseListError, SubnetSet};

use crate::contract::{Contract, ParseContractError};
use crate::host::is_name;

/// What one entry stands for.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    Nets(Box<SubnetSet>, Contract),
    Name(String, Contract),
    Unix(Contract),
}

/// What is wrong with one entry, before its place in the list is known.
pub(super) struct Problem {
    reason: BadProxyReason,
    hint: Option<String>,
}

impl Entry {
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        let (proxy, contract) = split_contract(text)?;
        if proxy.eq_ignore_ascii_case("unix") {
            return Ok(Self::Unix(contract));
        }
        if let Ok(ip) = proxy.trim_start_matches('!').trim().parse::<IpAddr>()
            && ip.is_unspecified()
        {
            return Err(Problem {
                reason: BadProxyReason::Unspecified,
                hint: Some(format!("{ip}/0")),
            });
        }
        if is_host_name(proxy) {
            return Ok(Self::Name(proxy.to_ascii_lowercase(), contract));
        }
        SubnetSet::parse([proxy]).map(|set| Self::Nets(Box::new(set), contract)).map_err(|error| {
            let bad = error.bad().first();
            Problem {
                reason: bad.map_or(BadProxyReason::NotAProxy, |bad| bad.reason.into()),
                hint: bad.and_then(|bad| bad.hint.clone()),
            }
        })
    }
}

impl Problem {
    pub(super) fn at(self, index: usize, entry: &str) -> BadProxy {
        BadProxy::new(index, entry, self.reason, self.hint)
    }
}

fn split_contract(text: &str) -> Result<(&str, Contract), Problem> {
    let text = text.trim();
    let Some((proxy, contract)) = text.split_once(" sets ") else {
        return Ok((text, Contract::STANDARD));
    };
    let contract = contract
        .parse()
        .map_err(|error| Problem { reason: BadProxyReason::Contract(error), hint: None })?;
    Ok((proxy.trim(), contract))
}

/// Whether it is the name of a host and of no set of subnets. A name whose last label has no
/// letter is an address that somebody mistyped (RFC 3696 § 2).
fn is_host_name(text: &str) -> bool {
    let name = text.strip_suffix('.').unwrap_or(text);
    let last = name.rsplit('.').next().unwrap_or_default();
    is_name(text.as_bytes())
        && last.bytes().any(|byte| byte.is_ascii_alphabetic())
        && !last.to_ascii_lowercase().starts_with("0x")
        && name.split('.').all(|label| label.len() <= 63)
        && NamedSubnets::from_name(text).is_none()
}

/// Every entry of a list of known proxies that cannot be read.
pub type ParseKnownProxiesError = ParseListError<BadProxyReason>;

/// One entry of a list of known proxies that cannot be read.
pub type BadProxy = BadEntry<BadProxyReason>;

/// What is wrong with an entry of a list of known proxies.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadProxyReason {
    /// It looks like an address or a subnet, but is none.
    #[error("{0}")]
    Subnet(BadSubnetReason),
    /// It is no address, no subnet, no host name and not `unix`.
    #[error("not an address, a subnet, a host name or `unix`")]
    NotAProxy,
    /// `0.0.0.0` or `::`, which no peer has. In Jellyfin's LAN list it means everybody.
    #[error("no peer has this address, and trusting everybody must be said")]
    Unspecified,
    /// What stands after `sets` is no list of headers.
    #[error("{0}")]
    Contract(ParseContractError),
}

impl From<BadSubnetReason> for BadProxyReason {
    fn from(reason: BadSubnetReason) -> Self {
        match reason {
            BadSubnetReason::NotASubnet => Self::NotAProxy,
            reason => Self::Subnet(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::KnownProxies;

    #[test]
    fn entries_are_addresses_subnets_names_or_unix() {
        let known = KnownProxies::parse([
            " 10.0.0.2 ",
            "10.0.0.77/24",
            "fe80::1%eth0",
            "::ffff:10.1.0.0/112",
            "Nginx",
            "proxy.lan sets for",
            "my-proxy_1.example.",
            "UNIX sets for,proto",
            "!10.0.0.9",
        ])
        .unwrap();
        assert_eq!(
            known.to_string(),
            "10.0.0.2/32, 10.0.0.0/24, fe80::1/128, 10.1.0.0/16, !10.0.0.9/32, nginx, \
             proxy.lan sets for, my-proxy_1.example., unix sets for,proto"
        );
        let names: Vec<_> = known.host_names().collect();
        assert_eq!(names, ["nginx", "proxy.lan", "my-proxy_1.example."]);
    }

    #[test]
    fn every_bad_entry_is_named() {
        for (entry, why) in [
            ("", "empty"),
            ("10.0.0.0/255.0.0.0", "a netmask, which .NET reads as an address"),
            ("::ffff:10.0.0.0/90", "wider than the mapped form"),
            ("1", "a number, which .NET reads as 0.0.0.1"),
            ("0x7f.1", "hexadecimal"),
            ("0x7f000001", "hexadecimal"),
            ("010.0.0.1", "octal for some"),
            ("10.0.0.1:80", "a port"),
            ("http://proxy", "a URL"),
            ("10.0.0.0/33", "too long a prefix"),
            ("a b", "a blank"),
            ("a..b", "an empty label"),
            ("0.0.0.0", "everybody, unsaid"),
            ("::", "everybody, unsaid"),
            ("10.0.0.1 sets everything", "an unknown header"),
            ("10.0.0.1 sets ", "no header"),
            ("*", "a star"),
        ] {
            let error = KnownProxies::parse(["10.0.0.2", entry]);
            let error = error.expect_err(why);
            assert_eq!(error.bad().len(), 1, "{why}");
            assert_eq!(error.bad()[0].index, 1, "{why}");
            assert!(error.to_string().starts_with("entry [1]"), "{error}");
        }
    }
}
