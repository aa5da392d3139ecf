//! The certificates: can they be served, how long, for whom, and is it them that are served?

use jellynet_tls::{
    Inspection, Loader, Source, Timestamp, WarningKind, default_provider, inspect, serve_check,
};

use serde_json::Value;

use super::{Finding, Patient};
use crate::reach;

const TEST: &str = "certificates";

pub(super) async fn test(patient: Patient) -> Vec<Finding> {
    let https = &patient.config.https;
    if https.listen.is_empty() {
        return vec![Finding::good(TEST, "HTTPS is off: a proxy in front may end it")];
    }
    let mut sources = https.identities.clone();
    let made_here = sources.is_empty() && https.acme.is_none() && !https.local_ca;
    if made_here {
        sources.push(Source::new(patient.config.server.data_dir().join("self-signed.pem")));
    }
    let mut found = issued(&patient);
    if made_here {
        found.push(Finding::note(
            TEST,
            "HTTPS shows a certificate that was made here: clients refuse it until it is accepted",
            "set identity[0].certificate to one of a public authority",
        ));
    }
    let read = sources.clone();
    let read = move || read.iter().flat_map(on_disk).collect::<Vec<_>>();
    found.extend(tokio::task::spawn_blocking(read).await.unwrap_or_default());
    if let Some(source) = sources.into_iter().next() {
        found.extend(served(&patient, source).await);
    }
    found
}

/// How an authority's certificates stand, as the server that runs tells it.
fn issued(patient: &Patient) -> Vec<Finding> {
    let status = patient.running.status.as_ref();
    let all = status.and_then(|status| status.get("acme")?.as_array());
    let findings = all.into_iter().flatten().map(|one| {
        let text = |key: &str| one.get(key).and_then(Value::as_str).unwrap_or("nothing");
        let names = one.get("names").map(Value::to_string).unwrap_or_default();
        let (until, next) = (text("not_after"), text("next_attempt"));
        let failures = one.get("failures").and_then(Value::as_u64).unwrap_or(0);
        if failures > 0 {
            Finding::problem(
                TEST,
                format!("{} issues nothing for {names}: {}", text("directory"), text("last_error")),
                format!("it is asked again at {next}; docs/guide/lets-encrypt.md has the remedies"),
            )
        } else if one.get("not_after").is_none_or(Value::is_null) {
            Finding::note(
                TEST,
                format!("{} has issued nothing yet for {names}", text("directory")),
                format!("nothing: it is asked at {next}"),
            )
        } else {
            Finding::good(
                TEST,
                format!("{} issued one for {names} until {until}", text("directory")),
            )
        }
    });
    findings.collect()
}

/// What lies on the disk.
fn on_disk(source: &Source) -> Vec<Finding> {
    let (path, now) = (source.path().display(), Timestamp::now());
    let report = match inspect(source, &Loader::new(default_provider()), now) {
        Inspection::Usable(report) => report,
        Inspection::Unusable { error } => {
            return vec![Finding::problem(
                TEST,
                error.message,
                "mend the file; it is loaded as soon as it can be",
            )];
        }
        _ => return Vec::new(),
    };
    let (names, until) = (report.leaf.san.join(", "), report.leaf.not_after);
    let mut found = vec![if until < now {
        Finding::problem(
            TEST,
            format!("{path} for {names} expired on {until}"),
            "renew it; it is loaded as soon as the file changes",
        )
    } else {
        Finding::good(TEST, format!("{path} for {names} is valid until {until}"))
    }];
    found.extend(report.warnings.into_iter().map(|warning| {
        let what = format!("{path}: {}", warning.message);
        let remedy = "clients refuse it, or soon will: have it made anew";
        match warning.kind {
            WarningKind::Expired => Finding::problem(TEST, what, remedy),
            _ => Finding::note(TEST, what, remedy),
        }
    }));
    found
}

/// Whether what is served is what lies on the disk.
async fn served(patient: &Patient, source: Source) -> Option<Finding> {
    if !patient.running.answers() {
        return None;
    }
    let place = patient.config.https.listen.iter().find_map(reach::from_this_host)?;
    let loaded = tokio::task::spawn_blocking(move || {
        Loader::new(default_provider()).load(&source, Timestamp::now())
    });
    let expected = loaded.await.ok()?.ok()?;
    Some(match serve_check(&place, Some(&expected), default_provider()).await {
        Ok(report) if report.as_expected == Some(true) => Finding::good(
            TEST,
            format!("{place} serves what lies on the disk, by {}", report.version),
        ),
        Ok(_) => Finding::problem(
            TEST,
            format!("{place} serves another certificate than lies on the disk"),
            "was it just replaced? It is loaded within seconds; else see the server's log",
        ),
        Err(error) => Finding::problem(
            TEST,
            format!("{place}: {error}"),
            "see the server's log for why HTTPS does not work",
        ),
    })
}
