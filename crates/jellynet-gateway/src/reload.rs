//! Another configuration, in force without a restart.
//!
//! The new one is looked at first; if anything is wrong with it, the one before stays as a whole.
//! What can change, changes for the next request of every connection, and no connection is dropped;
//! what cannot, keeps its old value and is named.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use jellynet_forwarded::Rules;
use jellynet_netif::Interfaces;
use jellynet_tls::Timestamp;
use tokio::task::JoinHandle;

use crate::config::Config;
use crate::counts::Counts;
use crate::gateway::Core;
use crate::site::Site;
use crate::swap::Live;
use crate::{names, stack};

/// Keys that count without a restart: whole keys, and sections that end in a dot.
const LIVE: &[&str] = &[
    "access.",
    "admin.public_metrics",
    "base_url.",
    "discovery.",
    "http.first_byte_timeout",
    "http.header_timeout",
    "http.idle_timeout",
    "http.send_timeout",
    "http.send_timeout_crowded",
    "https.hsts",
    "https.redirect",
    "identity[].",
    "log.access",
    "log.level",
    "proxies.",
    "published.",
    "ssdp.",
    "upstream[].",
    "web.directory",
];

/// What became of a new configuration; `Display` is a line for the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reloaded {
    /// Keys that changed and are in force.
    pub changed: Vec<String>,
    /// Keys that changed and keep their old value until a restart.
    pub restart: Vec<String>,
}

impl fmt::Display for Reloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.changed.as_slice() {
            [] => f.write_str("nothing changed that counts at once")?,
            changed => write!(f, "in force: {}", changed.join(", "))?,
        }
        match self.restart.as_slice() {
            [] => Ok(()),
            restart => write!(f, "; {} changed: restart to apply", restart.join(", ")),
        }
    }
}

/// Why a new configuration is not taken; the one before stays in force.
#[derive(Debug, thiserror::Error)]
#[error("cannot take the new configuration: {}", problems.join("; "))]
#[non_exhaustive]
pub struct ReloadError {
    /// Everything that is wrong, a line each.
    pub problems: Vec<String>,
}

/// Puts other configurations in force; a clone does so for the same gateway.
#[derive(Clone)]
pub struct Reload(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) core: Core,
    pub(crate) live: Live,
    pub(crate) counts: Counts,
    pub(crate) interfaces: Interfaces,
    pub(crate) state: Mutex<State>,
}

/// The configuration in force, and the tasks that follow what it names.
pub(crate) struct State {
    pub(crate) config: Config,
    // Never read: it follows for as long as it lives.
    pub(crate) following: Following,
}

/// Tasks that end when this is dropped.
pub(crate) struct Following(pub(crate) Vec<JoinHandle<()>>);

impl Drop for Following {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

impl fmt::Debug for Reload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reload").finish_non_exhaustive()
    }
}

