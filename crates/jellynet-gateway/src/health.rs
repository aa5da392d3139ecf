//! How it all is: for `/ready`, `/status.json` and the metrics.

use std::collections::BTreeMap;

use jellynet_access::Counters;
use jellynet_admin::{Admin, Kind, Metrics, Part, Ready, Sample};
use jellynet_bind::{Handle, OutcomeKind};
use jellynet_upstream::{State, Upstream};
use serde::Serialize;

use crate::announce::Announcer;
use crate::reach::Reach;
use crate::tls::Tls;

/// What is looked at; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Health {
    pub(crate) listeners: Handle,
    pub(crate) upstreams: Vec<Upstream>,
    pub(crate) announcer: Option<Announcer>,
    pub(crate) reach: Reach,
    pub(crate) tls: Option<Tls>,
}

/// What `/status.json` shows: no secret, and nothing that is not in the operator's hands.
#[derive(Serialize)]
struct Status {
    version: &'static str,
    listeners: Vec<String>,
    upstreams: Vec<UpstreamStatus>,
    discovery: Option<String>,
    announced: Vec<String>,
    certificates: Vec<String>,
    acme: Vec<jellynet_tls::AcmeStatus>,
}

#[derive(Serialize)]
struct UpstreamStatus {
    url: String,
    state: &'static str,
    reason: Option<String>,
    id: Option<String>,
    name: Option<String>,
    version: Option<String>,
}

impl Health {
    /// The administrator's service.
    pub(crate) fn admin(&self, metrics: Metrics) -> Admin {
        let (ready, status) = (self.clone(), self.clone());
        Admin::new(metrics, move || ready.ready(), move || status.status())
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
        let upstreams = self.upstreams.clone();
        metrics.add(
            "jellynet_upstream_up",
            "Whether an upstream answers.",
            Kind::Gauge,
            move || {
                let one = |u: &Upstream| {
                    let up = u.status().current().state == State::Up;
                    sample(vec![("upstream", u.config().url.to_string())], up.into())
                };
                upstreams.iter().map(one).collect()
            },
        );
        if let Some(tls) = &self.tls {
            tls.count(metrics);
        }
        if let Some(announcer) = self.announcer.clone() {
            metrics.add(
                "jellynet_discovery_responses_total",
                "Answers on 7359/udp.",
                Kind::Counter,
                move || vec![sample(vec![("protocol", "7359".to_owned())], announcer.answered())],
            );
        }
    }

    fn ready(&self) -> Ready {
        let mut parts = self.listener_parts();
        parts.extend(self.upstreams.iter().map(|upstream| {
            let (name, status) =
                (format!("upstream {}", upstream.config().url), upstream.status().current());
            match (status.state, status.reason) {
                (State::Up, _) => Part::ready(name),
                (state, reason) => {
                    Part::waiting(name, reason.unwrap_or_else(|| state.as_str().to_owned()))
                }
            }
        }));
        parts.extend(self.tls.iter().flat_map(Tls::parts));
        Ready::new(parts)
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

    fn status(&self) -> impl Serialize + use<> {
        let upstreams = self.upstreams.iter().map(|upstream| {
            let status = upstream.status().current();
            let who = status.identity.as_deref();
            UpstreamStatus {
                url: upstream.config().url.to_string(),
                state: status.state.as_str(),
                id: who.map(|w| w.id.clone()),
                name: who.map(|w| w.server_name.clone()),
                version: who.map(|w| w.version.clone()),
                reason: status.reason,
            }
        });
        Status {
            version: env!("CARGO_PKG_VERSION"),
            listeners: self.listeners.outcomes().iter().map(ToString::to_string).collect(),
            upstreams: upstreams.collect(),
            discovery: self.announcer.as_ref().map(Announcer::status),
            announced: self.reach.announced_by_interface(),
            certificates: self.certificates(),
            acme: self.tls.iter().flat_map(Tls::acme).collect(),
        }
    }
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
