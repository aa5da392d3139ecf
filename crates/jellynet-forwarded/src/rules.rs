//! What the operator says about proxies.

use std::sync::Arc;

use crate::host::AllowedHosts;
use crate::proxies::ProxySet;

/// Which header family the known proxies speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Family {
    /// `X-Forwarded-For`, `-Proto` and `-Host`; what nearly every proxy sends.
    #[default]
    XForwarded,
    /// `Forwarded` (RFC 7239).
    Forwarded,
    /// Either; where both are there and disagree, neither counts.
    Both,
}

impl Family {
    /// `x-forwarded`, `forwarded` or `both`, as [`parse`](Self::parse) reads it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::XForwarded => "x-forwarded",
            Self::Forwarded => "forwarded",
            Self::Both => "both",
        }
    }

    /// Reads `x-forwarded`, `forwarded` or `both`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::XForwarded, Self::Forwarded, Self::Both]
            .into_iter()
            .find(|family| family.as_str() == name)
    }
}

/// How many proxies may stand between the client and this server: 1 to 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HopLimit(u8);

/// A hop limit out of range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a hop limit is 1 to 32: {0}")]
pub struct HopLimitError(pub u64);

impl HopLimit {
    /// As many as are ever walked. The default.
    pub const MAX: Self = Self(32);

    /// A limit of this many hops.
    ///
    /// # Errors
    ///
    /// [`HopLimitError`] for 0 and for more than 32.
    pub fn new(hops: u64) -> Result<Self, HopLimitError> {
        u8::try_from(hops)
            .ok()
            .filter(|hops| (1..=Self::MAX.0).contains(hops))
            .map(Self)
            .ok_or(HopLimitError(hops))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl Default for HopLimit {
    fn default() -> Self {
        Self::MAX
    }
}

/// All that the walk needs to know: the proxies, their header family, the hop limit, and which
/// hosts they may name.
///
/// Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    pub(crate) proxies: Arc<ProxySet>,
    pub(crate) family: Family,
    pub(crate) limit: HopLimit,
    pub(crate) allowed_hosts: Arc<AllowedHosts>,
}

impl Rules {
    /// These proxies, speaking `X-Forwarded-*`, at most 32 hops, any valid host.
    #[must_use]
    pub fn new(proxies: ProxySet) -> Self {
        Self { proxies: Arc::new(proxies), ..Self::default() }
    }

    /// The same with other proxies.
    #[must_use]
    pub fn with_proxies(mut self, proxies: ProxySet) -> Self {
        self.proxies = Arc::new(proxies);
        self
    }

    /// Reads this header family. Default: [`Family::XForwarded`].
    #[must_use]
    pub const fn with_family(mut self, family: Family) -> Self {
        self.family = family;
        self
    }

    /// Walks at most this many hops. Default: 32.
    #[must_use]
    pub const fn with_limit(mut self, limit: HopLimit) -> Self {
        self.limit = limit;
        self
    }

    /// Takes only these hosts from a proxy. Default: [`AllowedHosts::ANY`].
    #[must_use]
    pub fn with_allowed_hosts(mut self, hosts: AllowedHosts) -> Self {
        self.allowed_hosts = Arc::new(hosts);
        self
    }

    /// The known proxies.
    #[must_use]
    pub fn proxies(&self) -> &ProxySet {
        &self.proxies
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_one_to_thirty_two() {
        for (hops, expected) in [(0, None), (1, Some(1)), (32, Some(32)), (33, None), (256, None)] {
            assert_eq!(HopLimit::new(hops).ok().map(HopLimit::get), expected, "{hops}");
        }
    }

    #[test]
    fn a_family_has_one_spelling() {
        for family in [Family::XForwarded, Family::Forwarded, Family::Both] {
            assert_eq!(Family::parse(family.as_str()), Some(family));
        }
        assert_eq!(Family::parse("X-Forwarded"), None);
    }
}
