//! From text to [`Listen`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use jellynet_netif::unmapped;

use super::error::ParseListenError;
use super::unix::UnixListen;
use super::{Families, Listen};

pub(super) fn listen(value: &str) -> Result<Listen, ParseListenError> {
    if value.is_empty() {
        return Err(ParseListenError::Empty);
    }
    if let Some(rest) = value.strip_prefix("unix:") {
        return UnixListen::parse(value, rest).map(Listen::Unix);
    }
    if value == "systemd" {
        return Ok(Listen::Systemd { name: None });
    }
    if let Some(name) = value.strip_prefix("systemd:") {
        return systemd(value, name);
    }
    if let Some(number) = value.strip_prefix("fd:") {
        let fd = number.parse().ok().filter(|fd| *fd >= 3);
        return fd
            .map(Listen::Fd)
            .ok_or_else(|| ParseListenError::BadFd { value: value.to_owned() });
    }
    if let Some((_, rest)) = value.split_once("://") {
        return Err(ParseListenError::Url {
            value: value.to_owned(),
            remedy: rest.split('/').next().unwrap_or(rest).to_owned(),
        });
    }
    if value.starts_with('/') {
        return Err(ParseListenError::BarePath { value: value.to_owned() });
    }
    host_and_port(value)
}

/// systemd.socket(5): printable ASCII without colon and control characters, up to 255.
fn systemd(value: &str, name: &str) -> Result<Listen, ParseListenError> {
    let usable = |b: u8| b.is_ascii_graphic() && b != b':';
    if name.is_empty() || name.len() > 255 || !name.bytes().all(usable) {
        return Err(ParseListenError::BadSocketName { value: value.to_owned() });
    }
    Ok(Listen::Systemd { name: Some(name.to_owned()) })
}

fn host_and_port(value: &str) -> Result<Listen, ParseListenError> {
    if let Some(rest) = value.strip_prefix('[') {
        return bracketed(value, rest);
    }
    if let Ok(ip) = value.parse::<Ipv6Addr>() {
        return Err(ParseListenError::NoBrackets {
            value: value.to_owned(),
            remedy: format!("[{ip}]:8096"),
        });
    }
    let Some((host, port)) = value.rsplit_once(':') else {
        return Err(no_port(value));
    };
    if host.contains(':') {
        return Err(ParseListenError::NoBrackets {
            value: value.to_owned(),
            remedy: format!("[{host}]:{port}"),
        });
    }
    named(value, host, parse_port(value, port)?)
}

fn no_port(value: &str) -> ParseListenError {
    if value.bytes().all(|b| b.is_ascii_digit()) {
        return ParseListenError::OnlyPort { value: value.to_owned() };
    }
    ParseListenError::NoPort { value: value.to_owned(), remedy: format!("{value}:8096") }
}

fn parse_port(value: &str, port: &str) -> Result<u16, ParseListenError> {
    // `u16::from_str` would take `+8096`.
    let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    port.parse()
        .ok()
        .filter(|_| digits)
        .ok_or_else(|| ParseListenError::BadPort { value: value.to_owned(), port: port.to_owned() })
}

/// An IPv4 address, `*`, `localhost` or an interface.
fn named(value: &str, host: &str, port: u16) -> Result<Listen, ParseListenError> {
    if host.is_empty() || host == "*" {
        return Ok(Listen::Wildcard { families: Families::Both, port });
    }
    if host.eq_ignore_ascii_case("localhost") {
        return Ok(Listen::Loopback { port });
    }
    if let Ok(ip) = host.parse::<Ipv4Addr>() {
        return address(value, IpAddr::V4(ip), None, port);
    }
    if host.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return Err(ParseListenError::BadIpv4 { value: value.to_owned() });
    }
    if !is_interface_name(host) {
        return Err(ParseListenError::NotAnInterface { value: value.to_owned(), port });
    }
    Ok(Listen::Interface { name: host.to_owned(), port })
}

/// What Linux takes as a name (`dev_valid_name`): up to 15 bytes, no slash, colon or white space.
fn is_interface_name(name: &str) -> bool {
    let clean = |c: char| !c.is_whitespace() && !c.is_control() && !"/:%[]*".contains(c);
    !name.is_empty() && name.len() < 16 && !matches!(name, "." | "..") && name.chars().all(clean)
}

