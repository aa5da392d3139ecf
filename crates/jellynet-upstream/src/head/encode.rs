//! The head of a request, as the upstream gets it.

use std::net::IpAddr;

use bytes::{BufMut, BytesMut};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, header};
use jellynet_netif::{ClientAddr, PeerAddr};

use super::hop::{has_token, is_hop_by_hop, nominated};
use crate::config::{HostPolicy, UpstreamConfig};
use crate::error::ForwardError;

/// How long the body of a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestLength {
    /// None at all.
    None,
    Exact(u64),
    Chunked,
}

/// What else the head says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadOptions {
    pub(crate) length: RequestLength,
    /// Ask for the protocol in `Upgrade`.
    pub(crate) upgrade: bool,
    /// Ask for a response without content coding, which will be read here.
    pub(crate) plain: bool,
}

/// Writes the head of a request: the target below the upstream's path, the client's fields without
/// those of its connection, and who the client is, from values that the layers in front set.
pub(crate) fn encode(
    out: &mut BytesMut,
    parts: &Parts,
    config: &UpstreamConfig,
    options: HeadOptions,
) -> Result<(), ForwardError> {
    put(out, parts.method.as_str());
    out.put_u8(b' ');
    put_target(out, parts, config)?;
    put(out, " HTTP/1.1\r\n");
    let host = match host_of(parts) {
        Err(error) if matches!(config.host, HostPolicy::Preserve) => return Err(error),
        named => named.unwrap_or_default(),
    };
    put_host(out, host, config);

    let dropped = nominated(&parts.headers);
    for (name, value) in &parts.headers {
        if *name == header::COOKIE
            || is_replaced(name, config, options)
            || is_hop_by_hop(name)
            || dropped.contains(name)
        {
            continue;
        }
        put_field(out, name.as_str(), value);
    }
    if !dropped.contains(&header::COOKIE) {
        put_cookies(out, parts);
    }
    put_facts(out, parts, host);
    put_connection(out, parts, options);
    put_length(out, parts, options.length);
    put(out, "\r\n");
    Ok(())
}

