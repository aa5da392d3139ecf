//! All identities of a server: which one a client gets, and how they are replaced while it runs.
//!
//! 1. A client that names a host gets the identity with exactly this name, else one whose wildcard
//!    covers it, else the default: the first that was added. A client that names none (a television,
//!    an address in the address bar) gets the default.
//! 2. Of several with the same names (an ECDSA and an RSA pair) it gets one that it can verify:
//!    those that are valid now first, then the cheapest for the server, then the one that lasts
//!    longest. If it can verify none, it gets the first all the same: never "no certificate".
//! 3. Files are watched by their content. A change counts when two reads agree. What does not load
//!    changes nothing: the old identity stays, and the failure is an event and stands in the status.
//! 4. When a leaf changes, session cache and ticket keys go with it: a client that resumes would
//!    otherwise be shown the old certificate.

mod entry;
mod event;
mod sessions;
mod table;
#[cfg(feature = "tokio")]
mod watch;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::error::LoadError;
use crate::identity::Identity;
use crate::source::{Loader, Source};
use crate::time::Timestamp;

pub use event::{Event, Status};
#[cfg(feature = "tokio")]
pub(crate) use sessions::{CACHED_SESSIONS, new_ticketer};
pub(crate) use sessions::{RollingSessions, RollingTickets};
#[cfg(feature = "tokio")]
pub(crate) use table::Pinned;
pub(crate) use table::{ACME_TLS_ALPN, Table};

use entry::Entry;

/// The identities that a server shows. A clone shares everything.
///
/// It is a [`ResolvesServerCert`]; [`server_config`](crate::server_config) builds the rest around
/// it. Readers never wait.
#[derive(Clone)]
pub struct IdentityStore(Arc<Shared>);

struct Shared {
    loader: Loader,
    entries: Mutex<Vec<Entry>>,
    table: ArcSwap<Table>,
}

impl IdentityStore {
    /// An empty store.
    #[must_use]
    pub fn new(loader: Loader) -> Self {
        Self(Arc::new(Shared {
            loader,
            entries: Mutex::default(),
            table: ArcSwap::from_pointee(Table::default()),
        }))
    }

    /// Whose keys these are, and within which limits files are read.
    #[must_use]
    pub fn loader(&self) -> &Loader {
        &self.0.loader
    }

    /// Loads a certificate from files and watches them from now on. A `name` that is there already
    /// is replaced.
    ///
    /// # Errors
    ///
    /// Why it did not load. It is watched all the same, and served as soon as it loads: a caller
    /// that cannot start without it stops here, another goes on.
    pub fn add(&self, name: &str, source: Source, now: Timestamp) -> Result<Identity, LoadError> {
        let mut entry = Entry::from_source(name, source);
        let result = entry.load(&self.0.loader, now);
        self.insert(entry, now);
        result
    }

    /// Serves an identity that comes from elsewhere, such as ACME. A `name` that is there already
    /// is replaced, and keeps its place.
    pub fn set(&self, name: &str, identity: Identity, now: Timestamp) {
        self.insert(Entry::from_identity(name, identity, now), now);
    }

    /// Serves it no longer.
    pub fn remove(&self, name: &str, now: Timestamp) {
        let mut entries = self.entries();
        entries.retain(|entry| entry.name != name);
        self.publish(&entries, now);
    }

    fn insert(&self, entry: Entry, now: Timestamp) {
        let mut entries = self.entries();
        match entries.iter_mut().find(|old| old.name == entry.name) {
            Some(old) => old.replace_with(entry),
            None => entries.push(entry),
        }
        self.publish(&entries, now);
    }

    /// Looks at every file and loads what changed; for a signal or a button. Blocks while it reads
    /// and decrypts.
    ///
    /// A change counts when two reads in a row agree; otherwise the next call finds it.
    #[must_use = "the events say what could not be loaded"]
    pub fn reload(&self, now: Timestamp) -> Vec<Event> {
        self.refresh(now, true).0
    }

    /// Loads what changed. `thorough` reads contents even where the file system says that nothing
    /// did. The second value asks for another look soon: a file is being written.
    pub(crate) fn refresh(&self, now: Timestamp, thorough: bool) -> (Vec<Event>, bool) {
        let mut entries = self.entries();
        let mut events = Vec::new();
        let mut unsettled = false;
        for entry in entries.iter_mut() {
            unsettled |= entry.refresh(&self.0.loader, now, thorough, &mut events);
        }
        self.publish(&entries, now);
        (events, unsettled)
    }

    fn publish(&self, entries: &[Entry], now: Timestamp) {
        let identities: Vec<Identity> =
            entries.iter().filter_map(|entry| entry.identity.clone()).collect();
        let old = self.0.table.load();
        if let Some(table) = old.replaced_by(identities, now) {
            self.0.table.store(Arc::new(table));
        }
    }

    /// The state of each identity, in the order in which they were added.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> Vec<Status> {
        self.entries().iter().map(|entry| entry.status(now)).collect()
    }

    /// What a client gets that names this host, or none.
    #[must_use]
    pub fn identity_for(&self, host: Option<&str>) -> Option<Identity> {
        self.0.table.load().candidates(host).first().cloned()
    }

    /// What is served under this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<Identity> {
        self.entries().iter().find(|entry| entry.name == name)?.identity.clone()
    }

    /// May HSTS be sent for this host? Only if the certificate for it names it, is valid now, and
    /// was not made by this host: whoever clicked through a warning once could never do so again.
    #[must_use]
    pub fn is_trustworthy_for(&self, host: &str, now: Timestamp) -> bool {
        self.identity_for(Some(host)).is_some_and(|identity| {
            let info = identity.info();
            let valid = info.not_before <= now && now <= info.not_after;
            valid && !info.self_signed && !info.is_locally_issued() && identity.covers(host)
        })
    }

    /// Counts up whenever what is served changed. Sessions of an older generation are not resumed.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.0.table.load().generation()
    }

    /// The certificate for a TLS-ALPN-01 challenge (RFC 8737), shown only to a client that offers
    /// nothing but `acme-tls/1`; `None` takes it away.
    pub fn set_challenge(&self, host: &str, certificate: Option<&Arc<CertifiedKey>>) {
        let host = host.to_ascii_lowercase();
        self.0.table.load().challenges().rcu(|challenges| {
            let mut challenges = (**challenges).clone();
            match certificate {
                Some(certificate) => challenges.insert(host.clone(), Arc::clone(certificate)),
                None => challenges.remove(&host),
            };
            challenges
        });
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn table(&self) -> Arc<Table> {
        self.0.table.load_full()
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.0.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResolvesServerCert for IdentityStore {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.table.load().resolve(&hello)
    }
}

impl fmt::Debug for IdentityStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.entries().iter().map(|entry| entry.name.clone()).collect();
        f.debug_struct("IdentityStore")
            .field("names", &names)
            .field("generation", &self.generation())
            .finish_non_exhaustive()
    }
}
