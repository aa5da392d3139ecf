//! A site at work: what is behind it, and under which URL each peer reaches it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use jellynet_bind::Handle;
use jellynet_discovery::ServerId;
use jellynet_netif::{ClientAddr, Interfaces};
use jellynet_upstream::{Identity, ProbeConfig, Upstream};
use tokio::task::AbortHandle;

use crate::announce::Own;
use crate::config;
use crate::reach::Reach;

/// What every site needs of this host.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) interfaces: Interfaces,
    pub(crate) listeners: Handle,
    pub(crate) server: config::Server,
}

/// One server behind this one, at work; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    /// Its place, as the configuration in force has it.
    config: Arc<ArcSwap<config::Site>>,
    pub(crate) reach: Reach,
    pub(crate) upstream: Option<Upstream>,
    /// Who answers where there is no upstream.
    pub(crate) own: Option<Own>,
    /// Who was behind it before it was reached in another way; counts until the upstream says who
    /// it is.
    before: Option<Arc<Identity>>,
    tasks: Arc<Mutex<Vec<AbortHandle>>>,
}

impl Site {
    /// Starts to look after its upstream, in place of the site that had its name.
    pub(crate) fn open(config: &config::Site, ground: &Ground, before: Option<&Self>) -> Self {
        let (interfaces, listeners) = (ground.interfaces.clone(), ground.listeners.clone());
        let reach = Reach::new(config.published.clone(), interfaces, listeners);
        let upstream = config.upstream.as_ref().map(|upstream| connect(upstream, &reach));
        let site = Self {
            reach,
            own: upstream.is_none().then(|| Own::load(&ground.server)),
            before: before.and_then(Self::identity),
            config: Arc::new(ArcSwap::from_pointee(config.clone())),
            upstream,
            tasks: Arc::default(),
        };
        if let Some(upstream) = site.upstream.clone() {
            site.watch(async move { upstream.probe(ProbeConfig::default()).await });
        }
        site
    }

    /// Runs this until the site is closed.
    pub(crate) fn watch(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks().push(tokio::spawn(task).abort_handle());
    }

    fn tasks(&self) -> MutexGuard<'_, Vec<AbortHandle>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks after it no more. Requests that are under way end as they would have.
    pub(crate) fn close(&self) {
        self.tasks().drain(..).for_each(|task| task.abort());
        if let Some(upstream) = &self.upstream {
            upstream.close_idle();
        }
    }

    /// What it is called on the administrator's side.
    pub(crate) fn name(&self) -> String {
        self.config.load().name.clone()
    }

    /// Its place now.
    pub(crate) fn config(&self) -> Arc<config::Site> {
        self.config.load_full()
    }

    /// Whether the same is behind it as behind that one.
    pub(crate) fn serves(&self, other: &config::Site) -> bool {
        match (&self.config.load().upstream, &other.upstream) {
            (Some(this), Some(other)) => this.is_same(other),
            (None, None) => true,
            _ => false,
        }
    }

    /// Takes another place; what is behind it stays.
    pub(crate) fn adopt(&self, next: &config::Site) {
        self.reach.publish(next.published.clone());
        self.config.store(Arc::new(next.clone()));
    }

    /// Whether the other is a clone of this one.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.config, &other.config)
    }

    /// Who is behind it, as far as that is known.
    fn identity(&self) -> Option<Arc<Identity>> {
        let known = self.upstream.as_ref()?.status().current().identity;
        known.or_else(|| self.before.clone())
    }

    /// The id and the name that clients know it by; none before it has told a proper id.
    pub(crate) fn who(&self) -> Option<(ServerId, String)> {
        if let Some(own) = &self.own {
            return Some((own.id, own.name.clone()));
        }
        let identity = self.identity()?;
        Some((identity.id.parse().ok()?, identity.server_name.clone()))
    }

    /// Who is behind it, and where clients find it: a line.
    pub(crate) fn summary(&self) -> Option<String> {
        let url = &self.upstream.as_ref()?.config().url;
        let config = self.config();
        let base = if config.base.is_root() { "/" } else { config.base.as_str() };
        let hosts = match config.hosts.as_slice() {
            [] => String::new(),
            hosts => format!(" of {}", hosts.join(", ")),
        };
        Some(format!("upstream: {url} ({}, at {base}{hosts})", config.name))
    }
}

fn connect(upstream: &config::Upstream, reach: &Reach) -> Upstream {
    let mut config = upstream.towards.clone();
    // The base path's layer sets it or removes it.
    config.pass_prefix = true;
    if !upstream.local_address {
        return Upstream::new(config);
    }
    let reach = reach.clone();
    Upstream::with_published(config, move |request| {
        let client = request.extensions.get::<ClientAddr>()?;
        Some(reach.url_for_request(client.ip, &request.uri)?.url)
    })
}
