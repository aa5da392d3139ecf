//! Where a subscriber may be called back.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

/// The most URLs of one `CALLBACK` header that are read.
pub const MAX_CALLBACKS: usize = 4;

/// A URL to which events may be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Callback {
    /// The address and port to connect to; no name has to be resolved.
    pub address: SocketAddr,
    /// Path and query, beginning with `/`.
    pub path: String,
}

/// Checks the `CALLBACK` header of a UPnP event subscription: `<http://10.0.0.7:49152/events>`.
///
/// Events are requests that a stranger can have this server send. Without a check they reach any
/// host (CVE-2020-12695, "CallStranger"); UPnP Device Architecture 2.0 of 2020-04-17 § 4.1.1
/// allows only those of the subscriber's own network. A URL passes when
///
/// 1. its scheme is `http` and its host an IP address: a name could resolve to another host the
///    next time;
/// 2. that address is the peer's own, or in one of `subnets` that holds the peer as well;
/// 3. it is no loopback address, unless it is the peer's own; and never a group, a broadcast
///    address or unspecified;
/// 4. its port is not 0, and it has no user name.
///
/// All URLs have to pass, and there are at most [`MAX_CALLBACKS`].
///
/// # Errors
///
/// When one does not pass; answer `412 Precondition Failed`.
pub fn check_callbacks(
    peer: IpAddr,
    header: &str,
    subnets: &[IpNet],
) -> Result<Vec<Callback>, CallbackError> {
    let mut callbacks = Vec::new();
    let mut rest = header.trim();
    while !rest.is_empty() {
        let (url, tail) =
            rest.strip_prefix('<').and_then(|r| r.split_once('>')).ok_or(CallbackError::Syntax)?;
        if callbacks.len() >= MAX_CALLBACKS {
            return Err(CallbackError::TooMany);
        }
        callbacks.push(check(peer, url, subnets)?);
        rest = tail.trim_start();
    }
    if callbacks.is_empty() {
        return Err(CallbackError::Syntax);
    }
    Ok(callbacks)
}

fn check(peer: IpAddr, url: &str, subnets: &[IpNet]) -> Result<Callback, CallbackError> {
    let (scheme, rest) = url.split_once("://").ok_or(CallbackError::Syntax)?;
    if !scheme.eq_ignore_ascii_case("http") {
        return Err(CallbackError::Scheme);
    }
    if rest.contains(|c: char| c.is_control() || c.is_whitespace() || c == '\\') {
        return Err(CallbackError::Syntax);
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end).ok_or(CallbackError::Syntax)?;
    let address = authority_address(authority)?;
    allowed(peer, address, subnets)?;
    let path = path.split('#').next().unwrap_or_default();
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    Ok(Callback { address, path })
}

fn authority_address(authority: &str) -> Result<SocketAddr, CallbackError> {
    let address = match authority.parse::<SocketAddr>() {
        Ok(address) => address,
        Err(_) => {
            let host = authority.trim_start_matches('[').trim_end_matches(']');
            let ip = host.parse().map_err(|_| CallbackError::NotAnAddress)?;
            SocketAddr::new(ip, 80)
        }
    };
    if address.port() == 0 {
        return Err(CallbackError::NotAnAddress);
    }
    Ok(SocketAddr::new(jellynet_netif::unmapped(address.ip()), address.port()))
}

fn allowed(peer: IpAddr, address: SocketAddr, subnets: &[IpNet]) -> Result<(), CallbackError> {
    let peer = jellynet_netif::unmapped(peer);
    let ip = address.ip();
    if ip == peer && !ip.is_unspecified() && !ip.is_multicast() {
        return Ok(());
    }
    let elsewhere = Err(CallbackError::Elsewhere { ip });
    if ip.is_loopback() || ip.is_unspecified() || ip.is_multicast() {
        return elsewhere;
    }
    let broadcast = |net: &IpNet| match (net, ip) {
        (IpNet::V4(net), IpAddr::V4(v4)) => net.prefix_len() < 31 && net.broadcast() == v4,
        _ => false,
    };
    let shared = |net: &&IpNet| net.contains(&peer) && net.contains(&ip);
    match subnets.iter().find(shared) {
        Some(net) if !broadcast(net) => Ok(()),
        _ => elsewhere,
    }
}

