//! Which certificates are shown on HTTPS, and what keeps them fresh.
//!
//! | configured | shown first | besides |
//! | --- | --- | --- |
//! | `[[identity]]` | the files | |
//! | `[acme]` | what the authority issued; until then one made here | |
//! | `tls.local_ca` | one of this host's own authority | for names that no other certificate has |
//! | nothing | one that signs itself | |
//!
//! There always is a certificate to show, and nothing here ends what listens for plain HTTP.

mod acme;
mod advice;
mod local;

use std::path::Path;
use std::sync::Arc;

use jellynet_admin::{Kind, Metrics, Part, Sample};
use jellynet_netif::Interfaces;
use jellynet_tls::{
    AcmeManager, AcmeStatus, Event, HandshakeCounts, Http01, IdentityStore, Loader, LocalAuthority,
    Status, Timestamp, TlsAcceptor, TlsOptions, default_provider,
};

use crate::config::Https;
use crate::counts::Counts;
use crate::gateway::OpenError;

/// HTTPS at work; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    pub(crate) acceptor: TlsAcceptor,
    pub(crate) store: IdentityStore,
    acme: Arc<[AcmeManager]>,
    authority: Option<Arc<LocalAuthority>>,
}

impl Tls {
    /// Loads what is configured, or makes a certificate where none is; then watches the files, and
    /// asks the authority where one is configured.
    pub(crate) fn open(
        config: &Https,
        data: &Path,
        interfaces: &Interfaces,
        counts: &Counts,
    ) -> Result<Self, OpenError> {
        let store = IdentityStore::new(Loader::new(default_provider()));
        load_files(&store, config)?;
        let acme = acme::open(config, data, &store)?;
        let authority = local::open(&store, config, data, interfaces)?;
        if store.identity_for(None).is_none() {
            local::stand_in(&store, config, data, interfaces)?;
        }
        let mut options = TlsOptions::default();
        options.profile = config.profile;
        let acceptor = TlsAcceptor::new(&store, options).map_err(|error| {
            OpenError::Certificate { name: "tls".to_owned(), source: Box::new(error) }
        })?;
        let (watched, counts) = (store.clone(), counts.clone());
        tokio::spawn(store.clone().watch(IdentityStore::WATCH_INTERVAL, move |event| {
            counts.certificate(&event);
            tell(&event);
            local::retire_stand_in(&watched);
        }));
        acme::start(&acme, &store);
        Ok(Self { acceptor, store, acme: acme.into(), authority })
    }

    /// The answers to HTTP-01 challenges, where an authority is asked.
    pub(crate) fn http01(&self) -> Option<Http01> {
        self.acme.first().map(AcmeManager::http01)
    }

    /// The authority of this host's own, where there is one.
    pub(crate) fn root(&self) -> Option<&LocalAuthority> {
        self.authority.as_deref()
    }

    /// Takes the certificate that stands in away, once there is another.
    pub(crate) fn retire_stand_in(&self) {
        local::retire_stand_in(&self.store);
    }

    /// How each certificate of an authority stands.
    pub(crate) fn acme(&self) -> Vec<AcmeStatus> {
        let now = Timestamp::now();
        self.acme.iter().map(|manager| manager.status(now)).collect()
    }

    /// How all the other certificates stand.
    pub(crate) fn others(&self) -> Vec<Status> {
        let all = self.store.status(Timestamp::now());
        let acme = self.acme();
        all.into_iter().filter(|one| acme.iter().all(|acme| acme.identity != one.name)).collect()
    }

    /// Each certificate, and what is wrong with it. Where one stands in for it, or an old one
    /// serves, the server is ready all the same.
    pub(crate) fn parts(&self) -> Vec<Part> {
        let others = self.others().into_iter().map(|status| {
            let name = format!("certificate {}", status.name);
            match status.last_error {
                None if status.serving && status.valid => Part::ready(name),
                // What was loaded before is served still.
                Some(error) if status.serving && status.valid => {
                    Part::waiting(name, error).optional()
                }
                Some(error) => Part::waiting(name, error),
                None => Part::waiting(name, "it is expired or not yet valid"),
            }
        });
        let acme = self.acme().into_iter().map(|status| {
            let name = format!("certificate {}", status.identity);
            match acme::trouble(&status, Timestamp::now()) {
                None => Part::ready(name),
                // HTTP-01 needs a server that an orchestrator lets requests through to.
                Some(why) => Part::waiting(name, why).optional(),
            }
        });
        others.chain(acme).collect()
    }

