//! Which headers a proxy sets itself.

use std::fmt;
use std::str::FromStr;

/// The headers that a proxy overwrites or appends to on every request, so that their right end is
/// its own word.
///
/// What is not in here is read past: it comes from whoever stands before the proxy. The default
/// is [`STANDARD`](Self::STANDARD). Written as names with commas between, `for,proto,host,port`, or
/// with `+` where a comma parts the entries of a list: `for+proto+host+port`.
///
/// | name | header | in `Forwarded` |
/// | --- | --- | --- |
/// | `for` | `X-Forwarded-For` | `for=` |
/// | `proto` | `X-Forwarded-Proto` | `proto=` |
/// | `host` | `X-Forwarded-Host` | `host=` |
/// | `port` | `X-Forwarded-Port`, replaces the port of the host | – |
/// | `prefix` | `X-Forwarded-Prefix`, the path that the proxy cut off | – |
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Contract(u8);

const NAMES: [(&str, Contract); 5] = [
    ("for", Contract::FOR),
    ("proto", Contract::PROTO),
    ("host", Contract::HOST),
    ("port", Contract::PORT),
    ("prefix", Contract::PREFIX),
];

impl Contract {
    /// The client's address.
    pub const FOR: Self = Self(1);
    /// The scheme.
    pub const PROTO: Self = Self(1 << 1);
    /// The host.
    pub const HOST: Self = Self(1 << 2);
    /// The port that the client connected to.
    pub const PORT: Self = Self(1 << 3);
    /// The path prefix that the proxy cut off.
    pub const PREFIX: Self = Self(1 << 4);
    /// Address, scheme and host: what the usual configurations of nginx, Apache, Caddy and
    /// Traefik set. They pass a client's own `-Port` and `-Prefix` on, so these are not in it.
    pub const STANDARD: Self = Self::FOR.and(Self::PROTO).and(Self::HOST);

    /// Both contracts together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the proxy sets all that `other` says.
    #[must_use]
    pub const fn sets(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl Default for Contract {
    fn default() -> Self {
        Self::STANDARD
    }
}

impl fmt::Display for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (name, contract) in NAMES {
            if self.sets(contract) {
                write!(f, "{separator}{name}")?;
                separator = ",";
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Contract({self})")
    }
}

/// A contract that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is none of for, proto, host, port, prefix")]
pub struct ParseContractError {
    /// The word that is not known.
    pub name: String,
}

impl FromStr for Contract {
    type Err = ParseContractError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut whole = Self(0);
        for name in text.split([',', '+']).map(str::trim) {
            let known = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            let (_, contract) =
                known.ok_or_else(|| ParseContractError { name: name.to_owned() })?;
            whole = whole.and(*contract);
        }
        Ok(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contract_is_a_list_of_names() {
        let contract: Contract = "For, port".parse().unwrap();
        assert!(contract.sets(Contract::FOR) && contract.sets(Contract::PORT));
        assert!(!contract.sets(Contract::HOST) && !contract.sets(Contract::STANDARD));
        assert_eq!(contract.to_string(), "for,port");
        assert_eq!("for+port".parse(), Ok(contract), "where a comma parts entries");
        assert_eq!(Contract::default().to_string(), "for,proto,host");
        for bad in ["", "for,", "for+", "for;proto", "all"] {
            assert!(bad.parse::<Contract>().is_err(), "{bad}");
        }
    }
}
