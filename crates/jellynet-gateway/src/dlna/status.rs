//! How SSDP stands: for `/ready` and `/status.json`.

use std::net::IpAddr;

use jellynet_admin::Part;
use jellynet_ssdp::{LinkStatus, Rung};
use serde::Serialize;

use super::Dlna;

/// The name in `/ready`.
const NAME: &str = "ssdp 1900/udp";

/// What `/status.json` shows of SSDP.
#[derive(Debug, Serialize)]
pub(crate) struct SsdpStatus {
    /// How it stands, in words.
    state: String,
    /// `shared`, `search-port` or `announce-only`.
    port_1900: &'static str,
    /// Where unicast searches go while another program has port 1900 for itself.
    search_port: Option<u16>,
    /// Whether minissdpd answers multicast searches for us meanwhile.
    minissdpd: bool,
    networks: Vec<Network>,
    /// Counted since the start, like all that follow.
    searches: u64,
    answers: u64,
    announcements: u64,
    dropped: Dropped,
}

/// One way to a network: an interface and a group.
#[derive(Debug, Serialize)]
struct Network {
    interface: String,
    group: IpAddr,
    address: IpAddr,
    announced: bool,
    locations: Vec<String>,
    /// Why searches are not heard there.
    problem: Option<String>,
}

/// Searches that were not answered, by reason.
#[derive(Debug, Serialize)]
struct Dropped {
    malformed: u64,
    unmatched: u64,
    off_link: u64,
    limited: u64,
    repeated: u64,
}

impl Dlna {
    /// How all of it stands; `None` after the goodbye.
    pub(crate) fn report(&self) -> Option<SsdpStatus> {
        let state = self.status();
        let service = self.service();
        let service = service.as_ref()?;
        let (counted, rung) = (service.counters(), service.rung());
        let (port_1900, search_port) = match rung {
            Rung::Shared => ("shared", None),
            Rung::SearchPort { port, .. } => ("search-port", Some(port)),
            _ => ("announce-only", None),
        };
        let network = |link: LinkStatus| Network {
            interface: link.interface,
            group: link.group,
            address: link.address,
            announced: link.announced,
            locations: link.locations,
            problem: link.deaf,
        };
        Some(SsdpStatus {
            state,
            port_1900,
            search_port,
            minissdpd: is_registered(rung),
            networks: service.links().into_iter().map(network).collect(),
            searches: counted.searches,
            answers: counted.answers,
            announcements: counted.announcements,
            dropped: Dropped {
                malformed: counted.malformed,
                unmatched: counted.unmatched,
                off_link: counted.off_link,
                limited: counted.throttled,
                repeated: counted.repeated,
            },
        })
    }

    /// Whether everybody who searches is answered; to serve, this is not needed.
    pub(crate) fn part(&self) -> Option<Part> {
        let (rung, links) = {
            let service = self.service();
            let service = service.as_ref()?;
            (service.rung(), service.links())
        };
        let deaf =
            links.into_iter().find_map(|link| Some((link.interface, link.group, link.deaf?)));
        Some(match (rung, deaf) {
            (Rung::Shared, None) => Part::ready(NAME),
            (Rung::Shared, Some((interface, group, why))) => {
                Part::waiting(NAME, format!("{group} on {interface}: {why}")).optional()
            }
            (rung, _) if is_registered(rung) => {
                let helped = format!("{}; minissdpd answers the others", self.status());
                Part::waiting(NAME, helped).optional()
            }
            _ => Part::waiting(NAME, self.status()).optional(),
        })
    }
}

const fn is_registered(rung: Rung) -> bool {
    matches!(
        rung,
        Rung::SearchPort { registered: true, .. } | Rung::AnnounceOnly { registered: true }
    )
}
