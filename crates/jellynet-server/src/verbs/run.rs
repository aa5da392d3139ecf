//! `jellynet run`: opens, says so, serves, drains when a signal comes.

use jellynet_bind::systemd;
use jellynet_gateway::{Gateway, Reload, version};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::SettingsArgs;
use crate::failure::Failure;
use crate::logging::Filter;
use crate::sources::{self, Configured};
use crate::verbs::{print, runtime};

pub(super) fn run(args: &SettingsArgs) -> Result<(), Failure> {
    let configured = sources::load(args)?;
    let filter = configured.log.clone().start();
    runtime()?.block_on(serve(configured, args, &filter))
}

async fn serve(
    configured: Configured,
    args: &SettingsArgs,
    filter: &Filter,
) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    let gateway = Gateway::open(configured.config)?;
    let file = configured
        .file
        .map_or_else(|| "no configuration file".to_owned(), |f| f.display().to_string());
    let version = version();
    let summary = gateway.summary().replace('\n', "\n  ");
    let (reload, drain) = (gateway.reload(), gateway.start());
    print(&format!("jellynet {version} ({file})\n  {summary}\nready to serve\n"));
    tell(systemd::ready());
    while signals.next().await == Wanted::Reload {
        tell(systemd::reloading());
        read_again(args, &reload, filter).await;
        tell(systemd::ready());
    }

    tell(systemd::stopping());
    let (open, deadline) = (drain.open_connections(), drain.deadline());
    tracing::info!(open, ?deadline, "drain connections; a second signal ends at once");
    tokio::select! {
        report = drain.run() => tracing::info!(report, "drained"),
        () = signals.end() => {
            return Err(Failure::plain("ended by a second signal, before all requests were finished"));
        }
    }
    Ok(())
}

/// Puts the configuration in force as it is written now; on any failure the one before stays.
async fn read_again(args: &SettingsArgs, reload: &Reload, filter: &Filter) {
    let configured = match sources::load(args) {
        Ok(configured) => configured,
        Err(failure) => {
            reload.refuse();
            tracing::error!(%failure, "keep the configuration in force");
            return;
        }
    };
    match reload.apply(configured.config).await {
        Ok(reloaded) => {
            configured.log.replace(filter);
            match reloaded.restart.is_empty() {
                true => tracing::info!(%reloaded, "read the configuration again"),
                false => tracing::warn!(%reloaded, "read the configuration again"),
            }
        }
        Err(error) => tracing::error!(%error, "keep the configuration in force"),
    }
}

/// systemd may be away; the server does not depend on it.
fn tell(told: std::io::Result<()>) {
    if let Err(error) = told {
        tracing::debug!(%error, "tell systemd");
    }
}

/// What a signal asks for.
#[derive(PartialEq, Eq)]
pub(super) enum Wanted {
    Reload,
    End,
}

/// SIGHUP, SIGTERM and SIGINT.
pub(super) struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn new() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind).map_err(|error| Failure::runtime("cannot listen for signals", error))
        };
        Ok(Self {
            hangup: listen(SignalKind::hangup())?,
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    pub(super) async fn next(&mut self) -> Wanted {
        let Self { hangup, terminate, interrupt } = self;
        tokio::select! {
            _ = hangup.recv() => Wanted::Reload,
            _ = terminate.recv() => Wanted::End,
            _ = interrupt.recv() => Wanted::End,
        }
    }

    async fn end(&mut self) {
        while self.next().await == Wanted::Reload {}
    }
}
