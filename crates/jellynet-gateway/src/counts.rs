//! What nobody else counts, and the metrics of what others count: names as an administrator knows
//! them, labels out of bounded sets, read when they are scraped.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jellynet_admin::{Kind, Metrics, Sample};
use jellynet_forwarded::{AuditFlag, AuditLog};
use jellynet_netif::{Change, Interfaces};
use jellynet_tls::{Event, Timestamp};

use crate::announce::Announcer;
use crate::dlna::Dlna;

/// How an interface or an address can change.
const CHANGES: [&str; 6] = [
    "interface-new",
    "interface-gone",
    "flags-changed",
    "address-new",
    "address-ready",
    "address-gone",
];

/// What is counted here; a clone shares all.
#[derive(Clone, Debug)]
pub(crate) struct Counts(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    changes: [AtomicU64; CHANGES.len()],
    certificates_loaded: AtomicU64,
    certificates_failed: AtomicU64,
    configuration: Mutex<Reloaded>,
}

/// How the configuration was read last.
#[derive(Clone, Debug)]
pub(crate) struct Reloaded {
    /// Whether it is in force.
    pub(crate) successful: bool,
    /// When one was put in force last; the start counts.
    pub(crate) at: Timestamp,
    /// Keys that were changed and count after a restart.
    pub(crate) restart_needed: Vec<String>,
}

