//! `jellynet run`: opens, announces, serves, drains.

use std::time::Duration;

use jellynet_bind::{
    AcceptOptions, Bind, BindError, Connection, Handle, HttpServer, Listeners, OutcomeKind,
    Protocol, ServeOptions, systemd,
};
use jellynet_forwarded::proxy_protocol::{self, PreamblePolicy};
use jellynet_forwarded::{HostNames, LiveRules, NameEvent};
use jellynet_netif::Interfaces;
use jellynet_upstream::{ProbeConfig, Upstream, UpstreamConfig};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tower_http::add_extension::AddExtension;

use crate::announce::{Announcer, Own};
use crate::app::Content;
use crate::config::{self, Config};
use crate::failure::{Failure, chain};
use crate::logging;
use crate::reach::{HTTP, Reach};
use crate::stack::{Parts, Stack};
use crate::verbs::{print, runtime};
use crate::welcome::Welcome;

/// How long a known proxy may take for its PROXY protocol header.
const PREAMBLE: Duration = Duration::from_secs(5);

/// Serves until a signal comes.
pub(crate) fn run(config: &Config) -> Result<(), Failure> {
    logging::start(config.log.filter.clone(), config.log.format);
    runtime()?.block_on(serve(config))
}

async fn serve(config: &Config) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    let interfaces = Interfaces::watch()
        .map_err(|error| Failure::runtime("cannot read this host's interfaces", error))?;
    let listeners = listen(config, &interfaces)?;
    let handle = listeners.handle();
    let reach = Reach::new(
        config.published.published(),
        interfaces.clone(),
        handle.clone(),
    );
    let own = config
        .upstreams
        .is_empty()
        .then(|| Own::load(&config.server));
    let announcer = config
        .discovery
        .enabled
        .then(|| Announcer::start(&config.discovery, own.as_ref(), &reach, interfaces.clone()));
    let upstream = config
        .upstreams
        .first()
        .map(|upstream| connect(upstream, &reach));
    if let (Some(announcer), Some(upstream)) = (&announcer, &upstream) {
        announcer.follow(upstream);
    }
    let content = match (upstream, &config.web_directory, own) {
        (Some(upstream), ..) => Content::Gateway(upstream),
        (None, Some(directory), _) => Content::directory(directory),
        (None, None, own) => {
            let own = own.unwrap_or_else(|| Own::load(&config.server));
            let (listeners, announcer, reach) = (handle.clone(), announcer.clone(), reach.clone());
            Content::Welcome(
                Welcome {
                    own,
                    listeners,
                    announcer,
                    reach,
                }
                .into(),
            )
        }
    };
    print(&table(config, &handle, announcer.as_ref(), &reach));
    let parts = Parts::new(config);
    follow_names(config, &parts.rules);
    let accept = Accept::new(config, &parts);
    let stack = parts.stack(config, content);
    let serving = tokio::spawn(accept.run(listeners, stack));
    let _ = systemd::ready();
    signals.next().await;
    drain(config, &handle, &mut signals).await?;
    serving.abort();
    Ok(())
}

/// Opens everything that was asked for; whatever can serve, serves.
fn listen(config: &Config, interfaces: &Interfaces) -> Result<Listeners, Failure> {
    let bound = Bind::new()
        .listen_all(HTTP, config.http.listen.clone())
        .bind(&interfaces.current());
    let outcomes = bound.outcomes();
    let failed = |kind: &OutcomeKind| matches!(kind, OutcomeKind::Failed { .. });
    if outcomes.iter().all(|outcome| failed(&outcome.kind)) {
        let lines: Vec<_> = outcomes.iter().map(ToString::to_string).collect();
        let message = format!("nothing can be listened on\n  {}", lines.join("\n  "));
        let busy = outcomes.iter().any(|outcome| match &outcome.kind {
            OutcomeKind::Failed { error } => is_temporary(error),
            _ => false,
        });
        return Err(if busy {
            Failure::Temporary(message)
        } else {
            Failure::plain(message)
        });
    }
    let mut options = AcceptOptions::default();
    options.max_connections = config.http.max_connections;
    Ok(Listeners::with_options(bound, interfaces.clone(), options))
}

const fn is_temporary(error: &BindError) -> bool {
    matches!(error, BindError::InUse { .. } | BindError::NotLocal { .. })
}

