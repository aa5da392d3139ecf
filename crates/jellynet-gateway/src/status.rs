//! What `/status.json` shows: no secret, and nothing that is not in the operator's hands. Field by
//! field in docs/guide/monitoring.md.

use std::collections::BTreeMap;

use jellynet_access::Counters;
use jellynet_bind::{Outcome, OutcomeKind};
use jellynet_forwarded::{AuditFlag, AuditLog, LiveRules};
use jellynet_published::Ask;
use jellynet_tls::{AcmeStatus, Timestamp};
use serde::Serialize;

use crate::announce::Announcer;
use crate::counts::Counts;
use crate::dlna::SsdpStatus;
use crate::health::{Health, upstreams as upstreams_of};
use crate::tls::Tls;
use crate::tuners::{self, StreamStatus};
use crate::version;

/// How many peers that send untrusted headers are named.
const PEERS: usize = 32;

/// What is looked at besides [`Health`]; cheap to clone.
#[derive(Clone)]
pub(crate) struct Watched {
    pub(crate) counts: Counts,
    pub(crate) audit: AuditLog,
    pub(crate) refusals: Counters,
    pub(crate) rules: LiveRules,
}

/// The object of `/status.json`.
#[derive(Serialize)]
pub(crate) struct Status {
    version: &'static str,
    commit: &'static str,
    listeners: Vec<ListenerStatus>,
    connections: BTreeMap<String, Connections>,
    interfaces: Vec<AddressStatus>,
    announced: Vec<String>,
    upstreams: Vec<UpstreamStatus>,
    discovery: Option<DiscoveryStatus>,
    ssdp: Option<SsdpStatus>,
    certificates: Vec<CertificateStatus>,
    acme: Vec<AcmeStatus>,
    tuner_streams: Vec<StreamStatus>,
    proxies: ProxiesStatus,
    denied: BTreeMap<String, u64>,
    configuration: ConfigurationStatus,
}

#[derive(Serialize)]
struct ListenerStatus {
    name: String,
    wanted: String,
    state: &'static str,
    detail: String,
}

#[derive(Serialize)]
struct Connections {
    open: usize,
    total: u64,
}

#[derive(Serialize)]
struct AddressStatus {
    interface: String,
    index: u32,
    up: bool,
    address: String,
    url: Option<String>,
    because: Option<String>,
}

#[derive(Serialize)]
struct UpstreamStatus {
    /// As in the metrics and in `/ready`.
    name: String,
    url: String,
    base_url: String,
    hosts: Vec<String>,
    state: &'static str,
    reason: Option<String>,
    id: Option<String>,
    server_name: Option<String>,
    version: Option<String>,
}

#[derive(Serialize)]
struct DiscoveryStatus {
    state: String,
    answered: u64,
    not_a_question: u64,
    off_link: u64,
    limited: u64,
    unanswerable: u64,
}

