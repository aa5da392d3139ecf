//! A policy that changes while requests run.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::policy::Policy;

/// A handle to the policy in force. Clones share it: what one of them puts in force counts for
/// the next request everywhere, and no request waits for it.
#[derive(Clone)]
pub struct LivePolicy {
    policy: Arc<ArcSwap<Policy>>,
}

impl LivePolicy {
    /// Puts this policy in force.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self { policy: Arc::new(ArcSwap::from_pointee(policy)) }
    }

    /// The policy in force.
    #[must_use]
    pub fn load(&self) -> Arc<Policy> {
        self.policy.load_full()
    }

    /// Puts another policy in force.
    pub fn replace(&self, policy: Policy) {
        self.policy.store(Arc::new(policy));
    }

    /// Reads the policy without touching its reference count.
    pub(crate) fn with<T>(&self, read: impl FnOnce(&Policy) -> T) -> T {
        read(&self.policy.load())
    }
}

impl From<Policy> for LivePolicy {
    fn from(policy: Policy) -> Self {
        Self::new(policy)
    }
}

impl fmt::Debug for LivePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LivePolicy").field(&*self.load()).finish()
    }
}
