//! Paths in responses: the upstream's own address and path do not leave it.

use http::header::{CONTENT_LOCATION, HOST, LOCATION, SET_COOKIE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};

use crate::url::UpstreamUrl;

/// Takes the upstream's origin and path off `Location`, `Content-Location` and the `Path` of
/// cookies, so that they are right for whoever sees the upstream at the root. `asked` is the
/// authority that the client asked.
pub(crate) fn unmap(headers: &mut HeaderMap, url: &UpstreamUrl, asked: Option<&str>) {
    for name in [LOCATION, CONTENT_LOCATION] {
        if let Some(value) = headers.get_mut(name) {
            replace(value, |text| location(text, url, asked));
        }
    }
    if !url.path().is_empty()
        && let http::header::Entry::Occupied(mut cookies) = headers.entry(SET_COOKIE)
    {
        for value in cookies.iter_mut() {
            replace(value, |text| cookie(text, url.path()));
        }
    }
}

/// The host and port that the client asked.
pub(crate) fn authority(parts: &Parts) -> Option<&str> {
    match parts.uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => parts.headers.get(HOST)?.to_str().ok(),
    }
}

fn replace(value: &mut HeaderValue, map: impl FnOnce(&str) -> Option<String>) {
    let mapped = value.to_str().ok().and_then(map);
    if let Some(Ok(mapped)) = mapped.map(HeaderValue::try_from) {
        *value = mapped;
    }
}

fn location(text: &str, url: &UpstreamUrl, asked: Option<&str>) -> Option<String> {
    let Some((origin, authority, path)) = split_origin(text) else {
        if !text.starts_with('/') || url.path().is_empty() {
            return None;
        }
        // Outside the upstream's path: nothing here leads there.
        return strip_path(text, url.path()).map(plain);
    };
    let inner = strip_path(path, url.path())?;
    if authority.eq_ignore_ascii_case(url.authority()) {
        return Some(plain(inner));
    }
    let asked = asked?;
    if authority.eq_ignore_ascii_case(asked) {
        // It says where the client is: the origin is right, the path is the upstream's own.
        return (!url.path().is_empty()).then(|| [origin, &plain(inner)].concat());
    }
    // nginx writes the client's host beside its own port, which leads past the gateway.
    let (host, port) = split_port(authority);
    let same = host.eq_ignore_ascii_case(split_port(asked).0);
    (same && port == split_port(url.authority()).1).then(|| plain(inner))
}

/// Scheme and authority with what is between them, the authority, and the rest of a URL of this or
/// another host.
fn split_origin(text: &str) -> Option<(&str, &str, &str)> {
    let behind = ["http://", "https://", "//"]
        .into_iter()
        .find(|start| strip_ignore_case(text, start).is_some())?
        .len();
    let rest = text.get(behind..)?;
    let end = behind + rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    Some((text.get(..end)?, text.get(behind..end)?, text.get(end..)?))
}

/// Host and port; without a port it is that of `http`, as servers leave it out.
fn split_port(authority: &str) -> (&str, &str) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (authority, "80"),
    }
}

fn cookie(text: &str, below: &str) -> Option<String> {
    let mut changed = false;
    let parts: Vec<_> = text
        .split(';')
        .enumerate()
        .map(|(index, part)| {
            let path = part
                .split_once('=')
                .filter(|(name, _)| index > 0 && name.trim().eq_ignore_ascii_case("path"))
                .and_then(|(name, path)| Some((name, strip_path(path.trim(), below)?)));
            match path {
                Some((name, inner)) => {
                    changed = true;
                    format!("{name}={}", plain(inner))
                }
                None => part.to_owned(),
            }
        })
        .collect();
    changed.then(|| parts.join(";"))
}

/// What follows `below` in a path, on a segment's border.
fn strip_path<'p>(path: &'p str, below: &str) -> Option<&'p str> {
    let rest = strip_ignore_case(path, below)?;
    (rest.is_empty() || rest.starts_with(['/', '?', '#'])).then_some(rest)
}

/// A path that begins with exactly one slash, so that it never reads as a host.
fn plain(inner: &str) -> String {
    let doubtful = inner.starts_with("//") || inner.starts_with("/\\");
    match (inner.starts_with('/'), doubtful) {
        (_, true) => ["/.", inner].concat(),
        (true, false) => inner.to_owned(),
        (false, false) => ["/", inner].concat(),
    }
}

fn strip_ignore_case<'t>(text: &'t str, start: &str) -> Option<&'t str> {
    let head = text.get(..start.len())?;
    head.eq_ignore_ascii_case(start).then(|| text.get(start.len()..)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_upstreams_own_address_and_path_are_taken_off() {
        let url: UpstreamUrl = "http://10.0.0.5:8096/app".parse().unwrap();
        for (text, expected) in [
            ("/app/web/", Some("/web/")),
            ("/APP", Some("/")),
            ("/app?a", Some("/?a")),
            ("/apple", None),
            ("/other", None),
            ("web/", None),
            ("http://10.0.0.5:8096/app/x?y", Some("/x?y")),
            ("http://10.0.0.5:8096/other", None),
            ("http://10.0.0.5:80960/app/x", None),
            ("http://tv.lan/app/x", Some("http://tv.lan/x")),
            ("https://TV.lan/app", Some("https://TV.lan/")),
            ("http://tv.lan/other", None),
            ("http://tv.lan:8096/app/x", Some("/x")),
            ("http://tv.lan:8096/app//x", Some("/.//x")),
            ("http://tv.lan:81/app/x", None),
            ("http://tv.lan@evil.com/app/x", None),
            ("http://tv.lan\\evil.com/app/x", None),
            ("http://evil.com:8096/app/x", None),
            ("/app//evil.com", Some("/.//evil.com")),
            ("//evil.com/app", None),
        ] {
            assert_eq!(location(text, &url, Some("tv.lan")).as_deref(), expected, "{text}");
        }
        let root: UpstreamUrl = "http://10.0.0.5:8096".parse().unwrap();
        for (text, expected) in [
            ("/web/", None),
            ("http://10.0.0.5:8096", Some("/")),
            ("http://10.0.0.5:8096/web/", Some("/web/")),
            ("//evil.com", None),
        ] {
            assert_eq!(location(text, &root, Some("tv.lan")).as_deref(), expected, "{text}");
        }
        assert_eq!(location("http://tv.lan:8096/web/", &root, None), None);
        assert_eq!(
            location("http://tv.lan:8096/web/", &root, Some("tv.lan:80")).as_deref(),
            Some("/web/")
        );
        assert_eq!(location("http://tv.lan:8096/web/", &root, Some("tv.lan:8096")), None);
    }

    #[test]
    fn the_path_of_a_cookie_loses_the_upstreams() {
        let cookie = |text| cookie(text, "/app");
        assert_eq!(cookie("a=b; Path=/app; Secure").as_deref(), Some("a=b; Path=/; Secure"));
        assert_eq!(cookie("a=b;path=/app/x").as_deref(), Some("a=b;path=/x"));
        assert_eq!(cookie("path=/app; Path=/"), None);
    }
}
