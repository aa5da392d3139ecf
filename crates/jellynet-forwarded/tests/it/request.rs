//! Requests for table tests, and answers that fit in a row.

use jellynet_forwarded::{Connection, Family, KnownProxies, Resolved, Rules, Scheme};
use jellynet_netif::PeerAddr;

/// The proxy in front.
pub(crate) const PROXY: &str = "10.0.0.2:4711";

pub(crate) fn rules(known: &[&str]) -> Rules {
    Rules::new(KnownProxies::parse(known).unwrap().to_set())
}

pub(crate) fn forwarded(known: &[&str]) -> Rules {
    rules(known).with_family(Family::Forwarded)
}

pub(crate) fn peer(address: &str) -> PeerAddr {
    match address {
        "unix" => PeerAddr::Unix,
        inet => PeerAddr::inet(inet.parse().unwrap()),
    }
}

pub(crate) fn connection(from: &str) -> Connection<'static> {
    Connection::from_peer(peer(from))
}

/// `client [port] provenance/hops`.
pub(crate) fn who(resolved: &Resolved<'_>) -> String {
    let client = match resolved.client {
        None => "nobody".to_owned(),
        Some(client) => match client.port {
            None => client.ip.to_string(),
            Some(port) => format!("{} {port}", client.ip),
        },
    };
    format!("{client} {}/{}", resolved.provenance(), resolved.hops)
}

/// `scheme://host`.
pub(crate) fn origin(resolved: &Resolved<'_>) -> String {
    match resolved.host {
        Some(host) => format!("{}://{host}", resolved.scheme),
        None => format!("{}://", resolved.scheme),
    }
}

pub(crate) fn flags(resolved: &Resolved<'_>) -> Vec<&'static str> {
    resolved.audit.iter().map(|flag| flag.as_str()).collect()
}

pub(crate) type Lines<'a> = &'a [(&'a str, &'a str)];

/// Resolves a request that the proxy in front sends.
pub(crate) fn resolve<'a>(rules: &Rules, headers: Lines<'a>) -> Resolved<'a> {
    rules.resolve(&connection(PROXY), headers)
}

pub(crate) fn over_tls(from: &str) -> Connection<'static> {
    connection(from).with_scheme(Scheme::Https)
}
