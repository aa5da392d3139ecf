//! Sessions and tickets that end with the certificate under which they began.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::server::{ProducesTickets, ServerSessionMemoryCache, StoresServerSessions};

use super::IdentityStore;

/// As many sessions as rustls keeps by default.
pub(crate) const CACHED_SESSIONS: usize = 256;

/// Tickets of this build's provider; `None` without one, or without random octets.
pub(crate) fn new_ticketer() -> Option<Arc<dyn ProducesTickets>> {
    #[cfg(feature = "aws-lc-rs")]
    let ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().ok();
    #[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
    let ticketer = rustls::crypto::ring::Ticketer::new().ok();
    #[cfg(not(any(feature = "aws-lc-rs", feature = "ring")))]
    let ticketer = None;
    ticketer
}

/// Something that is made anew for each generation of a store.
struct Rolling<T> {
    store: IdentityStore,
    make: fn() -> T,
    current: ArcSwap<(u64, T)>,
}

impl<T> Rolling<T> {
    fn new(store: &IdentityStore, make: fn() -> T) -> Self {
        let current = ArcSwap::from_pointee((store.generation(), make()));
        Self { store: store.clone(), make, current }
    }

    fn current(&self) -> Arc<(u64, T)> {
        let generation = self.store.generation();
        let current = self.current.load_full();
        if current.0 == generation {
            return current;
        }
        // Two threads may both get here; what either of them makes is new.
        let renewed = Arc::new((generation, (self.make)()));
        self.current.store(Arc::clone(&renewed));
        renewed
    }
}

/// A session cache that is empty after each change of a leaf.
pub(crate) struct RollingSessions(Rolling<Arc<ServerSessionMemoryCache>>);

impl RollingSessions {
    pub(crate) fn new(store: &IdentityStore) -> Self {
        Self(Rolling::new(store, || ServerSessionMemoryCache::new(CACHED_SESSIONS)))
    }
}

impl StoresServerSessions for RollingSessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.0.current().1.put(key, value)
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.current().1.get(key)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.current().1.take(key)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

/// Ticket keys that are new after each change of a leaf.
pub(crate) struct RollingTickets(Rolling<Option<Arc<dyn ProducesTickets>>>);

impl RollingTickets {
    pub(crate) fn new(store: &IdentityStore) -> Self {
        Self(Rolling::new(store, new_ticketer))
    }
}

impl ProducesTickets for RollingTickets {
    fn enabled(&self) -> bool {
        self.0.current().1.as_ref().is_some_and(|ticketer| ticketer.enabled())
    }

    fn lifetime(&self) -> u32 {
        self.0.current().1.as_ref().map_or(0, |ticketer| ticketer.lifetime())
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.0.current().1.as_ref()?.encrypt(plain)
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.0.current().1.as_ref()?.decrypt(cipher)
    }
}

impl fmt::Debug for RollingSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RollingSessions").finish_non_exhaustive()
    }
}

impl fmt::Debug for RollingTickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RollingTickets").finish_non_exhaustive()
    }
}
