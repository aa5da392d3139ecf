//! Opens, announces, serves, drains.

use std::fmt;
use std::io;
use std::sync::Mutex;
use std::time::Duration;

use jellynet_access::LivePolicy;
use jellynet_admin::Admin;
use jellynet_bind::{
    AcceptOptions, Bind, BindError, Bound, DrainReport, Handle, Listeners, Outcome, OutcomeKind,
};
use jellynet_forwarded::{HostNames, LiveRules, NameEvent};
use jellynet_netif::Interfaces;
use jellynet_tuner::serve::TunerService;
use tokio::task::JoinHandle;

use crate::accept::{self, Accept};
use crate::announce::{Announcer, Own};
use crate::app::{App, Content};
use crate::config::Config;
use crate::counts::Counts;
use crate::dlna::Dlna;
use crate::files;
use crate::health::Health;
use crate::identity::Roll;
use crate::reach::{ADMIN, HTTP, HTTPS};
use crate::reload::{Following, Inner, Reload, State};
use crate::site::{Ground, Site};
use crate::stack::{self, Parts};
use crate::status::Watched;
use crate::swap::{Live, Version};
use crate::tls::Tls;
use crate::tuners;
use crate::welcome::Welcome;

/// Why a gateway cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The interfaces of this host cannot be read.
    #[error("cannot read this host's network interfaces")]
    Interfaces(#[source] io::Error),
    /// Live TV was asked for and cannot be had.
    #[error("cannot serve tuners")]
    Tuners {
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A certificate that was asked for cannot be shown, and HTTPS is not optional.
    #[error("cannot serve HTTPS with {name}")]
    Certificate {
        /// The identity, as the configuration names it.
        name: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Every listener that was asked for failed, or one for HTTPS did that is not optional; what
    /// can wait for an address waits instead.
    #[error("cannot listen\n  {}", .outcomes.join("\n  "))]
    Listen {
        /// What became of each, in words.
        outcomes: Vec<String>,
        /// Whether an address is in use or not there, so that it may work later.
        temporary: bool,
    },
}

/// Everything opened, nothing accepted yet.
pub struct Gateway {
    listeners: Listeners,
    accept: Accept,
    reload: Reload,
    health: Health,
    files: Option<String>,
    deadline: Duration,
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("health", &self.health).finish_non_exhaustive()
    }
}

/// What stays while configurations come and go.
pub(crate) struct Core {
    pub(crate) parts: Parts,
    pub(crate) health: Health,
    tuner: Option<TunerService>,
    admin: Admin,
}

impl Core {
    /// All that serves connections as this configuration wants it.
    pub(crate) fn version(&self, config: &Config) -> Version {
        let public = config.admin.public_metrics.then(|| self.admin.clone());
        let app = |site: &Site| App {
            content: content(config, site, &self.health),
            tuner: self.tuner.clone(),
            metrics: public.clone(),
        };
        let Health { roll, dlna, tls, .. } = &self.health;
        let sites = roll.sites().iter().map(|site| (site.clone(), app(site))).collect();
        let dlna = config.ssdp.then_some(dlna);
        Version {
            stacks: self.parts.stacks(config, sites, roll, tls.as_ref(), dlna),
            server: accept::server(config),
            preamble: config.proxies.protocol,
        }
    }

    /// Puts the sites in force, ahead of what leads to them; returns those that go, which are to be
    /// closed behind it.
    pub(crate) fn adopt(&self, config: &Config) -> Vec<Site> {
        self.health.roll.adopt(&config.sites)
    }

    /// Announces the sites, by what is switched on.
    pub(crate) fn announce(&self, config: &Config, interfaces: &Interfaces) {
        let Health { announcer, dlna, roll, .. } = &self.health;
        announcer.switch(&config.discovery, interfaces);
        dlna.switch(config.ssdp, interfaces);
        roll.call();
    }

    /// Keeps what the configuration names in step with this host.
    pub(crate) fn follow(&self, config: &Config, interfaces: &Interfaces) -> Following {
        let lan = follow_interfaces(config, &self.parts.policy, interfaces.clone());
        let names = follow_names(config, &self.parts.rules);
        Following(lan.into_iter().chain([names]).collect())
    }
}

impl Gateway {
    /// Opens what was asked for; whatever can serve, serves. Raises this process's limit of open
    /// files to what the system grants.
    ///
    /// # Errors
    ///
    /// When nothing at all can be served.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn open(config: Config) -> Result<Self, OpenError> {
        files::raise_limit();
        let interfaces = Interfaces::watch().map_err(OpenError::Interfaces)?;
        let listeners = listen(&config, &interfaces)?;
        let counts = Counts::new();
        counts.follow_interfaces(interfaces.clone());
        let tls = open_tls(&config, &interfaces, &counts)?;
        let (announcer, dlna) = (Announcer::default(), Dlna::default());
        let (interfaces_of_sites, server) = (interfaces.clone(), config.server.clone());
        let ground =
            Ground { interfaces: interfaces_of_sites, listeners: listeners.handle(), server };
        let roll = Roll::new(ground, announcer.clone(), dlna.clone());
        dlna.follow_listeners(listeners.handle().events());
        let tuner = tuners::open(&config.tuner, &config.server.data_dir())?;
        let at = listeners.handle();
        let health = Health { listeners: at, roll, announcer, dlna, tls, tuner: tuner.clone() };
        let parts = Parts::new(&config, &interfaces.current());
        let admin = watch(&parts, &health, &counts);
        let core = Core { parts, health, tuner, admin };
        core.adopt(&config);
        core.announce(&config, &interfaces);
        Ok(Self::of(config, core, listeners, counts, interfaces))
    }

    fn of(
        config: Config,
        core: Core,
        listeners: Listeners,
        counts: Counts,
        interfaces: Interfaces,
    ) -> Self {
        let live = Live::new(core.version(&config));
        let health = core.health.clone();
        let files = config.web_directory.as_ref().map(|path| path.display().to_string());
        let deadline = config.http.drain;
        let accept = Accept {
            live: live.clone(),
            rules: core.parts.rules.clone(),
            admin: core.admin.clone(),
            tls: health.tls.clone(),
        };
        let following = core.follow(&config, &interfaces);
        let state = Mutex::new(State { config, following });
        let reload = Reload::new(Inner { core, live, counts, interfaces, state });
        Self { listeners, accept, reload, health, files, deadline }
    }

    /// Puts other configurations in force while this one serves.
    #[must_use]
    pub fn reload(&self) -> Reload {
        self.reload.clone()
    }

    /// What listens where, what is announced, and what could not be done and why: a line each.
    #[must_use]
    pub fn summary(&self) -> String {
        let health = &self.health;
        let mut rows: Vec<_> =
            health.listeners.outcomes().iter().map(ToString::to_string).collect();
        rows.extend(health.roll.sites().iter().filter_map(Site::summary));
        rows.extend(self.files.iter().map(|files| format!("files: {files}")));
        rows.extend(health.certificates());
        rows.push(format!("discovery: {}", health.announcer.status()));
        rows.extend(health.dlna.is_on().then(|| format!("ssdp: {}", health.dlna.status())));
        rows.extend(health.announced());
        rows.join("\n")
    }

    /// Serves in the background until it is drained.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[must_use = "only a drain lets requests finish"]
    pub fn start(self) -> Drain {
        let (listeners, deadline) = (self.listeners.handle(), self.deadline);
        let serving = tokio::spawn(self.accept.run(self.listeners));
        let Health { tuner, dlna, .. } = self.health;
        Drain { listeners, deadline, serving, dlna, reload: self.reload, tuner }
    }
}