#[derive(Serialize)]
struct CertificateStatus {
    name: String,
    names: Vec<String>,
    valid: bool,
    not_after: Option<String>,
    sha256: String,
    error: Option<String>,
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct ProxiesStatus {
    trusted: String,
    untrusted_requests: u64,
    untrusted_peers: Vec<String>,
}

#[derive(Serialize)]
struct ConfigurationStatus {
    last_reload_successful: bool,
    in_force_since: String,
    restart_needed: Vec<String>,
}

impl Status {
    pub(crate) fn new(health: &Health, watched: &Watched) -> Self {
        let last = watched.counts.last_reload();
        let denied = watched.refusals.iter().filter(|(reason, n)| !reason.allows() && *n > 0);
        Self {
            version: version::NUMBER,
            commit: version::commit(),
            listeners: health.listeners.outcomes().iter().map(listener).collect(),
            connections: connections(health),
            interfaces: interfaces(health),
            announced: health.announced(),
            upstreams: upstreams(health),
            discovery: discovery(&health.announcer),
            ssdp: health.dlna.report(),
            certificates: health.tls.iter().flat_map(Tls::others).map(certificate).collect(),
            acme: health.tls.iter().flat_map(Tls::acme).collect(),
            tuner_streams: tuners::streams(health.tuner.as_ref()),
            proxies: proxies(watched),
            denied: denied.map(|(reason, n)| (reason.to_string(), n)).collect(),
            configuration: ConfigurationStatus {
                last_reload_successful: last.successful,
                in_force_since: last.at.to_string(),
                restart_needed: last.restart_needed,
            },
        }
    }
}

fn listener(outcome: &Outcome) -> ListenerStatus {
    let state = match &outcome.kind {
        OutcomeKind::Listening { .. } => "listening",
        OutcomeKind::Lost { .. } => "lost",
        OutcomeKind::Waiting { .. } => "waiting",
        OutcomeKind::Lacking { .. } => "lacking",
        _ => "failed",
    };
    ListenerStatus {
        name: outcome.name.to_string(),
        wanted: outcome.listen.to_string(),
        state,
        detail: outcome.to_string(),
    }
}

fn connections(health: &Health) -> BTreeMap<String, Connections> {
    let counts = health.listeners.counts().into_iter();
    let one = |c: jellynet_bind::NameCounts| Connections { open: c.open, total: c.total };
    counts.map(|c| (c.name.to_string(), one(c))).collect()
}

fn interfaces(health: &Health) -> Vec<AddressStatus> {
    let Some(reach) = health.first().map(|site| site.reach) else { return Vec::new() };
    let table = reach.interfaces();
    let rows = table.addresses().map(|(interface, address)| {
        let ask = Ask::new(address.ip()).came_by(interface.index);
        let told = reach.url(&ask).filter(|_| interface.flags.up);
        AddressStatus {
            interface: interface.name.clone(),
            index: interface.index,
            up: interface.flags.up,
            address: address.net.to_string(),
            because: told.as_ref().map(|told| told.because.to_string()),
            url: told.map(|told| told.url),
        }
    });
    rows.collect()
}

fn upstreams(health: &Health) -> Vec<UpstreamStatus> {
    let sites = health.roll.sites();
    let upstreams = upstreams_of(&sites).map(|(site, upstream)| {
        let (status, place) = (upstream.status().current(), site.config());
        let who = status.identity.as_deref();
        UpstreamStatus {
            name: site.name(),
            base_url: place.base.as_str().to_owned(),
            hosts: place.hosts.clone(),
            url: upstream.config().url.to_string(),
            state: status.state.as_str(),
            id: who.map(|w| w.id.clone()),
            server_name: who.map(|w| w.server_name.clone()),
            version: who.map(|w| w.version.clone()),
            reason: status.reason,
        }
    });
    upstreams.collect()
}

fn discovery(announcer: &Announcer) -> Option<DiscoveryStatus> {
    let stats = announcer.stats()?;
    Some(DiscoveryStatus {
        state: announcer.status(),
        answered: stats.answered,
        not_a_question: stats.not_a_question,
        off_link: stats.off_link,
        limited: stats.limited,
        unanswerable: stats.unanswerable,
    })
}

fn certificate(status: jellynet_tls::Status) -> CertificateStatus {
    CertificateStatus {
        name: status.name,
        names: status.names,
        valid: status.serving && status.valid,
        not_after: status.not_after.as_ref().map(Timestamp::to_string),
        sha256: status.sha256,
        error: status.last_error,
        warnings: status.warnings.into_iter().map(|warning| warning.message).collect(),
    }
}

fn proxies(watched: &Watched) -> ProxiesStatus {
    let untrusted = watched.audit.counters().find(|(flag, _)| *flag == AuditFlag::UntrustedPeer);
    let peers = watched.audit.peers(AuditFlag::UntrustedPeer).into_iter();
    ProxiesStatus {
        trusted: watched.rules.load().proxies().addresses().to_string(),
        untrusted_requests: untrusted.map_or(0, |(_, count)| count),
        untrusted_peers: peers.take(PEERS).collect(),
    }
}
