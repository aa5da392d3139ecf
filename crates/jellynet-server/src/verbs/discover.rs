//! `jellynet discover`: who answers on this network, as the answers come.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use jellynet_discovery::{Found, SeekEvent, SeekerConfig, seek};
use jellynet_netif::{InterfaceTable, Interfaces};
use serde::Serialize;

use crate::cli::{DiscoverArgs, Format};
use crate::failure::Failure;
use crate::verbs::print;

/// One answer, for programs.
#[derive(Serialize)]
struct Line<'a> {
    kind: &'static str,
    id: &'a str,
    name: &'a str,
    address: &'a str,
    from: String,
    interface: &'a str,
}

pub(super) fn run(args: &DiscoverArgs) -> Result<(), Failure> {
    super::runtime()?.block_on(search(args))
}

async fn search(args: &DiscoverArgs) -> Result<(), Failure> {
    let interfaces = Interfaces::watch()
        .map_err(|error| Failure::runtime("cannot read this host's interfaces", error))?;
    let table = interfaces.current();
    let progress = Progress::begin(args.timeout);
    let mut search = seek(SeekerConfig::default().with_wait(args.timeout), interfaces);
    while let Some(event) = search.next().await {
        if let SeekEvent::Found(found) | SeekEvent::Also(found) = &event {
            progress.clear();
            show(found, &table, args.format);
        }
    }
    progress.clear();
    let servers = search.servers().len();
    if args.format == Format::Text {
        let seconds = args.timeout.as_secs_f32();
        print(&match servers {
            0 => format!(
                "no media server answered within {seconds} s: it must be on this network, and no \
                 firewall may block port 7359/udp\n"
            ),
            1 => "1 server\n".to_owned(),
            n => format!("{n} servers\n"),
        });
    }
    Ok(())
}

fn show(found: &Found, table: &InterfaceTable, format: Format) {
    let interface = table
        .by_index(found.interface)
        .map_or("?", |i| i.name.as_str());
    let answer = &found.answer;
    let line = match format {
        Format::Text => {
            format!(
                "{}  {}  (id {}, from {} by {interface})\n",
                answer.name, answer.address, answer.id, found.from
            )
        }
        Format::Json => {
            let line = Line {
                kind: "jellyfin",
                id: &answer.id,
                name: &answer.name,
                address: &answer.address,
                from: found.from.to_string(),
                interface,
            };
            serde_json::to_string(&line).unwrap_or_default() + "\n"
        }
    };
    print(&line);
}

/// A line on a terminal that says what is going on, and goes when there is something to show.
struct Progress(bool);

impl Progress {
    fn begin(wait: Duration) -> Self {
        let shown = std::io::stderr().is_terminal();
        if shown {
            let _ = write!(
                std::io::stderr(),
                "searching for {} s …",
                wait.as_secs_f32()
            );
        }
        Self(shown)
    }

    fn clear(&self) {
        if self.0 {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