/// Ends a gateway that serves.
pub struct Drain {
    listeners: Handle,
    deadline: Duration,
    serving: JoinHandle<()>,
    dlna: Dlna,
    #[expect(dead_code, reason = "what follows names and interfaces ends with it")]
    reload: Reload,
    tuner: Option<TunerService>,
}

impl fmt::Debug for Drain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drain").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

impl Drain {
    /// How many connections are open.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.listeners.open_connections()
    }

    /// How long requests may take to finish.
    #[must_use]
    pub const fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Takes no new connections, lets requests finish until the deadline, cuts the rest, and tells
    /// how many there were of each.
    pub async fn run(self) -> String {
        // Said first: nobody shall come while the last ones go.
        self.dlna.stop().await;
        let report: DrainReport = self.listeners.drain(self.deadline).await;
        self.serving.abort();
        tuners::released(self.tuner).await;
        report.to_string()
    }
}

/// Opens everything that was asked for.
fn listen(config: &Config, interfaces: &Interfaces) -> Result<Listeners, OpenError> {
    let bound = Bind::new()
        .listen_all(HTTP, config.http.listen.clone())
        .listen_all(HTTPS, config.https.listen.clone())
        .listen_all(ADMIN, config.admin.listen.clone())
        .bind(&interfaces.current());
    refuse_if_failed(&bound, config.https.optional)?;
    let mut options = AcceptOptions::default();
    options.max_connections = config.http.max_connections;
    Ok(Listeners::with_options(bound, interfaces.clone(), options))
}

