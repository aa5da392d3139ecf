//! Is the server of a configuration well? Asked from this host, for Docker's `HEALTHCHECK`.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderName, HeaderValue};
use jellynet_forwarded::Family;
use jellynet_netif::PeerAddr;

use crate::config::Config;
use crate::fetch::{self, Target};
use crate::stack::{policy, rules};

/// Asks the server that runs with this configuration for `/health`, at the first place that the
/// configuration names: plain listeners first, then HTTPS, whose certificate is not verified,
/// since it is this host's own listener that is asked.
///
/// # Errors
///
/// Why it is not well, or cannot be asked, in words.
///
/// # Panics
///
/// Outside a tokio runtime.
pub async fn healthcheck(config: &Config) -> Result<(), String> {
    let target = target(config, "/health")
        .ok_or("no listener can be asked: none is configured on an address")?;
    let place = &target.place;
    let answer = fetch::get(&target).await.map_err(|why| format!("cannot ask {place}: {why}"))?;
    match answer.status.as_u16() {
        200 => Ok(()),
        status => Err(format!("{place} answers {status}")),
    }
}

/// A request to the server of this configuration that it takes for one of this host.
pub(crate) fn target(config: &Config, path: &str) -> Option<Target> {
    let (place, tls) = config.own_place()?;
    let mut target = Target::here(place, tls, path);
    // What this host is to the server: by the address that it connects from.
    let own = target.place.parse::<SocketAddr>().ok();
    let peer = own.map_or(PeerAddr::Unix, PeerAddr::inet);
    let is_proxy = rules(&config.proxies).proxies().contract_of(peer).is_some();
    if is_proxy && config.proxies.protocol {
        target.preamble = Some(preamble(own));
    } else if let (true, Some(_)) = (is_proxy, own) {
        let (name, value) = names_client(config.proxies.family, client(config));
        target.headers.insert(name, value);
    }
    Some(target)
}

/// PROXY protocol, version 1: this host asks for itself.
fn preamble(own: Option<SocketAddr>) -> String {
    let own = own.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 1)));
    let family = if own.is_ipv4() { "TCP4" } else { "TCP6" };
    format!("PROXY {family} {ip} {ip} 1 {port}\r\n", ip = own.ip(), port = own.port())
}

/// A client that may come in: an address of this host on the LAN, for one that a proxy names on
/// loopback is not local.
fn client(config: &Config) -> IpAddr {
    let interfaces = jellynet_netif::interfaces().unwrap_or_default();
    let policy = policy(&config.access, &interfaces);
    let mut own = interfaces.addresses().map(|(_, address)| address.ip());
    own.find(|ip| !ip.is_loopback() && policy.lan().contains(*ip))
        .unwrap_or_else(|| IpAddr::from([127, 0, 0, 1]))
}

fn names_client(family: Family, client: IpAddr) -> (HeaderName, HeaderValue) {
    let (name, text) = match (family, client) {
        (Family::Forwarded, IpAddr::V6(v6)) => ("forwarded", format!("for=\"[{v6}]\"")),
        (Family::Forwarded, v4) => ("forwarded", format!("for={v4}")),
        (_, client) => ("x-forwarded-for", client.to_string()),
    };
    let value = HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("127.0.0.1"));
    (HeaderName::from_static(name), value)
}
