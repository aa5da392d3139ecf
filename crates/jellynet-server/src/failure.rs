//! How the program ends: exit codes, and the line that says why.

use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use jellynet_gateway::OpenError;
use jellynet_settings::SettingsError;

/// What was looked at has a problem.
pub(crate) const FOUND_A_PROBLEM: u8 = 3;
/// Try again later: an address in use, or not there yet (sysexits `EX_TEMPFAIL`).
const TEMPORARY: u8 = 75;
/// The configuration is bad: trying again changes nothing (sysexits `EX_CONFIG`).
const CONFIGURATION: u8 = 78;

/// Why the program cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Something failed that worked when it was tried before, or may work elsewhere.
    #[error("{what}")]
    Runtime {
        what: String,
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// Nothing can be listened on now.
    #[error("{0}")]
    Temporary(String),
    /// The operator must change something.
    #[error("{0}")]
    Configuration(String),
}

impl Failure {
    pub(crate) fn runtime(
        what: impl Into<String>,
        source: impl Error + Send + Sync + 'static,
    ) -> Self {
        Self::Runtime { what: what.into(), source: Some(Box::new(source)) }
    }

    pub(crate) fn plain(what: impl Into<String>) -> Self {
        Self::Runtime { what: what.into(), source: None }
    }

    /// Prints the chain of causes on one line and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        let _ = writeln!(std::io::stderr(), "jellynet: {}", chain(self));
        ExitCode::from(match self {
            Self::Runtime { .. } => 1,
            Self::Temporary(_) => TEMPORARY,
            Self::Configuration(_) => CONFIGURATION,
        })
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Listen { temporary: true, .. } => Self::Temporary(error.to_string()),
            error => Self::runtime("cannot start", error),
        }
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        let count = error.problems().len();
        let noun = if count == 1 { "problem" } else { "problems" };
        let mut text = format!("the configuration has {count} {noun}");
        for problem in error.problems() {
            let _ = write!(text, "\n  {problem}");
        }
        Self::Configuration(text)
    }
}

/// The messages of an error and its causes, joined by `: `.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}