fn put(out: &mut BytesMut, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

fn put_field(out: &mut BytesMut, name: &str, value: &HeaderValue) {
    out.reserve(name.len() + value.len() + 4);
    put(out, name);
    put(out, ": ");
    out.extend_from_slice(value.as_bytes());
    put(out, "\r\n");
}

/// HTTP/2 may cut cookies into several fields, HTTP/1.1 knows one (RFC 9113 § 8.2.3).
fn put_cookies(out: &mut BytesMut, parts: &Parts) {
    let mut before = "cookie: ";
    for cookie in parts.headers.get_all(header::COOKIE) {
        put(out, before);
        out.extend_from_slice(cookie.as_bytes());
        before = "; ";
    }
    if before == "; " {
        put(out, "\r\n");
    }
}

fn put_target(
    out: &mut BytesMut,
    parts: &Parts,
    config: &UpstreamConfig,
) -> Result<(), ForwardError> {
    let path = parts.uri.path();
    // RFC 9112 § 3.2.4: `OPTIONS *`.
    if path == "*" && parts.method == Method::OPTIONS {
        put(out, "*");
        return Ok(());
    }
    if !path.starts_with('/') {
        return Err(ForwardError::Request { what: "its target has no path" });
    }
    let below = config.url.path();
    if !below.is_empty() && has_dots(path) {
        return Err(ForwardError::Request {
            what: "its path has dot segments, which could lead out of the upstream's path",
        });
    }
    put(out, below);
    let target = parts.uri.path_and_query().map_or(path, |target| target.as_str());
    put(out, target);
    Ok(())
}

/// Whether a path could hold a dot segment, however dots and slashes are written.
fn has_dots(path: &str) -> bool {
    let bytes = path.as_bytes();
    let encoded = |three: &[u8]| three.eq_ignore_ascii_case(b"%2e");
    bytes.windows(2).any(|pair| pair == b"..") || bytes.windows(3).any(encoded)
}

fn put_host(out: &mut BytesMut, asked: Option<&[u8]>, config: &UpstreamConfig) {
    put(out, "host: ");
    match &config.host {
        HostPolicy::Preserve => match asked {
            Some(host) => out.extend_from_slice(host),
            None => put(out, config.url.authority()),
        },
        HostPolicy::Upstream => put(out, config.url.authority()),
        HostPolicy::Fixed(host) => out.extend_from_slice(host.as_bytes()),
    }
    put(out, "\r\n");
}

/// The host that the client asked: of the target (HTTP/2, or a layer that knows it), else of the
/// only `Host` field (RFC 9112 § 3.2).
fn host_of(parts: &Parts) -> Result<Option<&[u8]>, ForwardError> {
    if let Some(authority) = parts.uri.authority() {
        let text = authority.as_str();
        let host = text.rsplit_once('@').map_or(text, |(_, host)| host);
        return Ok(Some(host.as_bytes()));
    }
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    let first = hosts.next();
    if hosts.next().is_some() {
        return Err(ForwardError::Request { what: "it names two hosts" });
    }
    Ok(first.map(HeaderValue::as_bytes))
}

/// Fields that are written here from values, never passed on from a client.
fn is_replaced(name: &HeaderName, config: &UpstreamConfig, options: HeadOptions) -> bool {
    match name.as_str() {
        "host" | "content-length" | "forwarded" | "x-real-ip" => true,
        "accept-encoding" => options.plain,
        "x-forwarded-prefix" => !config.pass_prefix,
        name => ["x-forwarded-", "x-original-", "x-real-ip"].iter().any(|one| reads_as(name, one)),
    }
}

/// Whether a field reads as one that begins with `prefix` to an upstream that maps names as CGI
/// does (RFC 3875 § 4.1.18), where `_` and `-` are the same.
fn reads_as(name: &str, prefix: &str) -> bool {
    name.len() >= prefix.len()
        && name.bytes().zip(prefix.bytes()).all(|(n, p)| n == p || (n == b'_' && p == b'-'))
}

/// Who the client is and what it asked, from the extensions and the target of the request.
fn put_facts(out: &mut BytesMut, parts: &Parts, asked: Option<&[u8]>) {
    let client = parts.extensions.get::<ClientAddr>().map(|client| client.ip);
    let peer = || parts.extensions.get::<PeerAddr>().and_then(|peer| peer.ip());
    if let Some(ip) = client.or_else(peer) {
        put(out, "x-forwarded-for: ");
        put_ip(out, ip);
        put(out, "\r\n");
    }
    let scheme = parts.uri.scheme_str().unwrap_or("http");
    put(out, "x-forwarded-proto: ");
    put(out, scheme);
    put(out, "\r\n");
    if let Some(host) = asked {
        put(out, "x-forwarded-host: ");
        out.extend_from_slice(host);
        put(out, "\r\n");
    }
}

/// Each request has one: an IPv4 address takes a tenth of what the formatter takes for it.
fn put_ip(out: &mut BytesMut, ip: IpAddr) {
    let IpAddr::V4(ip) = ip else {
        use std::fmt::Write as _;
        // Writing to memory does not fail.
        let _ = write!(out, "{ip}");
        return;
    };
    for (at, octet) in ip.octets().into_iter().enumerate() {
        if at > 0 {
            out.put_u8(b'.');
        }
        let digits = [octet / 100, octet / 10 % 10, octet % 10].map(|digit| b'0' + digit);
        let leading = usize::from(octet < 100) + usize::from(octet < 10);
        out.extend_from_slice(digits.get(leading..).unwrap_or_default());
    }
}

fn put_connection(out: &mut BytesMut, parts: &Parts, options: HeadOptions) {
    if options.upgrade {
        put(out, "connection: upgrade\r\n");
        for protocol in parts.headers.get_all(header::UPGRADE) {
            put_field(out, "upgrade", protocol);
        }
    } else if has_token(&parts.headers, &header::TE, "trailers") {
        // RFC 9110 § 10.1.4: the only member that a proxy may promise for its client.
        put(out, "connection: te\r\nte: trailers\r\n");
    }
}

fn put_length(out: &mut BytesMut, parts: &Parts, length: RequestLength) {
    match length {
        RequestLength::Exact(length) => {
            use std::fmt::Write as _;
            let _ = write!(out, "content-length: {length}\r\n");
        }
        RequestLength::Chunked => put(out, "transfer-encoding: chunked\r\n"),
        RequestLength::None => {
            // RFC 9110 § 8.6: methods that have a meaning for a body say that there is none.
            let expected = matches!(parts.method, Method::POST | Method::PUT | Method::PATCH);
            if expected || parts.headers.contains_key(header::CONTENT_LENGTH) {
                put(out, "content-length: 0\r\n");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_the_standard_library_does() {
        let octets = (0..=255).map(|octet| IpAddr::from([octet, 255 - octet, octet / 2, 0]));
        let others = ["::", "2001:db8::1", "fe80::1"].map(|ip| ip.parse().unwrap());
        for ip in octets.chain(others) {
            let mut out = BytesMut::new();
            put_ip(&mut out, ip);
            assert_eq!(out, ip.to_string());
        }
    }

    #[test]
    fn underscores_do_not_smuggle_a_forwarding_header_through() {
        for name in ["x_forwarded_for", "x-forwarded_host", "x_original_uri", "x_real_ip"] {
            let one = ["x-forwarded-", "x-original-", "x-real-ip"];
            assert!(one.iter().any(|prefix| reads_as(name, prefix)), "{name}");
        }
        assert!(!reads_as("x-forwarder", "x-forwarded-"));
    }
}
