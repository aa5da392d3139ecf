//! `jellynet discover`: who answers on this network, as the answers come.

use std::cell::Cell;
use std::convert::Infallible;
use std::io::{IsTerminal, Write};
use std::time::Duration;

use jellynet_gateway::{Answer, discover};
use jellynet_netif::Interfaces;

use crate::cli::{DiscoverArgs, Format};
use crate::failure::Failure;
use crate::verbs::{json, print};

/// Where answers are shown, and how many there were.
struct Output {
    format: Format,
    progress: bool,
    shown: Cell<usize>,
}

impl Output {
    fn show(&self, answer: &Answer) {
        self.clear();
        self.shown.set(self.shown.get() + 1);
        print(&match self.format {
            Format::Json => json(answer) + "\n",
            Format::Text => text(answer),
        });
    }

    /// A line on a terminal that says what is going on, and goes when there is something to show.
    async fn tick(&self, wait: Duration) -> Infallible {
        let begun = tokio::time::Instant::now();
        let mut every = tokio::time::interval(Duration::from_millis(500));
        loop {
            every.tick().await;
            if self.progress {
                let left = wait.saturating_sub(begun.elapsed()).as_secs_f32().ceil();
                self.clear();
                let _ = write!(
                    std::io::stderr(),
                    "searching, {left:.0} s left, {} found …",
                    self.shown.get()
                );
            }
        }
    }

    fn clear(&self) {
        if self.progress {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

fn text(answer: &Answer) -> String {
    let kind = if answer.jellyfin && answer.kind == "upnp" { "upnp*" } else { answer.kind };
    let model = answer.model.iter().map(|model| format!("{model}, "));
    let from = answer.from.iter().map(|from| format!(", from {from}"));
    let by = answer.interface.iter().map(|name| format!(" by {name}"));
    let details = model.chain([answer.id.clone()]).chain(from).chain(by).collect::<String>();
    let mut text = format!("{kind:<9}  {}  {}  ({details})\n", answer.name, answer.address);
    if let Some(other) = &answer.conflict {
        text += &format!(
            "           warning: {other} has the same id, so that clients take one for the other: \
             give one of them a new id (Jellyfin: delete device.txt in its data directory; \
             jellynet: server-id)\n"
        );
    }
    if let Some(problem) = &answer.problem {
        text += &format!("           its description is not to be had: {problem}\n");
    }
    text
}

pub(super) fn run(args: &DiscoverArgs) -> Result<(), Failure> {
    super::runtime()?.block_on(search(args))
}

async fn search(args: &DiscoverArgs) -> Result<(), Failure> {
    let interfaces = Interfaces::watch()
        .map_err(|error| Failure::runtime("cannot read this host's interfaces", error))?;
    let progress = std::io::stderr().is_terminal();
    let output = Output { format: args.format, progress, shown: Cell::new(0) };
    tokio::select! {
        () = discover(args.timeout, interfaces, |answer| output.show(&answer)) => {}
        never = output.tick(args.timeout) => match never {},
    }
    output.clear();
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
