//! The configuration as it was written, to see later what changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jellynet_settings::Settings;

/// The value of every key that is set, in whatever source. Passwords are among them, so that
/// nothing of it is ever shown.
#[derive(Clone, Default)]
pub(crate) struct Written(BTreeMap<String, Vec<String>>);

impl Written {
    pub(super) fn of(settings: &Settings) -> Self {
        let value = |key: &str| settings.elements(key).unwrap_or_default();
        Self(settings.origins().map(|(key, _)| (key.to_owned(), value(key))).collect())
    }

    /// The keys that have another value there, or none, in order.
    pub(crate) fn changed(&self, other: &Self) -> Vec<String> {
        let keys: BTreeSet<_> = self.0.keys().chain(other.0.keys()).collect();
        let changed = keys.into_iter().filter(|key| self.0.get(*key) != other.0.get(*key));
        changed.cloned().collect()
    }
}

impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