impl Reload {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// Puts a configuration in force, as far as that is possible without a restart.
    ///
    /// # Errors
    ///
    /// What is wrong with it: a certificate that does not load. Nothing has changed then.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub async fn apply(&self, next: Config) -> Result<Reloaded, ReloadError> {
        let reload = self.clone();
        // Certificates are read and decrypted.
        let applied = tokio::task::spawn_blocking(move || reload.apply_now(next)).await;
        let applied = applied.unwrap_or_else(|error| {
            Err(ReloadError { problems: vec![format!("the change broke off: {error}")] })
        });
        match &applied {
            Ok(reloaded) => self.0.counts.reloaded(reloaded.restart.clone()),
            Err(_) => self.refuse(),
        }
        applied
    }

    /// Notes that a new configuration could not even be read: the metrics and the status tell.
    pub fn refuse(&self) {
        self.0.counts.not_reloaded();
    }

    fn apply_now(&self, mut next: Config) -> Result<Reloaded, ReloadError> {
        let Inner { core, live, interfaces, state, .. } = &*self.0;
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut reloaded = compare(&state.config, &next);
        self.hold(&state.config, &mut next, &mut reloaded);
        self.certificates(&state.config, &next)?;
        // What follows the names of the one before ends before their addresses could come back.
        state.following = Following(Vec::new());
        core.parts.rules.replace(self.rules(&state.config, &next));
        core.parts.policy.replace(stack::policy(&next.access, &interfaces.current()));
        let gone = core.adopt(&next);
        live.replace(core.version(&next));
        core.announce(&next, interfaces);
        gone.iter().for_each(Site::close);
        state.following = core.follow(&next, interfaces);
        state.config = next;
        Ok(reloaded)
    }

    /// The rules of the walk. Proxies that stay are known without a gap, those that come are known
    /// by what their names resolve to now.
    fn rules(&self, old: &Config, next: &Config) -> Rules {
        if old.proxies.known == next.proxies.known {
            let known = self.0.core.parts.rules.load().proxies().clone();
            return stack::rules_of(&next.proxies, known);
        }
        let resolved = names::resolve(next.proxies.known.host_names());
        stack::rules_with(&next.proxies, &resolved)
    }

    /// Puts back what cannot change, so that nothing counts by half.
    fn hold(&self, old: &Config, next: &mut Config, reloaded: &mut Reloaded) {
        let mut hold = |key: &str| {
            reloaded.changed.retain(|changed| !changed.starts_with(key));
            if !reloaded.restart.iter().any(|named| named == key) {
                reloaded.restart.push(key.to_owned());
            }
        };
        if old.https.listen != next.https.listen {
            hold("https.listen");
        }
        let (had, has) = (&old.https.identities, &next.https.identities);
        // The first takes the place of the one that stands in, and there is none behind the last.
        let first = had.is_empty() && (old.https.acme.is_some() || old.https.local_ca);
        let none = self.0.core.health.tls.is_none();
        if had != has && (none || first || has.is_empty()) {
            hold("identity");
            next.https.identities.clone_from(&old.https.identities);
        }
        next.keep_fixed(old);
    }

    /// Loads what is new among the certificates, all of it before any is served.
    fn certificates(&self, old: &Config, next: &Config) -> Result<(), ReloadError> {
        let Some(tls) = &self.0.core.health.tls else {
            return Ok(());
        };
        let (had, has) = (&old.https.identities, &next.https.identities);
        let new: Vec<_> =
            has.iter().enumerate().filter(|(at, source)| had.get(*at) != Some(source)).collect();
        let now = Timestamp::now();
        let problems: Vec<_> = new
            .iter()
            .filter_map(|(at, source)| {
                let error = tls.store.loader().load(source, now).err()?;
                Some(format!("identity[{at}]: {error}"))
            })
            .collect();
        if !problems.is_empty() {
            return Err(ReloadError { problems });
        }
        for (at, source) in new {
            // It loaded a moment ago; if it does not now, the store keeps what it has and says so.
            let _ = tls.store.add(&format!("identity[{at}]"), source.clone(), now);
        }
        tls.retire_stand_in();
        (has.len()..had.len()).for_each(|at| tls.store.remove(&format!("identity[{at}]"), now));
        // A file that changed under the same name is looked at too.
        for event in tls.store.reload(now) {
            self.0.counts.certificate(&event);
            tracing::info!(%event, "certificate");
        }
        Ok(())
    }
}

/// Which keys have another value.
fn compare(old: &Config, next: &Config) -> Reloaded {
    let mut reloaded = Reloaded::default();
    for key in old.written.changed(&next.written) {
        let pattern = without_indices(&key);
        let live = LIVE
            .iter()
            .any(|live| *live == pattern || live.ends_with('.') && pattern.starts_with(live));
        if live { &mut reloaded.changed } else { &mut reloaded.restart }.push(key);
    }
    reloaded
}

/// `identity[3].key` is known as `identity[].key`.
fn without_indices(key: &str) -> String {
    key.chars().filter(|c| !c.is_ascii_digit()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::KEYS;

    fn config(toml: &str) -> Config {
        let mut settings = jellynet_settings::Settings::new(KEYS);
        settings.add_toml(toml, "t.toml".as_ref());
        Config::from_settings(settings).unwrap()
    }

    #[test]
    fn every_changed_key_is_either_in_force_or_named() {
        let old = config("[http]\nlisten = ['*:8096']\nidle_timeout = '5s'\n");
        let next = config(
            "[http]\nlisten = ['*:9000']\nidle_timeout = '6s'\n[proxies]\nknown = ['10.0.0.2']\n",
        );
        let reloaded = compare(&old, &next);
        assert_eq!(reloaded.changed, ["http.idle_timeout", "proxies.known"]);
        assert_eq!(reloaded.restart, ["http.listen"]);
        assert_eq!(
            reloaded.to_string(),
            "in force: http.idle_timeout, proxies.known; http.listen changed: restart to apply"
        );
        assert_eq!(compare(&old, &old), Reloaded::default());
    }

    #[test]
    fn what_is_in_force_at_once_is_a_key() {
        for live in LIVE {
            let known = |key: &&str| *key == *live || live.ends_with('.') && key.starts_with(live);
            assert!(KEYS.iter().any(known), "{live}");
        }
    }
}
