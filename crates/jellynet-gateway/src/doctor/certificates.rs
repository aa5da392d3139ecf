//! The certificates: can they be served, how long, for whom, and is it them that are served?

use jellynet_tls::{
    Identity, Inspection, Loader, Source, Timestamp, WarningKind, default_provider, inspect,
    serve_check,
};

use serde_json::Value;

use super::{Finding, Patient};
use crate::config::Config;
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
    found.extend(names(&patient, sources.clone()).await);
    if let Some(source) = sources.into_iter().next() {
        found.extend(served(&patient, source).await);
    }
    found
}

/// Whether some certificate names each host under which clients find a server here by HTTPS.
async fn names(patient: &Patient, mut sources: Vec<Source>) -> Option<Finding> {
    let Config { https, sites, server, .. } = &*patient.config;
    if https.local_ca {
        sources.push(Source::new(server.data_dir().join("local.pem")));
    }
    let mut hosts: Vec<_> = sites.iter().flat_map(|site| &site.hosts).collect();
    hosts.dedup();
    if hosts.is_empty() {
        return None;
    }
    let load = move || -> Vec<_> {
        let loader = Loader::new(default_provider());
        sources.iter().filter_map(|source| loader.load(source, Timestamp::now()).ok()).collect()
    };
    let identities = tokio::task::spawn_blocking(load).await.unwrap_or_default();
    let issued = https.acme.iter().flat_map(|acme| &acme.config.names);
    let issued: Vec<_> = issued.map(|name| name.to_ascii_lowercase()).collect();
    let covered = |host: &str| {
        // A pattern needs a pattern; that of its own names stands for one label, as here.
        let literal = |identity: &Identity| identity.info().names.iter().any(|own| own == host);
        identities.iter().any(|identity| literal(identity) || identity.covers(host))
            || issued.iter().any(|name| name == host || is_below_wildcard(name, host))
    };
    let bare: Vec<_> =
        hosts.iter().filter(|host| !covered(host)).map(|host| host.as_str()).collect();
    Some(if bare.is_empty() {
        Finding::good(TEST, "each host of the upstreams is named by a certificate")
    } else {
        let forced = sites.iter().any(|site| {
            site.https_redirect && site.hosts.iter().any(|host| bare.contains(&host.as_str()))
        });
        let what = format!("no certificate names {}: by HTTPS clients refuse it", bare.join(", "));
        let remedy = "add the names to acme.domains or tls.names, or an identity that has them";
        match forced {
            true => Finding::problem(TEST, what, remedy),
            false => Finding::note(TEST, what, remedy),
        }
    })
}

fn is_below_wildcard(name: &str, host: &str) -> bool {
    let above = name.strip_prefix("*.");
    above
        .zip(host.split_once('.'))
        .is_some_and(|(above, (label, rest))| label != "*" && above == rest)
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