fn connect(config: &config::Upstream, reach: &Reach) -> Upstream {
    let reach = reach.clone();
    let upstream =
        Upstream::with_published(UpstreamConfig::new(config.url.clone()), move |request| {
            let client = request.extensions.get::<jellynet_netif::ClientAddr>()?;
            Some(reach.url_for_request(client.ip, &request.uri)?.url)
        });
    let (probed, mut status) = (upstream.clone(), upstream.status());
    tokio::spawn(async move { probed.probe(ProbeConfig::default()).await });
    tokio::spawn(async move {
        let mut known = None;
        while let Some(status) = status.changed().await {
            if let Some(who) = status.identity.filter(|who| known.as_ref() != Some(who)) {
                tracing::info!(
                    name = who.server_name,
                    version = who.version,
                    id = who.id,
                    "know the upstream"
                );
                known = Some(who);
            }
        }
    });
    upstream
}

/// Keeps proxies that are known by host name in step with their addresses.
fn follow_names(config: &Config, rules: &LiveRules) {
    let names = HostNames::new(config.proxies.known.clone(), rules.clone());
    tokio::spawn(names.run(|event| match event {
        NameEvent::Changed {
            name,
            added,
            removed,
        } => {
            tracing::info!(name, ?added, ?removed, "a known proxy's addresses changed");
        }
        NameEvent::Failed { name, error, kept } => {
            tracing::warn!(
                name,
                error,
                kept,
                "cannot resolve a known proxy: its last addresses stay"
            );
        }
        event => tracing::warn!(
            ?event,
            "a known proxy's addresses are too old: it is no proxy any more"
        ),
    }));
}

/// What every connection goes through.
#[derive(Clone)]
struct Accept {
    server: HttpServer,
    rules: LiveRules,
    protocol: bool,
}

impl Accept {
    fn new(config: &Config, parts: &Parts) -> Self {
        let mut options = ServeOptions::default();
        options.first_byte = config.http.first_byte;
        options.headers = config.http.headers;
        options.idle = config.http.idle;
        Self {
            server: HttpServer::new(options),
            rules: parts.rules.clone(),
            protocol: config.proxies.protocol,
        }
    }

    async fn run(self, mut listeners: Listeners, stack: Stack) {
        while let Some(connection) = listeners.accept().await {
            let (accept, stack) = (self.clone(), stack.clone());
            tokio::spawn(async move {
                if let Err(cause) = accept.one(connection, stack).await {
                    tracing::debug!(cause, "close a connection");
                }
            });
        }
    }

    async fn one(&self, connection: Connection, stack: Stack) -> Result<(), String> {
        let facts = connection.facts();
        if !self.protocol {
            let served = self.server.serve(connection, stack).await;
            return served.map(|_| ()).map_err(|error| chain(&error));
        }
        let policy = PreamblePolicy::RequiredOfProxies(self.rules.load().proxies().clone().into());
        let peer = facts.peer_addr();
        let accepted = proxy_protocol::accept(connection, peer, &policy, PREAMBLE).await;
        let (preamble, stream) = accepted.map_err(|error| chain(&error))?;
        let served = match preamble {
            Some(preamble) => {
                let stack = AddExtension::new(stack, preamble.client());
                self.server
                    .serve_stream(stream, facts, Protocol::Sniff, stack)
                    .await
            }
            None => {
                self.server
                    .serve_stream(stream, facts, Protocol::Sniff, stack)
                    .await
            }
        };
        served.map(|_| ()).map_err(|error| chain(&error))
    }
}

/// What listens where, what is announced, and what could not be done and why.
fn table(
    config: &Config,
    listeners: &Handle,
    announcer: Option<&Announcer>,
    reach: &Reach,
) -> String {
    let mut rows = Vec::new();
    for outcome in listeners.outcomes() {
        rows.push(outcome.to_string());
    }
    for upstream in &config.upstreams {
        rows.push(format!("upstream: {}", upstream.url));
    }
    if let Some(directory) = &config.web_directory {
        rows.push(format!("files: {}", directory.display()));
    }
    rows.push(match announcer {
        Some(announcer) => format!("discovery: {}", announcer.status()),
        None => "discovery: switched off".to_owned(),
    });
    rows.extend(reach.announced_by_interface());
    let version = env!("CARGO_PKG_VERSION");
    let file = config
        .file
        .as_ref()
        .map_or("no configuration file".to_owned(), |f| {
            f.display().to_string()
        });
    format!(
        "jellynet {version} ({file})\n  {}\nready\n",
        rows.join("\n  ")
    )
}

/// Lets requests finish; a second signal does not wait for them.
async fn drain(config: &Config, listeners: &Handle, signals: &mut Signals) -> Result<(), Failure> {
    let _ = systemd::stopping();
    let open = listeners.open_connections();
    tracing::info!(open, deadline = ?config.http.drain, "drain connections; a second signal ends at once");
    tokio::select! {
        report = listeners.drain(config.http.drain) => {
            tracing::info!(%report, "drained");
            Ok(())
        }
        () = signals.next() => Err(Failure::plain("ended by a second signal, before all requests were finished")),
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
