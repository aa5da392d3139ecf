//! `jellynet discover`: who answers on this network, as the answers come.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use jellynet_discovery::{SeekEvent, SeekerConfig, seek};
use jellynet_netif::{InterfaceTable, Interfaces};
use jellynet_ssdp::{Search, SearcherConfig, SearcherEvent, Target, product_line, seed};
use jellynet_tuner::discover::{SeekConfig, discover};
use serde::Serialize;
use tokio::time::timeout;

use crate::cli::{DiscoverArgs, Format};
use crate::failure::{Failure, chain};
use crate::verbs::{json, print};

/// One answer.
#[derive(Serialize)]
struct Line {
    /// `jellyfin`, `upnp` or `hdhomerun`.
    kind: &'static str,
    id: String,
    name: String,
    address: String,
    from: Option<String>,
    interface: Option<String>,
}

/// Where answers are shown, and how many there were.
struct Output {
    format: Format,
    progress: Progress,
    shown: std::cell::Cell<usize>,
}

impl Output {
    fn show(&self, line: &Line) {
        self.progress.clear();
        self.shown.set(self.shown.get() + 1);
        print(&match self.format {
            Format::Json => json(line) + "\n",
            Format::Text => {
                let by =
                    line.interface.as_ref().map_or(String::new(), |name| format!(" by {name}"));
                let from =
                    line.from.as_ref().map_or(String::new(), |from| format!(", from {from}{by}"));
                format!("{:<9}  {}  {}  ({}{from})\n", line.kind, line.name, line.address, line.id)
            }
        });
    }
}

pub(super) fn run(args: &DiscoverArgs) -> Result<(), Failure> {
    super::runtime()?.block_on(search(args))
}

async fn search(args: &DiscoverArgs) -> Result<(), Failure> {
    let interfaces = Interfaces::watch()
        .map_err(|error| Failure::runtime("cannot read this host's interfaces", error))?;
    let table = interfaces.current();
    let output = Output {
        format: args.format,
        progress: Progress::begin(args.timeout),
        shown: std::cell::Cell::new(0),
    };
    tokio::join!(
        jellyfin(args.timeout, interfaces.clone(), &table, &output),
        upnp(args.timeout, interfaces, &output),
        hdhomerun(args.timeout, &output),
    );
    output.progress.clear();
    if args.format == Format::Text {
        let seconds = args.timeout.as_secs_f32();
        print(&match output.shown.get() {
            0 => format!(
                "nobody answered within {seconds} s: whoever is sought must be on this network, and \
                 no firewall may block the ports 7359, 1900 and 65001/udp\n"
            ),
            1 => "1 answer\n".to_owned(),
            n => format!("{n} answers\n"),
        });
    }
    Ok(())
}

async fn jellyfin(wait: Duration, interfaces: Interfaces, table: &InterfaceTable, output: &Output) {
    let mut search = seek(SeekerConfig::default().with_wait(wait), interfaces);
    while let Some(event) = search.next().await {
        if let SeekEvent::Found(found) | SeekEvent::Also(found) = event {
            output.show(&Line {
                kind: "jellyfin",
                id: found.answer.id,
                name: found.answer.name,
                address: found.answer.address,
                from: Some(found.from.to_string()),
                interface: table.by_index(found.interface).map(|i| i.name.clone()),
            });
        }
    }
}

/// UPnP media servers; a description is a stranger's word and is not fetched, so that the product
/// stands in for the name.
async fn upnp(wait: Duration, interfaces: Interfaces, output: &Output) {
    let Ok(target) = "urn:schemas-upnp-org:device:MediaServer:1".parse::<Target>() else {
        return;
    };
    let product = product_line("jellynet", env!("CARGO_PKG_VERSION"));
    let mut search = match Search::start(SearcherConfig::new([target], product, seed()), interfaces)
    {
        Ok(search) => search,
        Err(error) => {
            tracing::warn!(error = chain(&error), "search no UPnP devices");
            return;
        }
    };
    let _ = timeout(wait, async {
        while let Some(event) = search.next().await {
            if let SearcherEvent::Alive(found) = event {
                output.show(&Line {
                    kind: "upnp",
                    id: found.usn,
                    name: found.server.unwrap_or_default(),
                    address: found.location,
                    from: None,
                    interface: None,
                });
            }
        }
    })
    .await;
}

async fn hdhomerun(wait: Duration, output: &Output) {
    let Ok(found) = timeout(wait, discover(SeekConfig::default())).await else {
        return;
    };
    for device in found.unwrap_or_default() {
        output.show(&Line {
            kind: "hdhomerun",
            name: format!("{} tuners", device.tuner_count),
            address: device.api_root().unwrap_or_default(),
            from: device.address().map(|address| address.to_string()),
            id: device.id.to_string(),
            interface: None,
        });
    }
}

/// A line on a terminal that says what is going on, and goes when there is something to show.
struct Progress(bool);

impl Progress {
    fn begin(wait: Duration) -> Self {
        let shown = std::io::stderr().is_terminal();
        if shown {
            let _ = write!(std::io::stderr(), "searching for {} s …", wait.as_secs_f32());
        }
        Self(shown)
    }

    fn clear(&self) {
        if self.0 {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
