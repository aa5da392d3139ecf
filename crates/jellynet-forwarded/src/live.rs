//! Rules that change while requests run.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::proxies::ProxySet;
use crate::rules::Rules;

/// A handle to the rules in force. Clones share them: what one of them puts in force counts for
/// the next request everywhere, and no request waits for it.
///
/// # Examples
///
/// ```
/// use jellynet_forwarded::{Family, KnownProxies, LiveRules, Rules};
///
/// let rules = LiveRules::new(Rules::new(KnownProxies::parse(["10.0.0.2"])?.to_set()));
/// let for_the_layer = rules.clone();
/// rules.set_proxies(KnownProxies::parse(["10.0.0.3"])?.to_set());
/// assert!(for_the_layer.load().proxies().contract("10.0.0.3".parse()?).is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct LiveRules {
    rules: Arc<ArcSwap<Rules>>,
}

impl LiveRules {
    /// Puts these rules in force.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self { rules: Arc::new(ArcSwap::from_pointee(rules)) }
    }

    /// The rules in force.
    #[must_use]
    pub fn load(&self) -> Arc<Rules> {
        self.rules.load_full()
    }

    /// Puts other rules in force.
    pub fn replace(&self, rules: Rules) {
        self.rules.store(Arc::new(rules));
    }

    /// Puts other proxies in force, and leaves the rest as it is.
    pub fn set_proxies(&self, proxies: ProxySet) {
        let proxies = Arc::new(proxies);
        self.rules.rcu(|rules| Rules { proxies: Arc::clone(&proxies), ..Rules::clone(rules) });
    }

    /// Reads the rules without touching their reference count.
    #[cfg(feature = "tower")]
    pub(crate) fn with<T>(&self, read: impl FnOnce(&Rules) -> T) -> T {
        read(&self.rules.load())
    }
}

impl From<Rules> for LiveRules {
    fn from(rules: Rules) -> Self {
        Self::new(rules)
    }
}

impl fmt::Debug for LiveRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LiveRules").field(&*self.load()).finish()
    }
}
