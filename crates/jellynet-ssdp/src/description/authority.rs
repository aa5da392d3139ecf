//! Under which host a request came, and whether that can be this server.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Whether `authority` (`host` or `host:port`) is an IP address or one of `names`.
///
/// A page of a stranger's site whose name was made to resolve to this server ("DNS rebinding")
/// comes under that name; one that was addressed by its address does not.
pub(super) fn is_allowed(authority: &str, names: &[String]) -> bool {
    let Some(host) = host(authority) else {
        return false;
    };
    if let Some(v6) = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        return v6.parse::<Ipv6Addr>().is_ok();
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    host.parse::<Ipv4Addr>().is_ok()
        || host.eq_ignore_ascii_case("localhost")
        || names.iter().any(|name| name.eq_ignore_ascii_case(host))
}

/// The host without its port; `None` when it is no authority.
fn host(authority: &str) -> Option<&str> {
    if authority.is_empty() || authority.contains(['@', '/', '\\', '?', '#', '%', ' ']) {
        return None;
    }
    let end = if authority.starts_with('[') {
        authority.find(']')?.checked_add(1)?
    } else {
        authority.find(':').unwrap_or(authority.len())
    };
    let (host, port) = authority.split_at_checked(end)?;
    let port_is_number = match port.strip_prefix(':') {
        Some(digits) => digits.parse::<u16>().is_ok(),
        None => port.is_empty(),
    };
    port_is_number.then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_own_names_pass_and_strangers_names_do_not() {
        let names = ["media.lan".to_owned()];
        for (authority, expected) in [
            ("10.0.0.5:8096", true),
            ("10.0.0.5", true),
            ("[fd77::1]:8096", true),
            ("[fe80::1]", true),
            ("localhost:8096", true),
            ("MEDIA.lan:8096", true),
            ("media.lan.", true),
            ("evil.example:8096", false),
            ("media.lan.evil.example", false),
            ("10.0.0.5.evil.example", false),
            ("10.0.0.5:8096@evil.example", false),
            ("10.0.0.5:x", false),
            ("[fd77::1%25eth0]", false),
            ("[10.0.0.5]", false),
            ("fd77::1", false),
            ("", false),
            (":8096", false),
        ] {
            assert_eq!(is_allowed(authority, &names), expected, "{authority}");
        }
    }
}
