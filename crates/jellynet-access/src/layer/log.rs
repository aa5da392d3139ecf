//! The line that tells of a refused request.
//!
//! Its form is stable, and fail2ban filters depend on it: no part of it is chosen by the client,
//! and it stands outside of all spans, whose fields would come before it.
//! A client that a proxy did not name has no `client=`, so that nobody bans the proxy.

use std::fmt;
use std::net::IpAddr;

use jellynet_netif::{ClientAddr, PeerAddr, Provenance};
use tracing::warn;

use crate::decision::Reason;

pub(super) fn refusal(client: Option<ClientAddr>, peer: Option<PeerAddr>, reason: Reason) {
    let peer = Peer(peer, client);
    match named(client, peer.ip()) {
        Some(client) => {
            warn!(target: "jellynet_access", parent: None, %client, %peer, %reason, "refuse request");
        }
        None => warn!(target: "jellynet_access", parent: None, %peer, %reason, "refuse request"),
    }
}

/// The client, unless all that is known is a proxy that named none.
fn named(client: Option<ClientAddr>, peer: Option<IpAddr>) -> Option<IpAddr> {
    match client.map(|client| (client.ip, client.provenance)) {
        Some((_, Provenance::ProxyOnly { .. })) => None,
        Some((ip, _)) => Some(ip),
        None => peer,
    }
}

/// The peer without its port.
struct Peer(Option<PeerAddr>, Option<ClientAddr>);

impl Peer {
    fn ip(&self) -> Option<IpAddr> {
        let direct = self.1.filter(|client| client.is_direct());
        self.0.map_or_else(|| direct.map(|client| client.ip), PeerAddr::ip)
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.ip(), self.0) {
            (Some(ip), _) => ip.fmt(f),
            (None, Some(peer)) => peer.fmt(f),
            (None, None) => f.write_str("unknown"),
        }
    }
}
