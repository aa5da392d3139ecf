//! Certificates that an authority issues: asked for in the background, told about in the log.

use std::path::Path;

use jellynet_tls::{AcmeEvent, AcmeManager, AcmeStatus, AcmeStep, IdentityStore, Timestamp};

use super::{advice, local};
use crate::config::Https;
use crate::gateway::OpenError;

/// The managers, one for each kind of key; a certificate that was kept is served at once.
pub(super) fn open(
    config: &Https,
    data: &Path,
    store: &IdentityStore,
) -> Result<Vec<AcmeManager>, OpenError> {
    let Some(acme) = &config.acme else {
        return Ok(Vec::new());
    };
    let failed = |error| OpenError::Certificate { name: "acme".into(), source: Box::new(error) };
    let mut wanted = acme.config.clone();
    wanted.storage = data.join("acme");
    let mut managers: Vec<AcmeManager> = Vec::new();
    for key in &acme.keys {
        wanted.key = *key;
        let manager = match managers.first() {
            Some(first) => first.beside(*key),
            None => AcmeManager::new(wanted.clone(), store),
        };
        managers.push(manager.map_err(failed)?);
    }
    for manager in &managers {
        manager.load(Timestamp::now());
    }
    Ok(managers)
}

/// Asks in the background, now or when it is due.
pub(super) fn start(managers: &[AcmeManager], store: &IdentityStore) {
    for manager in managers {
        let (store, challenge) = (store.clone(), manager.status(Timestamp::now()).challenge);
        tokio::spawn(manager.clone().run(move |event| {
            tell(&event, challenge);
            if matches!(event, AcmeEvent::Issued { .. }) {
                local::retire_stand_in(&store);
            }
        }));
    }
}

fn tell(event: &AcmeEvent, challenge: &str) {
    match event {
        AcmeEvent::Step(step @ AcmeStep::Record { .. }) => {
            tracing::warn!(%step, "ACME needs a record in the DNS, set once by hand");
        }
        AcmeEvent::Step(step) => tracing::info!(%step, "ACME"),
        AcmeEvent::Failed { message, retry_at } => {
            let advice = advice::for_error(message, challenge);
            tracing::error!(%retry_at, error = message, advice, "ACME gives no certificate");
        }
        AcmeEvent::NotSaved { message } => {
            let advice = "make room or set server.data_dir to a directory that can be written";
            tracing::error!(error = message, advice, "ACME certificate is served but not kept");
        }
        event => tracing::info!(%event, "ACME"),
    }
}

/// Why a certificate is not as it should be, and when it is going to be; `None` for one that is.
pub(super) fn trouble(status: &AcmeStatus, now: Timestamp) -> Option<String> {
    let next = if status.under_way {
        "it is being asked for now".to_owned()
    } else {
        format!("it is asked for at {}", status.next_attempt)
    };
    let error = status.last_error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
    match status.not_after {
        None => Some(format!("there is none yet, {next}{error}")),
        Some(until) if until < now => Some(format!("it expired at {until}, {next}{error}")),
        Some(until) if status.last_error.is_some() => {
            Some(format!("it is good until {until} and could not be renewed, {next}{error}"))
        }
        Some(_) => None,
    }
}

/// How it stands, in a line.
pub(super) fn line(status: &AcmeStatus, now: Timestamp) -> String {
    let (name, names) = (status.identity, status.names.join(", "));
    match (trouble(status, now), status.not_after) {
        (None, Some(until)) => {
            let next = status.next_attempt;
            format!("certificate: {name} for {names}, until {until}; renewed at {next}")
        }
        (trouble, _) => {
            format!("certificate: {name} for {names}: {}", trouble.unwrap_or_default())
        }
    }
}