impl Counts {
    /// Nothing counted yet; the configuration was read just now.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inner {
            changes: Default::default(),
            certificates_loaded: AtomicU64::default(),
            certificates_failed: AtomicU64::default(),
            configuration: Mutex::new(Reloaded {
                successful: true,
                at: Timestamp::now(),
                restart_needed: Vec::new(),
            }),
        }))
    }

    /// Counts what changes on the interfaces.
    pub(crate) fn follow_interfaces(&self, mut interfaces: Interfaces) {
        let counts = self.clone();
        tokio::spawn(async move {
            while let Some(update) = interfaces.changed().await {
                update.changes.iter().for_each(|change| counts.change(change));
            }
        });
    }

    fn change(&self, change: &Change) {
        let kind = match change {
            Change::InterfaceNew { .. } => "interface-new",
            Change::InterfaceGone { .. } => "interface-gone",
            Change::FlagsChanged { .. } => "flags-changed",
            Change::AddressNew { .. } => "address-new",
            Change::AddressReady { .. } => "address-ready",
            Change::AddressGone { .. } => "address-gone",
            _ => return,
        };
        let counters = CHANGES.iter().zip(&self.0.changes);
        for (_, counter) in counters.filter(|(name, _)| **name == kind) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts what became of a certificate's files.
    pub(crate) fn certificate(&self, event: &Event) {
        match event {
            Event::Replaced { .. } => self.0.certificates_loaded.fetch_add(1, Ordering::Relaxed),
            Event::Failed { .. } => self.0.certificates_failed.fetch_add(1, Ordering::Relaxed),
            _ => 0,
        };
    }

    /// The configuration was read again, and is in force but for these keys.
    pub(crate) fn reloaded(&self, restart_needed: Vec<String>) {
        let mut last = self.0.configuration.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Reloaded { successful: true, at: Timestamp::now(), restart_needed };
    }

    /// The configuration was read again and is no good: the one before stays.
    pub(crate) fn not_reloaded(&self) {
        self.0.configuration.lock().unwrap_or_else(PoisonError::into_inner).successful = false;
    }

    /// How the configuration was read last.
    pub(crate) fn last_reload(&self) -> Reloaded {
        self.0.configuration.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds the metrics of all this, and of those who count for themselves.
    pub(crate) fn register(
        &self,
        metrics: &Metrics,
        audit: AuditLog,
        announcer: Announcer,
        dlna: Dlna,
    ) {
        metrics.add(
            "jellynet_forwarded_untrusted_total",
            "Requests with forwarding headers from a peer that is no known proxy.",
            Kind::Counter,
            move || {
                let untrusted = audit.counters().find(|(f, _)| *f == AuditFlag::UntrustedPeer);
                vec![sample([], untrusted.map_or(0, |(_, count)| count))]
            },
        );
        self.register_own(metrics);
        self.register_configuration(metrics);
        register_discovery(metrics, announcer, dlna);
    }

    fn register_own(&self, metrics: &Metrics) {
        let counts = self.clone();
        metrics.add(
            "jellynet_interface_changes_total",
            "Changes of this host's interfaces and addresses.",
            Kind::Counter,
            move || {
                let counters = CHANGES.iter().zip(&counts.0.changes);
                let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
                counters.map(|(kind, n)| sample([("kind", kind)], value(n))).collect()
            },
        );
        let counts = self.clone();
        metrics.add(
            "jellynet_tls_reloads_total",
            "Certificates that changed on disk, and whether they loaded.",
            Kind::Counter,
            move || {
                let (loaded, failed) =
                    (&counts.0.certificates_loaded, &counts.0.certificates_failed);
                vec![
                    sample([("result", "success")], loaded.load(Ordering::Relaxed)),
                    sample([("result", "failure")], failed.load(Ordering::Relaxed)),
                ]
            },
        );
    }

    fn register_configuration(&self, metrics: &Metrics) {
        let counts = self.clone();
        metrics.add(
            "jellynet_config_last_reload_successful",
            "Whether the configuration that was read last is in force.",
            Kind::Gauge,
            move || vec![sample([], counts.last_reload().successful.into())],
        );
        let counts = self.clone();
        metrics.add(
            "jellynet_config_last_reload_success_timestamp_seconds",
            "When a configuration was put in force last.",
            Kind::Gauge,
            move || {
                let at = counts.last_reload().at.as_unix();
                vec![sample([], u64::try_from(at).unwrap_or(0))]
            },
        );
    }
}

/// What was asked and answered on 7359/udp and by SSDP.
fn register_discovery(metrics: &Metrics, announcer: Announcer, dlna: Dlna) {
    let (asked, answered) = ((announcer.clone(), dlna.clone()), (announcer, dlna));
    metrics.add(
        "jellynet_discovery_requests_total",
        "Datagrams on the discovery ports, and what became of them.",
        Kind::Counter,
        move || {
            let (announcer, dlna) = &asked;
            let mut samples = Vec::new();
            let mut add = |protocol, outcome, value| {
                samples.push(sample([("protocol", protocol), ("outcome", outcome)], value));
            };
            if let Some(stats) = announcer.stats() {
                add("7359", "answered", stats.answered);
                add("7359", "not-a-question", stats.not_a_question);
                add("7359", "off-link", stats.off_link);
                add("7359", "limited", stats.limited);
                add("7359", "unanswerable", stats.unanswerable);
            }
            if let Some(stats) = dlna.counters() {
                add("ssdp", "search", stats.searches);
                add("ssdp", "malformed", stats.malformed);
                add("ssdp", "unmatched", stats.unmatched);
                add("ssdp", "off-link", stats.off_link);
                add("ssdp", "limited", stats.throttled);
                add("ssdp", "repeated", stats.repeated);
            }
            samples
        },
    );
    metrics.add(
        "jellynet_discovery_responses_total",
        "Answers on the discovery ports.",
        Kind::Counter,
        move || {
            let (announcer, dlna) = &answered;
            let jellyfin = announcer.stats().map(|stats| ("7359", stats.answered));
            let ssdp = dlna.counters().map(|counted| ("ssdp", counted.answers));
            let both = [jellyfin, ssdp].into_iter().flatten();
            both.map(|(protocol, value)| sample([("protocol", protocol)], value)).collect()
        },
    );
}

fn sample<const N: usize>(labels: [(&'static str, &str); N], value: u64) -> Sample {
    let labels = labels.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
    Sample { labels, value: value as f64 }
}
