//! A site at work: what is behind it, and under which URL each peer reaches it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use jellynet_bind::Handle;
use jellynet_netif::{ClientAddr, Interfaces};
use jellynet_upstream::{ProbeConfig, Upstream};

use crate::config;
use crate::reach::Reach;

/// One server behind this one, at work; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    /// Its place, as the configuration in force has it.
    config: Arc<ArcSwap<config::Site>>,
    pub(crate) reach: Reach,
    pub(crate) upstream: Option<Upstream>,
}

impl Site {
    /// Starts to look after every upstream.
    pub(crate) fn open_all(
        sites: &[config::Site],
        interfaces: &Interfaces,
        listeners: &Handle,
    ) -> Arc<[Self]> {
        let open = |config: &config::Site| {
            let published = config.published.clone();
            let reach = Reach::new(published, interfaces.clone(), listeners.clone());
            let upstream = config.upstream.as_ref().map(|upstream| connect(upstream, &reach));
            let config = Arc::new(ArcSwap::from_pointee(config.clone()));
            Self { config, reach, upstream }
        };
        sites.iter().map(open).collect()
    }

    /// What it is called on the administrator's side.
    pub(crate) fn name(&self) -> String {
        self.config.load().name.clone()
    }

    /// Its place now.
    pub(crate) fn config(&self) -> Arc<config::Site> {
        self.config.load_full()
    }

    /// Takes another place; what is behind it stays.
    pub(crate) fn adopt(&self, next: &config::Site) {
        self.reach.publish(next.published.clone());
        self.config.store(Arc::new(next.clone()));
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
    let reach = reach.clone();
    let upstream = if upstream.local_address {
        Upstream::with_published(config, move |request| {
            let client = request.extensions.get::<ClientAddr>()?;
            Some(reach.url_for_request(client.ip, &request.uri)?.url)
        })
    } else {
        Upstream::new(config)
    };
    let probed = upstream.clone();
    tokio::spawn(async move { probed.probe(ProbeConfig::default()).await });
    upstream
}
