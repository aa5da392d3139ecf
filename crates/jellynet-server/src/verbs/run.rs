//! `jellynet run`: opens, says so, serves, drains when a signal comes.

use jellynet_bind::systemd;
use jellynet_gateway::Gateway;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::SettingsArgs;
use crate::failure::Failure;
use crate::sources::{self, Configured};
use crate::verbs::{print, runtime};

pub(super) fn run(args: &SettingsArgs) -> Result<(), Failure> {
    let configured = sources::load(args)?;
    configured.log.clone().start();
    runtime()?.block_on(serve(configured))
}

async fn serve(configured: Configured) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    let gateway = Gateway::open(configured.config)?;
    let file = configured
        .file
        .map_or_else(|| "no configuration file".to_owned(), |f| f.display().to_string());
    let version = env!("CARGO_PKG_VERSION");
    let summary = gateway.summary().replace('\n', "\n  ");
    let drain = gateway.start();
    print(&format!("jellynet {version} ({file})\n  {summary}\nready to serve\n"));
    tell(systemd::ready());
    signals.next().await;

    tell(systemd::stopping());
    let (open, deadline) = (drain.open_connections(), drain.deadline());
    tracing::info!(open, ?deadline, "drain connections; a second signal ends at once");
    tokio::select! {
        report = drain.run() => tracing::info!(report, "drained"),
        () = signals.next() => {
            return Err(Failure::plain("ended by a second signal, before all requests were finished"));
        }
    }
    Ok(())
}

/// systemd may be away; the server does not depend on it.
fn tell(told: std::io::Result<()>) {
    if let Err(error) = told {
        tracing::debug!(%error, "tell systemd");
    }
}

/// SIGTERM and SIGINT.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind).map_err(|error| Failure::runtime("cannot listen for signals", error))
        };
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