    /// A line for each certificate.
    pub(crate) fn lines(&self) -> Vec<String> {
        let line = |status: &Status| match (&status.last_error, status.not_after) {
            (_, Some(until)) => {
                let warnings =
                    status.warnings.iter().map(|warning| format!("; {}", warning.message));
                let failed =
                    status.last_error.as_ref().map(|error| format!("; not renewed: {error}"));
                format!(
                    "certificate: {} for {}, until {until}{}{}",
                    status.name,
                    status.names.join(", "),
                    failed.unwrap_or_default(),
                    warnings.collect::<String>()
                )
            }
            (error, None) => {
                format!(
                    "certificate: {}: {}",
                    status.name,
                    error.as_deref().unwrap_or("there is none")
                )
            }
        };
        let mut lines: Vec<_> = self.others().iter().map(line).collect();
        lines.extend(self.acme().iter().map(|status| acme::line(status, Timestamp::now())));
        lines.extend(self.authority.as_deref().map(local::line));
        lines
    }

    /// Adds what a monitor watches.
    pub(crate) fn count(&self, metrics: &Metrics) {
        let sample = |name: String, value: i64| Sample {
            labels: vec![("identity", name)],
            value: u64::try_from(value).unwrap_or(0) as f64,
        };
        let (store, acme, failing) = (self.store.clone(), self.clone(), self.clone());
        metrics.add(
            "jellynet_tls_certificate_not_after_timestamp_seconds",
            "When a certificate expires.",
            Kind::Gauge,
            move || {
                let all = store.status(Timestamp::now()).into_iter();
                let until = all.filter_map(|s| Some((s.name, s.not_after?)));
                until.map(|(name, until)| sample(name, until.as_unix())).collect()
            },
        );
        let acceptor = self.acceptor.clone();
        metrics.add(
            "jellynet_tls_handshakes_total",
            "Handshakes, by how they ended.",
            Kind::Counter,
            move || handshakes(acceptor.counts()),
        );
        if self.acme.is_empty() {
            return;
        }
        metrics.add(
            "jellynet_acme_next_attempt_timestamp_seconds",
            "When the authority is asked for a certificate next.",
            Kind::Gauge,
            move || {
                let all = acme.acme().into_iter();
                all.map(|s| sample(s.identity.to_owned(), s.next_attempt.as_unix())).collect()
            },
        );
        metrics.add(
            "jellynet_acme_failures",
            "How often in a row the authority gave no certificate.",
            Kind::Gauge,
            move || {
                let all = failing.acme().into_iter();
                all.map(|s| sample(s.identity.to_owned(), s.failures.into())).collect()
            },
        );
    }
}

/// The files that are configured; they are followed from now on.
fn load_files(store: &IdentityStore, config: &Https) -> Result<(), OpenError> {
    for (at, source) in config.identities.iter().enumerate() {
        let name = format!("identity[{at}]");
        match store.add(&name, source.clone(), Timestamp::now()) {
            Ok(_) => {}
            Err(error) if config.optional => {
                tracing::error!(name, %error, "go on without a certificate that does not load");
            }
            Err(error) => {
                return Err(OpenError::Certificate { name, source: Box::new(error) });
            }
        }
    }
    Ok(())
}

fn handshakes(counts: HandshakeCounts) -> Vec<Sample> {
    let outcomes = [
        ("completed", counts.completed),
        ("failed", counts.failed),
        ("timed-out", counts.timed_out),
        ("refused", counts.refused),
        ("challenge", counts.challenges),
    ];
    let one = |(outcome, count): (&str, u64)| Sample {
        labels: vec![("outcome", outcome.to_owned())],
        value: count as f64,
    };
    outcomes.into_iter().map(one).collect()
}

fn tell(event: &Event) {
    match event {
        Event::Failed { .. } => tracing::error!(%event, "keep the certificate that is served"),
        Event::Warned { .. } => tracing::warn!(%event, "certificate"),
        _ => tracing::info!(%event, "certificate"),
    }
}