/// Without any public listener there is no server, and HTTPS that was asked for is never silently
/// left out.
fn refuse_if_failed(bound: &Bound, https_optional: bool) -> Result<(), OpenError> {
    let outcomes = bound.outcomes();
    let failed = |outcome: &&Outcome| matches!(outcome.kind, OutcomeKind::Failed { .. });
    let public: Vec<_> = outcomes.iter().filter(|o| &*o.name != ADMIN).collect();
    let all = public.iter().copied().all(|outcome| failed(&outcome));
    let https = public.iter().any(|o| &*o.name == HTTPS && failed(o)) && !https_optional;
    if !all && !https {
        return Ok(());
    }
    let bad: Vec<_> = public.iter().copied().filter(failed).collect();
    Err(OpenError::Listen {
        temporary: bad.iter().any(|outcome| match &outcome.kind {
            OutcomeKind::Failed { error } => {
                matches!(**error, BindError::InUse { .. } | BindError::NotLocal { .. })
            }
            _ => false,
        }),
        outcomes: bad.iter().map(ToString::to_string).collect(),
    })
}

/// Adds all metrics, and makes the administrator's service.
fn watch(parts: &Parts, health: &Health, counts: &Counts) -> Admin {
    health.count(&parts.metrics, parts.refusals.clone());
    let (announcer, dlna) = (health.announcer.clone(), health.dlna.clone());
    counts.register(&parts.metrics, parts.audit.clone(), announcer, dlna);
    let watched = Watched {
        counts: counts.clone(),
        audit: parts.audit.clone(),
        refusals: parts.refusals.clone(),
        rules: parts.rules.clone(),
    };
    health.admin(parts.metrics.clone(), watched)
}

fn open_tls(
    config: &Config,
    interfaces: &Interfaces,
    counts: &Counts,
) -> Result<Option<Tls>, OpenError> {
    if config.https.listen.is_empty() {
        return Ok(None);
    }
    Tls::open(&config.https, &config.server.data_dir(), interfaces, counts).map(Some)
}

/// What answers behind all layers of a site.
fn content(config: &Config, site: &Site, health: &Health) -> Content {
    match (&site.upstream, &config.web_directory) {
        (Some(upstream), _) => Content::Gateway(upstream.clone()),
        (None, Some(directory)) => Content::directory(directory),
        (None, None) => {
            let own = site.own.clone().unwrap_or_else(|| Own::load(&config.server));
            let (reach, health) = (site.reach.clone(), health.clone());
            Content::Welcome(Welcome { own, reach, health }.into())
        }
    }
}

/// Keeps the LAN in step with this host's own subnets, where that was asked for.
fn follow_interfaces(
    config: &Config,
    policy: &LivePolicy,
    mut interfaces: Interfaces,
) -> Option<JoinHandle<()>> {
    if !config.access.lan.follows_interfaces() {
        return None;
    }
    let (access, policy) = (config.access.clone(), policy.clone());
    Some(tokio::spawn(async move {
        while let Some(update) = interfaces.changed().await {
            policy.replace(stack::policy(&access, &update.table));
        }
    }))
}

/// Keeps proxies that are known by host name in step with their addresses.
fn follow_names(config: &Config, rules: &LiveRules) -> JoinHandle<()> {
    let names = HostNames::new(config.proxies.known.clone(), rules.clone());
    tokio::spawn(names.run(|event| match event {
        NameEvent::Changed { name, added, removed } => {
            tracing::info!(name, ?added, ?removed, "a known proxy's addresses changed");
        }
        NameEvent::Failed { name, error, kept } => {
            tracing::warn!(
                name,
                error,
                kept,
                "cannot resolve a known proxy: its last addresses stay"
            );
        }
        event => {
            tracing::warn!(
                ?event,
                "a known proxy's addresses are too old: it is no proxy any more"
            );
        }
    }))
}
