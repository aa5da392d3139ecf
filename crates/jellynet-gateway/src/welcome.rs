//! The page of a server that has nothing to show yet: what is there, what this visitor is told,
//! and what to configure next.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use jellynet_access::Decision;
use jellynet_admin::Page;
use jellynet_netif::{ClientAddr, PeerAddr, Provenance};

use crate::announce::Own;
use crate::health::Health;
use crate::reach::Reach;

/// What to write into the configuration next.
const NEXT: &str = "\
# jellynet.toml
[[upstream]]
url = \"http://127.0.0.1:8097\"   # the media server that runs already

# or, instead, files:
# [web]
# directory = \"/srv/web\"
";

/// What the page is made of.
#[derive(Debug)]
pub(crate) struct Welcome {
    pub(crate) own: Own,
    pub(crate) reach: Reach,
    pub(crate) health: Health,
}

impl Welcome {
    pub(crate) fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let row = |name: &str, value: String| (name.to_owned(), value);
        let listeners = self.health.listeners.outcomes();
        let listeners: Vec<_> =
            listeners.iter().map(|o| row(&o.listen.to_string(), o.to_string())).collect();
        let mut you = Vec::new();
        let extensions = request.extensions();
        let client = extensions.get::<ClientAddr>();
        if let Some(client) = client {
            you.push(row("your address", client.ip.to_string()));
            you.push(row("known", known(client.provenance)));
            let announced = self.reach.url_for_request(client.ip, request.uri());
            let (url, because) = announced.map_or_else(
                || {
                    (
                        "nothing: no address of this server can be reached from there".to_owned(),
                        None,
                    )
                },
                |announced| (announced.url, Some(announced.because)),
            );
            you.push(row("you are told", url));
            you.extend(because.map(|because| row("because", because.to_string())));
        } else if let Some(peer) = extensions.get::<PeerAddr>() {
            you.push(row("your address", peer.to_string()));
        }
        if let Some(decision) = extensions.get::<Decision>() {
            let local = if decision.local { "on the local network" } else { "remote" };
            you.push(row("you are", local.to_owned()));
        }
        let discovery = self.health.announcer.status();
        Page::new(&format!("{} is on the network", self.own.name))
            .paragraph("jellynet runs, and has no media server behind it yet.")
            .table("Listening", &listeners)
            .table(
                "Discovery",
                &[row("clients that search", discovery), row("server id", self.own.id.to_string())],
            )
            .table("You", &you)
            .code("Next", NEXT)
            .into_response()
    }
}

fn known(provenance: Provenance) -> String {
    match provenance {
        Provenance::Forwarded { hops } => format!("through {hops} known proxies"),
        Provenance::ProxyOnly { reason } => {
            format!("a known proxy that names no client ({})", reason.as_str())
        }
        _ => "connected directly".to_owned(),
    }
}