fn bracketed(value: &str, rest: &str) -> Result<Listen, ParseListenError> {
    let bad = || ParseListenError::BadBrackets { value: value.to_owned() };
    let (inside, after) = rest.split_once(']').ok_or_else(bad)?;
    let (ip, zone) = match inside.split_once('%') {
        Some((ip, zone)) if is_interface_name(zone) => (ip, Some(zone)),
        Some(_) => return Err(bad()),
        None => (inside, None),
    };
    let ip: Ipv6Addr = ip.parse().map_err(|_| bad())?;
    if after.is_empty() {
        return Err(ParseListenError::NoPort {
            value: value.to_owned(),
            remedy: format!("{value}:8096"),
        });
    }
    let port = parse_port(value, after.strip_prefix(':').ok_or_else(bad)?)?;
    address(value, unmapped(IpAddr::V6(ip)), zone, port)
}

fn address(
    value: &str,
    ip: IpAddr,
    zone: Option<&str>,
    port: u16,
) -> Result<Listen, ParseListenError> {
    let link_local = matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local());
    let what = match ip {
        _ if ip.is_multicast() => Some("multicast"),
        IpAddr::V4(v4) if v4.is_broadcast() => Some("broadcast"),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    };
    if let Some(what) = what {
        return Err(ParseListenError::NotListenable {
            value: value.to_owned(),
            what,
            remedy: format!("*:{port}"),
        });
    }
    if zone.is_some() && !link_local {
        return Err(ParseListenError::NeedlessZone {
            value: value.to_owned(),
            remedy: std::net::SocketAddr::new(ip, port).to_string(),
        });
    }
    if ip.is_unspecified() {
        let families = if ip.is_ipv4() { Families::V4 } else { Families::V6 };
        return Ok(Listen::Wildcard { families, port });
    }
    if link_local && zone.is_none() {
        return Err(ParseListenError::NoZone {
            value: value.to_owned(),
            remedy: format!("[{ip}%eth0]:{port}"),
        });
    }
    Ok(Listen::Address { ip, zone: zone.map(str::to_owned), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_and_written_back() {
        for (text, written) in [
            ("*:8096", "*:8096"),
            (":8096", "*:8096"),
            ("  *:0 ", "*:0"),
            ("0.0.0.0:8096", "0.0.0.0:8096"),
            ("[::]:8096", "[::]:8096"),
            ("192.168.1.10:8096", "192.168.1.10:8096"),
            ("[::ffff:192.0.2.1]:80", "192.0.2.1:80"),
            ("[FD00::0005]:8096", "[fd00::5]:8096"),
            ("[fe80::1%eth0]:8096", "[fe80::1%eth0]:8096"),
            ("[fe80::1%3]:8096", "[fe80::1%3]:8096"),
            ("eth0:8096", "eth0:8096"),
            ("eth0.100:8096", "eth0.100:8096"),
            ("br-lan@x:1", "br-lan@x:1"),
            ("localhost:8096", "localhost:8096"),
            ("unix:/run/x.sock", "unix:/run/x.sock"),
            ("unix:/run/x.sock?mode=0660", "unix:/run/x.sock?mode=0660"),
            ("unix:/run/x.sock?mode=600", "unix:/run/x.sock"),
            (
                "unix:/run/x.sock?group=44&user=media&mode=660",
                "unix:/run/x.sock?mode=0660&user=media&group=44",
            ),
            ("unix:@jelly", "unix:@jelly"),
            ("systemd:http", "systemd:http"),
            ("systemd", "systemd"),
            ("fd:3", "fd:3"),
        ] {
            let listen: Listen = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(listen.to_string(), written, "{text}");
            assert_eq!(written.parse::<Listen>().unwrap(), listen, "{text}");
        }
    }

    #[test]
    fn a_bad_text_is_named_with_its_reason_and_remedy() {
        for (text, message) in [
            ("", "the listener is empty: write an address and a port, such as `*:8096`"),
            ("8096", "`8096` names no address, only a port: write `*:8096`"),
            ("eth0", "`eth0` has no port: write `eth0:8096`"),
            ("[fd00::5]", "`[fd00::5]` has no port: write `[fd00::5]:8096`"),
            ("*:99999", "`*:99999` has a bad port `99999`: a port is a number from 0 to 65535"),
            ("*:+80", "`*:+80` has a bad port `+80`: a port is a number from 0 to 65535"),
            ("fd00::5", "`fd00::5` has an IPv6 address without brackets: write `[fd00::5]:8096`"),
            (
                "fd00::5%x:80",
                "`fd00::5%x:80` has an IPv6 address without brackets: write `[fd00::5%x]:80`",
            ),
            (
                "[192.0.2.1]:80",
                "`[192.0.2.1]:80` has no IPv6 address in its brackets: write it as in `[fd00::5]:8096`",
            ),
            (
                "192.168.1.300:80",
                "`192.168.1.300:80` has no IPv4 address: write four numbers from 0 to 255, as in `192.168.1.10:8096`",
            ),
            (
                "239.0.0.1:80",
                "`239.0.0.1:80` cannot be listened on, because it is a multicast address: write `*:80`",
            ),
            (
                "[fe80::1]:80",
                "`[fe80::1]:80` is valid on one link only and must name its interface: write `[fe80::1%eth0]:80`",
            ),
            (
                "[fd00::1%eth0]:80",
                "`[fd00::1%eth0]:80` names an interface for an address that needs none: write `[fd00::1]:80`",
            ),
            (
                "media.example.org:80",
                "`media.example.org:80` has neither an address nor an interface name (up to 15 characters), and host names are not resolved: write an address, or `*:80` for all",
            ),
            (
                "http://192.0.2.1:80/x",
                "`http://192.0.2.1:80/x` is a URL: write only the address and port, as in `192.0.2.1:80`",
            ),
            ("/run/x.sock", "`/run/x.sock` is a path: write `unix:/run/x.sock`"),
            (
                "unix:x.sock",
                "`unix:x.sock` has no absolute path: write `unix:/run/NAME.sock`, or `unix:@NAME` for an abstract one",
            ),
            (
                "unix:/x?mode=0999",
                "`unix:/x?mode=0999` has a bad mode `0999`: write it in octal from 0000 to 0777, as in `mode=0660`",
            ),
            (
                "unix:/x?owner=me",
                "`unix:/x?owner=me` has the unknown setting `owner`: `mode`, `user` and `group` are known",
            ),
            (
                "unix:/x?mode=",
                "`unix:/x?mode=` has the setting `mode` twice or without a value: write it once, as `mode=…`",
            ),
            (
                "unix:@x?mode=0660",
                "`unix:@x?mode=0660` is abstract and can have neither mode nor owner: write a path, or leave them out",
            ),
            (
                "systemd:",
                "`systemd:` has no usable socket name: write the `FileDescriptorName=` of the socket unit, as in `systemd:http`",
            ),
            (
                "fd:1",
                "`fd:1` has no usable file descriptor: write a number from 3 on, as in `fd:3`",
            ),
        ] {
            let error = text.parse::<Listen>().unwrap_err();
            assert_eq!(error.to_string(), message, "{text}");
        }
        let long = format!("unix:/{}", "x".repeat(107));
        assert!(matches!(
            long.parse::<Listen>(),
            Err(ParseListenError::LongPath { length: 108, .. })
        ));
    }

    #[test]
    fn a_list_reports_all_its_bad_entries() {
        let error = Listen::parse_list(["eth0", "*:8096", "x:y"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "2 of 3 listeners cannot be read: [0] `eth0` has no port: write `eth0:8096`; \
             [2] `x:y` has a bad port `y`: a port is a number from 0 to 65535"
        );
    }

    proptest::proptest! {
        #[test]
        fn hostile_text_never_panics_and_what_is_read_is_written_back(text in "\\PC{0,40}") {
            if let Ok(listen) = text.parse::<Listen>() {
                proptest::prop_assert_eq!(listen.to_string().parse::<Listen>().unwrap(), listen);
            }
        }

        #[test]
        fn near_misses_never_panic(
            head in "(unix:|systemd:|fd:|\\[|\\*|eth0|fe80::1|10.0.0.1)?",
            tail in "[]%:?&=@/a-f0-9.\\[]{0,30}",
        ) {
            if let Ok(listen) = format!("{head}{tail}").parse::<Listen>() {
                proptest::prop_assert_eq!(listen.to_string().parse::<Listen>().unwrap(), listen);
            }
        }
    }
}