/// Why events may not be sent to a URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallbackError {
    /// Not a list of URLs in angle brackets.
    #[error("the callback is no list of URLs in angle brackets")]
    Syntax,
    /// More than [`MAX_CALLBACKS`] URLs.
    #[error("more than {MAX_CALLBACKS} callbacks")]
    TooMany,
    /// Not plain HTTP.
    #[error("the callback is not plain http")]
    Scheme,
    /// A name, a user name, or port 0.
    #[error("the callback does not name an address and port")]
    NotAnAddress,
    /// An address outside the subscriber's network.
    #[error("the callback is outside the subscriber's network: {ip}")]
    Elsewhere {
        /// The address.
        ip: IpAddr,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The peer, its header, whether that passes, and why.
    const CASES: &[(&str, &str, bool, &str)] = &[
        ("10.77.1.2", "<http://10.77.1.2:49152/e>", true, "the peer"),
        ("10.77.1.2", "<http://10.77.1.9/>", true, "its subnet"),
        ("10.77.1.2", "<http://10.77.1.9>", true, "no path"),
        ("10.77.1.2", " <http://10.77.1.2:1/a> <HTTP://10.77.1.3:1/b>", true, "two"),
        ("fd77::2", "<http://[fd77::2]:1/>", true, "IPv6"),
        ("::ffff:10.77.1.2", "<http://10.77.1.2:1/>", true, "mapped peer"),
        ("10.77.1.2", "<http://10.77.2.2:1/>", false, "another of our subnets"),
        ("10.77.1.2", "<http://192.0.2.1:80/>", false, "the internet"),
        ("192.0.2.9", "<http://192.0.2.9:80/>", true, "a routed peer itself"),
        ("192.0.2.9", "<http://192.0.2.10:80/>", false, "beside a routed peer"),
        ("10.77.1.2", "<http://127.0.0.1:8096/>", false, "this host"),
        ("127.0.0.1", "<http://127.0.0.1:8096/>", true, "this host, asked by itself"),
        ("10.77.1.2", "<http://10.77.1.255:1/>", false, "broadcast"),
        ("10.77.1.2", "<http://239.255.255.250:1900/>", false, "a group"),
        ("10.77.1.2", "<http://0.0.0.0:1/>", false, "unspecified"),
        ("10.77.1.2", "<http://example.com/>", false, "a name"),
        ("10.77.1.2", "<http://10.77.1.2@192.0.2.1/>", false, "a user name"),
        ("10.77.1.2", "<http://0x0a4d0102/>", false, "another notation"),
        ("10.77.1.2", "<http://10.77.1.2:0/>", false, "port 0"),
        ("10.77.1.2", "<https://10.77.1.2/>", false, "https"),
        ("10.77.1.2", "<ftp://10.77.1.2/>", false, "ftp"),
        ("10.77.1.2", "<http://10.77.1.2/\r\nX: y>", false, "a line break"),
        ("10.77.1.2", "http://10.77.1.2/", false, "no brackets"),
        ("10.77.1.2", "<http://10.77.1.2/", false, "half a bracket"),
        ("10.77.1.2", "", false, "nothing"),
        ("10.77.1.2", "<http://10.77.1.2/><http://192.0.2.1/>", false, "one of two"),
    ];

    #[test]
    fn callbacks_stay_in_the_subscribers_network() {
        let subnets: Vec<IpNet> = vec![
            "10.77.1.0/24".parse().unwrap(),
            "10.77.2.0/24".parse().unwrap(),
            "fd77::/64".parse().unwrap(),
        ];
        for (peer, header, passes, why) in CASES.iter().copied() {
            let peer = peer.parse().unwrap();
            let result = check_callbacks(peer, header, &subnets);
            assert_eq!(result.is_ok(), passes, "{why}: {result:?}");
        }
        let five = "<http://10.77.1.2/>".repeat(5);
        let peer = IpAddr::from([10, 77, 1, 2]);
        assert_eq!(check_callbacks(peer, &five, &subnets), Err(CallbackError::TooMany));
    }
}
