//! TXT records for DNS-01.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::{sleep, timeout};

use super::UpdateProblem;

/// What a [`DnsProvider`] returns.
pub type DnsFuture<'a> = Pin<Box<dyn Future<Output = Result<(), DnsError>> + Send + 'a>>;

/// Something that sets TXT records.
pub trait DnsProvider: Send + Sync {
    /// Adds a TXT record beside those that are there, and returns when it can be seen by others.
    fn add_txt<'a>(&'a self, name: &'a str, value: &'a str) -> DnsFuture<'a>;

    /// Takes it away again.
    fn remove_txt<'a>(&'a self, name: &'a str, value: &'a str) -> DnsFuture<'a>;
}

/// A record that was not set.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DnsError {
    /// The program cannot be started.
    #[error("cannot run {}", .program.display())]
    Spawn {
        /// Which program.
        program: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The program failed.
    #[error("{} failed with {status}: {output}", .program.display())]
    Program {
        /// Which program.
        program: PathBuf,
        /// How it ended.
        status: String,
        /// The end of what it wrote to standard error.
        output: String,
    },
    /// The name server cannot be reached.
    #[error("cannot ask the name server {server}")]
    NameServer {
        /// Host and port.
        server: String,
        /// What the operating system says.
        source: io::Error,
    },
    /// The name server does not do what it was asked.
    #[error("the name server {server} {problem}")]
    Update {
        /// Host and port.
        server: String,
        /// Why not, and what to do.
        problem: UpdateProblem,
    },
    /// Another provider failed.
    #[error("{reason}")]
    Provider {
        /// Why.
        reason: String,
    },
}

/// A program that sets the records: `PROGRAM add NAME VALUE` and `PROGRAM remove NAME VALUE`.
///
/// It ends with 0 when the record is set; then the pause follows, for secondary servers to catch
/// up. For name servers with dynamic updates there is [`DnsUpdate`](crate::DnsUpdate).
#[derive(Clone, Debug)]
pub struct DnsHook {
    program: PathBuf,
    pause: Duration,
    limit: Duration,
}

impl DnsHook {
    /// With a pause of 10 s after each record, and 2 minutes for the program.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        let (pause, limit) = (Duration::from_secs(10), Duration::from_secs(120));
        Self { program: program.into(), pause, limit }
    }

    /// With another pause.
    #[must_use]
    pub const fn with_pause(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    async fn run(&self, verb: &str, name: &str, value: &str) -> Result<(), DnsError> {
        let program = || self.program.clone();
        let mut command = Command::new(&self.program);
        command.args([verb, name, value]).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let output = match timeout(self.limit, command.output()).await {
            Ok(Ok(output)) => output,
            Ok(Err(source)) => {
                return Err(DnsError::Spawn { program: program(), source });
            }
            Err(_) => {
                let status = format!("no end within {:?}", self.limit);
                return Err(DnsError::Program {
                    program: program(),
                    status,
                    output: String::new(),
                });
            }
        };
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        Err(DnsError::Program {
            program: program(),
            status: output.status.to_string(),
            output: last.trim().to_owned(),
        })
    }
}

impl DnsProvider for DnsHook {
    fn add_txt<'a>(&'a self, name: &'a str, value: &'a str) -> DnsFuture<'a> {
        Box::pin(async move {
            self.run("add", name, value).await?;
            sleep(self.pause).await;
            Ok(())
        })
    }

    fn remove_txt<'a>(&'a self, name: &'a str, value: &'a str) -> DnsFuture<'a> {
        Box::pin(self.run("remove", name, value))
    }
}
