//! Host names and ports as they stand in a Host header (RFC 9110 § 7.2).

#[cfg(feature = "tower")]
use std::net::IpAddr;
use std::net::Ipv6Addr;

/// A host with or without a port, and nothing that could end a header or a URL.
pub(crate) fn is_authority(text: &str) -> bool {
    let (host, port) = split_port(text);
    let port_is_fine =
        port.is_none_or(|port| port.len() <= 5 && port.bytes().all(|digit| digit.is_ascii_digit()));
    port_is_fine && is_host(host)
}

/// A name or an address; an IPv6 address in brackets.
pub(crate) fn is_host(host: &str) -> bool {
    if let Some(inside) = host.strip_prefix('[') {
        return inside.strip_suffix(']').is_some_and(|v6| v6.parse::<Ipv6Addr>().is_ok());
    }
    (1..=253).contains(&host.len())
        && host.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-._~".contains(&octet))
}

/// The host, in brackets if it was, and what follows the colon.
pub(crate) fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

/// A bare address, or a name that is good on one network only: `localhost`, `nas`, `tv.local`.
#[cfg(feature = "tower")]
pub(crate) fn is_private_name(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let name = bare.trim_end_matches('.').to_ascii_lowercase();
    bare.parse::<IpAddr>().is_ok()
        || !name.contains('.')
        || [".local", ".localhost", ".lan", ".internal", ".home.arpa"]
            .iter()
            .any(|private| name.ends_with(private))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hosts_are_hosts() {
        for good in ["a", "a.example:80", "192.0.2.1", "[::1]:8920", "tv_1.local"] {
            assert!(is_authority(good), "{good}");
        }
        for bad in
            ["", ":80", "a b", "a/b", "a@b", "[::1", "::1", "a:x", "a:123456", "a\r\nb", "[a]"]
        {
            assert!(!is_authority(bad), "{bad}");
        }
    }
}
