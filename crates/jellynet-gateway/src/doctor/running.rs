//! The server that runs: does it, is it ready, and who does it say it is?

use futures_util::future::join_all;
use serde_json::Value;

use super::{Finding, Patient};
use crate::announce::Own;
use crate::config::{Config, Site};
use crate::fetch::{self, Target};
use crate::healthcheck::healthcheck;
use crate::{healthcheck as checks, reach};

const TEST: &str = "server";

/// What the server that runs says of itself.
#[derive(Debug, Default)]
pub(super) struct Running {
    /// What it answers when it is asked whether it is well.
    pub(super) health: Option<Result<(), String>>,
    /// The id of each site, as clients are told.
    pub(super) ids: Vec<Option<String>>,
    /// `/ready` of the administrator's listener.
    pub(super) ready: Option<Value>,
    /// `/status.json` of the administrator's listener.
    pub(super) status: Option<Value>,
    /// Why that listener could not be asked.
    pub(super) silent: Option<String>,
}

impl Running {
    pub(super) async fn look(config: &Config) -> Self {
        let admin = config.admin.listen.iter().find_map(reach::from_this_host);
        let ids = join_all(config.sites.iter().map(|site| id(config, site)));
        let (health, ids, admin) = tokio::join!(healthcheck(config), ids, async {
            let place = admin?;
            let ready = fetch::get(&Target::here(&place, false, "/ready")).await;
            let status = fetch::get(&Target::here(&place, false, "/status.json")).await;
            Some((json(ready), json(status)))
        });
        let mut running = Self { health: Some(health), ids, ..Self::default() };
        if let Some((ready, status)) = admin {
            running.silent = ready.as_ref().err().or_else(|| status.as_ref().err()).cloned();
            running.ready = ready.ok();
            running.status = status.ok();
        }
        running
    }

    /// Whether a server answers at all.
    pub(super) fn answers(&self) -> bool {
        matches!(self.health, Some(Ok(()))) || self.ready.is_some()
    }
}

fn json(answer: Result<fetch::Answer, String>) -> Result<Value, String> {
    let answer = answer?;
    serde_json::from_slice(&answer.body).map_err(|error| format!("{}: {error}", answer.status))
}

/// The id that clients of a site are told: the upstream's, or the one that is kept here.
async fn id(config: &Config, site: &Site) -> Option<String> {
    if site.upstream.is_none() {
        return Own::known_id(&config.server);
    }
    let mut target = checks::target(config, &site.base.join("/System/Info/Public"))?;
    let https = || config.https.listen.iter().find_map(reach::from_this_host);
    if let (true, Some(place)) = (site.https_redirect, https()) {
        (target.place, target.tls) = (place, true);
    }
    if let Some(host) = site.hosts.first() {
        // A pattern stands for any name below it.
        target.host = host.replacen("*.", "doctor.", 1);
    }
    identity(&fetch::get(&target).await.ok()?)
}

/// The id in an answer to `/System/Info/Public`.
pub(super) fn identity(answer: &fetch::Answer) -> Option<String> {
    let value: Value = serde_json::from_slice(&answer.body).ok()?;
    let id = value.get("Id").or_else(|| value.get("id"))?;
    Some(id.as_str()?.to_owned())
}

pub(super) async fn test(patient: Patient) -> Vec<Finding> {
    let running = &patient.running;
    let mut found = Vec::new();
    match &running.health {
        Some(Ok(())) => found.push(Finding::good(TEST, "the server runs and says that it is well")),
        Some(Err(why)) if running.answers() => found.push(Finding::problem(
            TEST,
            format!("the server runs and is not well: {why}"),
            "look at the parts below that are not ready, and at the server's log",
        )),
        Some(Err(why)) => found.push(Finding::problem(
            TEST,
            format!("the server does not answer: {why}"),
            "start it with this configuration, and read what it says: jellynet run",
        )),
        None => {}
    }
    if patient.config.admin.listen.is_empty() {
        found.push(Finding::note(
            TEST,
            "without an administrator's listener its inside cannot be looked at",
            "set admin.listen = [\"127.0.0.1:9096\"]",
        ));
    } else if let Some(why) = &running.silent {
        found.push(Finding::problem(
            TEST,
            format!("the administrator's listener does not answer: {why}"),
            "does the server run with this very configuration? restart it",
        ));
    }
    found.extend(parts(running.ready.as_ref()));
    found.extend(state(running.status.as_ref()));
    found
}

/// What is not ready.
fn parts(ready: Option<&Value>) -> Vec<Finding> {
    let parts = ready.and_then(|ready| ready.get("parts")).and_then(Value::as_array);
    let waiting = parts.into_iter().flatten().filter(|part| part["ready"] == false);
    waiting
        .map(|part| {
            let text = |key: &str| part[key].as_str().unwrap_or_default().to_owned();
            let what = format!("{} is not ready: {}", text("name"), text("reason"));
            let remedy = remedy(&text("name"));
            match part["required"].as_bool() {
                Some(false) => Finding::note(TEST, what, remedy),
                _ => Finding::problem(TEST, what, remedy),
            }
        })
        .collect()
}

fn remedy(part: &str) -> &'static str {
    match part.split(' ').next() {
        Some("upstream") => "start the media server, or mend upstream[].url",
        Some("certificate") => "mend the files of the certificate; they are loaded as they change",
        Some("http" | "https" | "admin") => "free the address, or listen elsewhere",
        _ => "see the server's log",
    }
}

/// What `/status.json` tells that nobody else looks at.
fn state(status: Option<&Value>) -> Vec<Finding> {
    let Some(status) = status else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let configuration = &status["configuration"];
    if configuration["last_reload_successful"] == false {
        found.push(Finding::problem(
            TEST,
            "the configuration was read again and refused: the one before is in force",
            "see the server's log, mend the file, and reload again (SIGHUP)",
        ));
    }
    let waiting = configuration["restart_needed"].as_array();
    let waiting: Vec<_> = waiting.into_iter().flatten().filter_map(Value::as_str).collect();
    if !waiting.is_empty() {
        found.push(Finding::note(
            TEST,
            format!("changed, and not in force before a restart: {}", waiting.join(", ")),
            "restart the server",
        ));
    }
    if let Some(ssdp) = status.pointer("/ssdp/state").and_then(Value::as_str) {
        let remedy = "stop the other program, or let it share the port";
        found.push(match ssdp.contains("another program") || ssdp.contains("not ") {
            true => Finding::note("ssdp", ssdp, remedy),
            false => Finding::good("ssdp", ssdp),
        });
    }
    found
}
