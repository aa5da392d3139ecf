//! How it all is: for `/ready`, `/status.json` and the metrics.

use std::collections::BTreeMap;

use jellynet_access::Counters;
use jellynet_admin::{Admin, Kind, Metrics, Part, Ready, Sample};
use jellynet_bind::{Handle, OutcomeKind};
use jellynet_tuner::serve::TunerService;
use jellynet_upstream::{State, Upstream};

use crate::announce::Announcer;
use crate::dlna::Dlna;
use crate::identity::Roll;
use crate::site::Site;
use crate::status::{Status, Watched};
use crate::tls::Tls;
use crate::tuners;

/// What is looked at; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Health {
    pub(crate) listeners: Handle,
    pub(crate) roll: Roll,
    pub(crate) announcer: Announcer,
    pub(crate) dlna: Dlna,
    pub(crate) tls: Option<Tls>,
    pub(crate) tuner: Option<TunerService>,
}

impl Health {
    /// The administrator's service.
    pub(crate) fn admin(&self, metrics: Metrics, watched: Watched) -> Admin {
        let (ready, status) = (self.clone(), self.clone());
        Admin::new(metrics, move || ready.ready(), move || Status::new(&status, &watched))
    }

    /// Adds the metrics of everything that counts by itself.
    pub(crate) fn count(&self, metrics: &Metrics, refusals: Counters) {
        let sample = |labels, value: u64| Sample { labels, value: value as f64 };
        metrics.add(
            "jellynet_access_denied_total",
            "Refused requests, by reason.",
            Kind::Counter,
            move || {
                let denied = refusals.iter().filter(|(reason, _)| !reason.allows());
                denied.map(|(reason, n)| sample(vec![("reason", reason.to_string())], n)).collect()
            },
        );
        let listeners = self.listeners.clone();
        metrics.add("jellynet_connections_open", "Connections open now.", Kind::Gauge, move || {
            let counts = listeners.counts().into_iter();
            counts.map(|c| sample(vec![("listener", c.name.to_string())], c.open as u64)).collect()
        });
        let listeners = self.listeners.clone();
        metrics.add(
            "jellynet_connections_total",
            "Connections accepted.",
            Kind::Counter,
            move || {
                let counts = listeners.counts().into_iter();
                counts.map(|c| sample(vec![("listener", c.name.to_string())], c.total)).collect()
            },
        );
        let listeners = self.listeners.clone();
        metrics.add(
            "jellynet_listener_up",
            "Whether all that was wanted of a listener listens.",
            Kind::Gauge,
            move || {
                let up = by_listener(&listeners).into_iter();
                up.map(|(name, up)| sample(vec![("listener", name)], up.into())).collect()
            },
        );
        let roll = self.roll.clone();
        metrics.add(
            "jellynet_upstream_up",
            "Whether an upstream answers.",
            Kind::Gauge,
            move || {
                let one = |(site, upstream): (&Site, &Upstream)| {
                    let up = upstream.status().current().state == State::Up;
                    sample(vec![("upstream", site.name())], up.into())
                };
                upstreams(&roll.sites()).map(one).collect()
            },
        );
        if let Some(tls) = &self.tls {
            tls.count(metrics);
        }
        if let Some(tuner) = &self.tuner {
            tuners::count(metrics, tuner.tuners());
        }
    }

    fn ready(&self) -> Ready {
        let mut parts = self.listener_parts();
        parts.extend(upstreams(&self.roll.sites()).map(|(site, upstream)| {
            let (name, status) = (format!("upstream {}", site.name()), upstream.status().current());
            match (status.state, status.reason) {
                (State::Up, _) => Part::ready(name),
                (state, reason) => {
                    Part::waiting(name, reason.unwrap_or_else(|| state.as_str().to_owned()))
                }
            }
        }));
        parts.extend(self.dlna.part());
        parts.extend(self.tls.iter().flat_map(Tls::parts));
        Ready::new(parts)
    }

    /// For each site and each address's subnet, the URL that a peer there is told.
    pub(crate) fn announced(&self) -> Vec<String> {
        let sites = self.roll.sites();
        let several = sites.len() > 1;
        let of = |site: &Site| {
            let name = if several { format!(" ({})", site.name()) } else { String::new() };
            site.reach.announced_by_interface().into_iter().map(move |line| format!("{line}{name}"))
        };
        sites.iter().flat_map(of).collect()
    }

    /// The first site: the only one where there is one.
    pub(crate) fn first(&self) -> Option<Site> {
        self.roll.sites().first().cloned()
    }

    /// A line for each certificate.
    pub(crate) fn certificates(&self) -> Vec<String> {
        self.tls.iter().flat_map(Tls::lines).collect()
    }

    fn listener_parts(&self) -> Vec<Part> {
        let outcomes = self.listeners.outcomes().into_iter();
        let part = |outcome: jellynet_bind::Outcome| {
            let name = format!("{} {}", outcome.name, outcome.listen);
            match outcome.kind {
                OutcomeKind::Listening { addr } => Part::ready(format!("{} {addr}", outcome.name)),
                // A family that the kernel lacks is missed by nobody.
                OutcomeKind::Lacking { .. } => Part::waiting(name, outcome.to_string()).optional(),
                _ => Part::waiting(name, outcome.to_string()),
            }
        };
        outcomes.map(part).collect()
    }
}

/// The sites that have an upstream, with it.
pub(crate) fn upstreams(sites: &[Site]) -> impl Iterator<Item = (&Site, &Upstream)> {
    sites.iter().filter_map(|site| Some((site, site.upstream.as_ref()?)))
}

/// Whether each listener is where it was wanted: one sample for each name, for there may be
/// several sockets of one name. A family that the kernel lacks is missed by nobody.
fn by_listener(listeners: &Handle) -> BTreeMap<String, bool> {
    let mut up = BTreeMap::new();
    for outcome in listeners.outcomes() {
        let listens =
            matches!(outcome.kind, OutcomeKind::Listening { .. } | OutcomeKind::Lacking { .. });
        *up.entry(outcome.name.to_string()).or_insert(true) &= listens;
    }
    up
}
