//! Looks at a configuration, at this host, and at the server that runs on it, as a patient friend
//! would: test by test, each with what was found and what to do about it.
//!
//! Every test is bounded in time, changes nothing, and shows no secret.

mod certificates;
mod host;
mod neighbours;
mod ports;
mod proxies;
mod running;
mod tuners;
mod urls;

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use jellynet_netif::{InterfaceTable, Interfaces};
use serde::Serialize;
use tokio::time::timeout;

use self::running::Running;
use crate::config::Config;

/// Longer than any test takes.
const LIMIT: Duration = Duration::from_secs(15);

/// What a test found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Verdict {
    /// It is as it should be.
    Good,
    /// It may be meant so; somebody should look at it who knows.
    Note,
    /// It does not work, or will not for some clients.
    Problem,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// The test, such as `ports`.
    pub test: &'static str,
    /// How it is.
    pub verdict: Verdict,
    /// What was found.
    pub what: String,
    /// What to do about it; none where all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Finding {
    fn good(test: &'static str, what: impl Into<String>) -> Self {
        Self { test, verdict: Verdict::Good, what: what.into(), remedy: None }
    }

    fn note(test: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { test, verdict: Verdict::Note, what: what.into(), remedy: Some(remedy.into()) }
    }

    fn problem(test: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { test, verdict: Verdict::Problem, what: what.into(), remedy: Some(remedy.into()) }
    }

    /// A configuration that cannot be read: all that is wrong with it, in words.
    #[must_use]
    pub fn bad_configuration(problems: &str) -> Self {
        Self::problem(
            "configuration",
            problems,
            "mend the configuration; the rest is looked at then",
        )
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Good => "ok",
            Verdict::Note => "note",
            Verdict::Problem => "PROBLEM",
        };
        write!(f, "{verdict:<8} {:<14} {}", self.test, self.what.replace('\n', "\n    "))?;
        match &self.remedy {
            Some(remedy) => write!(f, "\n                        -> {remedy}"),
            None => Ok(()),
        }
    }
}

/// All that was found.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Diagnosis {
    /// Whether there is no problem.
    pub well: bool,
    /// What was found, in the order in which the tests ended.
    pub findings: Vec<Finding>,
}

impl Diagnosis {
    /// Of these findings.
    #[must_use]
    pub fn new(findings: Vec<Finding>) -> Self {
        let well = findings.iter().all(|finding| finding.verdict != Verdict::Problem);
        Self { well, findings }
    }

    /// How many of each there are, in words.
    #[must_use]
    pub fn summary(&self) -> String {
        let count =
            |verdict| self.findings.iter().filter(|finding| finding.verdict == verdict).count();
        let (good, notes) = (count(Verdict::Good), count(Verdict::Note));
        match count(Verdict::Problem) {
            0 => format!("all is well: {good} ok, {notes} to note"),
            1 => format!("1 problem, {notes} to note, {good} ok"),
            n => format!("{n} problems, {notes} to note, {good} ok"),
        }
    }
}

/// What the tests look at; cheap to clone.
#[derive(Clone)]
struct Patient {
    config: Arc<Config>,
    interfaces: Interfaces,
    running: Arc<Running>,
}

impl Patient {
    fn table(&self) -> Arc<InterfaceTable> {
        self.interfaces.current()
    }
}

type Test = Pin<Box<dyn Future<Output = Vec<Finding>> + Send>>;

fn named(name: &'static str, test: impl Future<Output = Vec<Finding>> + Send + 'static) -> Test {
    Box::pin(async move {
        timeout(LIMIT, test).await.unwrap_or_else(|_| {
            let what = format!("did not end within {} s", LIMIT.as_secs());
            vec![Finding::problem(name, what, "look at this host's load, DNS and network")]
        })
    })
}

/// Runs all tests side by side and tells each finding as it comes.
///
/// # Errors
///
/// When this host's interfaces cannot be read.
///
/// # Panics
///
/// Outside a tokio runtime.
pub async fn examine(
    config: Config,
    mut tell: impl FnMut(&Finding),
) -> Result<Diagnosis, io::Error> {
    let interfaces = Interfaces::watch()?;
    let config = Arc::new(config);
    let mut findings = vec![Finding::good("configuration", "can be read, every key is known")];
    findings.iter().for_each(&mut tell);
    let running = Arc::new(Running::look(&config).await);
    let patient = Patient { config, interfaces, running };
    let of = || patient.clone();
    let tests = [
        named("server", running::test(of())),
        named("interfaces", host::interfaces(of())),
        named("container", host::container(of())),
        named("clock", host::clock()),
        named("ipv6", host::ipv6(of())),
        named("ports", ports::test(of())),
        named("published", urls::test(of())),
        named("proxies", proxies::test(of())),
        named("certificates", certificates::test(of())),
        named("twins", neighbours::test(of())),
        named("tuners", tuners::test(of())),
    ];
    let mut tests: FuturesUnordered<_> = tests.into_iter().collect();
    while let Some(found) = tests.next().await {
        found.iter().for_each(&mut tell);
        findings.extend(found);
    }
    Ok(Diagnosis::new(findings))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_what_makes_it_ill() {
        let good = Finding::good("clock", "right");
        let note = Finding::note("ports", "shared", "nothing, if it is meant so");
        let well = Diagnosis::new(vec![good.clone(), note.clone()]);
        assert!(well.well);
        assert_eq!(well.summary(), "all is well: 1 ok, 1 to note");
        let problem = Finding::problem("ports", "taken", "stop the other program");
        assert_eq!(
            problem.to_string(),
            "PROBLEM  ports          taken\n                        -> stop the other program"
        );
        let ill = Diagnosis::new(vec![good, note, problem]);
        assert!(!ill.well);
        assert_eq!(ill.summary(), "1 problem, 1 to note, 1 ok");
    }
}
