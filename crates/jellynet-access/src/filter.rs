//! Which remote clients may come in.

use jellynet_netif::{ParseSubnetSetError, SubnetSet};

/// What a list of remote addresses is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[expect(clippy::exhaustive_enums, reason = "a list lets in or keeps out")]
pub enum FilterMode {
    /// Those in the list may come in, and nobody else.
    #[default]
    Allow,
    /// Those in the list may not.
    Block,
}

impl FilterMode {
    /// `allow` or `block`, as [`parse`](Self::parse) reads it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Block => "block",
        }
    }

    /// Reads `allow` or `block`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Allow, Self::Block].into_iter().find(|mode| mode.as_str() == name)
    }
}

/// A list of remote addresses that may, or may not, come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteFilter {
    mode: FilterMode,
    subnets: SubnetSet,
}

/// Why a list of remote addresses was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseRemoteFilterError {
    /// Entries that cannot be read: all of them.
    #[error("{0}")]
    Entries(ParseSubnetSetError),
    /// Nothing is in the list but exclusions: an allow list would let nobody in, a block list
    /// keep nobody out.
    #[error("a list of exclusions alone lets nobody in and keeps nobody out")]
    OnlyExclusions,
}

impl RemoteFilter {
    /// Lets those in that are in the set, and nobody else; an empty set lets nobody in.
    #[must_use]
    pub const fn allow(subnets: SubnetSet) -> Self {
        Self { mode: FilterMode::Allow, subnets }
    }

    /// Keeps those out that are in the set.
    #[must_use]
    pub const fn block(subnets: SubnetSet) -> Self {
        Self { mode: FilterMode::Block, subnets }
    }

    /// Reads a configured list. A list without any entry is no filter, as in Jellyfin, so that
    /// clearing it takes effect; an entry that cannot be read never makes it one.
    ///
    /// # Errors
    ///
    /// [`ParseRemoteFilterError`] names every bad entry, or says that there are only exclusions.
    pub fn parse(
        mode: FilterMode,
        entries: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<Option<Self>, ParseRemoteFilterError> {
        let mut any = false;
        let entries = entries.into_iter().inspect(|_| any = true);
        let subnets = SubnetSet::parse(entries).map_err(ParseRemoteFilterError::Entries)?;
        if subnets.only_excludes() {
            return Err(ParseRemoteFilterError::OnlyExclusions);
        }
        Ok(any.then_some(Self { mode, subnets }))
    }

    /// What the list is for.
    #[must_use]
    pub const fn mode(&self) -> FilterMode {
        self.mode
    }

    /// The list.
    #[must_use]
    pub const fn subnets(&self) -> &SubnetSet {
        &self.subnets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_empty_list_is_no_filter() {
        for mode in [FilterMode::Allow, FilterMode::Block] {
            let parse = |entries: &[&str]| RemoteFilter::parse(mode, entries);
            assert_eq!(parse(&[]), Ok(None), "cleared");
            assert!(parse(&["203.0.113.0/24", "!203.0.113.9"]).unwrap().is_some());
            assert_eq!(parse(&["!203.0.113.9"]), Err(ParseRemoteFilterError::OnlyExclusions));
            for (bad, why) in [
                ("", "a blank entry switches Jellyfin's filter off"),
                ("nonsense", "an invalid entry vanishes there"),
                ("203.0.113.0/99", "so does an invalid prefix"),
            ] {
                let Err(ParseRemoteFilterError::Entries(error)) = parse(&["203.0.113.1", bad])
                else {
                    panic!("{why}");
                };
                assert_eq!(error.bad()[0].index, 1, "{why}");
            }
        }
    }

    #[test]
    fn a_mode_has_one_spelling() {
        for mode in [FilterMode::Allow, FilterMode::Block] {
            assert_eq!(FilterMode::parse(mode.as_str()), Some(mode));
        }
        assert_eq!(FilterMode::parse("deny"), None);
    }
}
