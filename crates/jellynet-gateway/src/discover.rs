//! Who answers on this network: Jellyfin servers, UPnP media servers and TV tuners.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use jellynet_discovery::{SeekEvent, SeekerConfig, seek};
use jellynet_netif::{InterfaceTable, Interfaces};
use jellynet_ssdp::description::{FetchError, Summary};
use jellynet_ssdp::{Found, Search, SearcherConfig, SearcherEvent, Target, product_line, seed};
use jellynet_tuner::discover::{SeekConfig, discover as tuners};
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How many descriptions are asked for at the same time; whoever comes beyond that is shown
/// without.
const MOST_FETCHES: usize = 32;

/// Someone who answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Answer {
    /// `jellyfin`, `upnp` or `hdhomerun`.
    pub kind: &'static str,
    /// The id of the server, the `USN` of the device or the id of the tuner.
    pub id: String,
    /// The name of the server or device; of a device whose description is not to be had, its
    /// product.
    pub name: String,
    /// What a UPnP device is, as its description says.
    pub model: Option<String>,
    /// Whether this is a Jellyfin server or gives itself out as one.
    pub jellyfin: bool,
    /// The URL that is given out.
    pub address: String,
    /// Who answered.
    pub from: Option<String>,
    /// The name of the interface that the answer came by.
    pub interface: Option<String>,
    /// Who else answered with the same id, where that cannot be the same server.
    pub conflict: Option<String>,
    /// Why the description of a UPnP device was not to be had.
    pub problem: Option<String>,
}

impl Answer {
    fn new(kind: &'static str, id: String, name: String, address: String) -> Self {
        Self {
            kind,
            id,
            name,
            model: None,
            jellyfin: false,
            address,
            from: None,
            interface: None,
            conflict: None,
            problem: None,
        }
    }
}

/// Asks everybody on every interface, tells of answers as they come, and ends after `wait`; a
/// description that is under way then has up to three seconds more.
///
/// # Panics
///
/// Outside a tokio runtime.
pub async fn discover(wait: Duration, interfaces: Interfaces, tell: impl Fn(Answer)) {
    let table = interfaces.current();
    tokio::join!(
        jellyfin(wait, interfaces.clone(), &table, &tell),
        upnp(wait, interfaces, &table, &tell),
        hdhomerun(wait, &tell),
    );
}

async fn jellyfin(
    wait: Duration,
    interfaces: Interfaces,
    table: &InterfaceTable,
    tell: &impl Fn(Answer),
) {
    let mut search = seek(SeekerConfig::default().with_wait(wait), interfaces);
    let mut before: Vec<jellynet_discovery::Found> = Vec::new();
    while let Some(event) = search.next().await {
        if let SeekEvent::Found(found) | SeekEvent::Also(found) = event {
            let other = before.iter().find(|other| other.conflicts_with(&found));
            let conflict = other.map(|other| other.from.to_string());
            let said = found.answer.clone();
            tell(Answer {
                jellyfin: true,
                from: Some(found.from.to_string()),
                interface: table.by_index(found.interface).map(|i| i.name.clone()),
                conflict,
                ..Answer::new("jellyfin", said.id, said.name, said.address)
            });
            before.push(found);
        }
    }
}

/// UPnP media servers, each with what its description says.
async fn upnp(
    wait: Duration,
    interfaces: Interfaces,
    table: &InterfaceTable,
    tell: &impl Fn(Answer),
) {
    let product = product_line("jellynet", env!("CARGO_PKG_VERSION"));
    let config = SearcherConfig::new([Target::media_servers()], product, seed());
    let mut search = match Search::start(config, interfaces) {
        Ok(search) => search,
        Err(error) => {
            tracing::warn!(%error, "search no UPnP devices");
            return;
        }
    };
    // Those that have no way yet by which their description can be had.
    let mut waiting = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let mut fetches = JoinSet::new();
    let end = tokio::time::sleep(wait);
    tokio::pin!(end);
    loop {
        tokio::select! {
            () = &mut end => break,
            Some(Ok((found, said))) = fetches.join_next() => tell(describe(&found, said, table)),
            event = search.next() => match event {
                Some(SearcherEvent::Alive(found) | SearcherEvent::Update(found)) => {
                    if seen.contains(&found.usn) {
                        continue;
                    }
                    if !found.has_summary() {
                        waiting.insert(found.usn.clone(), found);
                        continue;
                    }
                    waiting.remove(&found.usn);
                    seen.insert(found.usn.clone());
                    if fetches.len() < MOST_FETCHES {
                        fetches.spawn(async move {
                            let said = found.summary().await;
                            (found, Some(said))
                        });
                    } else {
                        tell(describe(&found, None, table));
                    }
                }
                Some(_) => {}
                None => break,
            },
        }
    }
    for found in waiting.into_values() {
        let said = found.summary().await;
        tell(describe(&found, Some(said), table));
    }
    while let Some(fetched) = fetches.join_next().await {
        if let Ok((found, said)) = fetched {
            tell(describe(&found, said, table));
        }
    }
}

fn describe(
    found: &Found,
    said: Option<Result<Summary, FetchError>>,
    table: &InterfaceTable,
) -> Answer {
    let (said, problem) = match said {
        Some(Ok(said)) => (said, None),
        Some(Err(error)) => (Summary::default(), Some(chain(&error))),
        None => (Summary::default(), None),
    };
    let shown = found.ways.iter().find(|way| way.location == found.location);
    let way = shown.or_else(|| found.ways.first());
    let name = said.friendly_name.clone().or_else(|| found.server.clone()).unwrap_or_default();
    let model = match (said.model_name.as_deref(), said.model_number.as_deref()) {
        (Some(name), Some(number)) => Some(format!("{name} {number}")),
        (name, number) => name.or(number).map(str::to_owned),
    };
    Answer {
        model,
        jellyfin: said.is_jellyfin(),
        from: way.map(|way| way.source.to_string()),
        interface: way.and_then(|way| table.by_index(way.interface)).map(|i| i.name.clone()),
        problem,
        ..Answer::new("upnp", found.usn.clone(), name, found.location.clone())
    }
}

async fn hdhomerun(wait: Duration, tell: &impl Fn(Answer)) {
    let Ok(found) = timeout(wait, tuners(SeekConfig::default())).await else {
        return;
    };
    for device in found.unwrap_or_default() {
        let name = format!("{} tuners", device.tuner_count);
        let address = device.api_root().unwrap_or_default();
        tell(Answer {
            from: device.address().map(|address: SocketAddr| address.to_string()),
            ..Answer::new("hdhomerun", device.id.to_string(), name, address)
        });
    }
}

/// An error and its causes, joined by `: `.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
