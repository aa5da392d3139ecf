//! Paths in responses: the upstream's own address and path do not leave it.

use http::header::{CONTENT_LOCATION, LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderValue};

use crate::url::UpstreamUrl;

/// Takes the upstream's origin and path off `Location`, `Content-Location` and the `Path` of
/// cookies, so that they are right for whoever sees the upstream at the root.
pub(crate) fn unmap(headers: &mut HeaderMap, url: &UpstreamUrl) {
    for name in [LOCATION, CONTENT_LOCATION] {
        if let Some(value) = headers.get_mut(name) {
            replace(value, |text| location(text, url));
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

fn replace(value: &mut HeaderValue, map: impl FnOnce(&str) -> Option<String>) {
    let mapped = value.to_str().ok().and_then(map);
    if let Some(Ok(mapped)) = mapped.map(HeaderValue::try_from) {
        *value = mapped;
    }
}

fn location(text: &str, url: &UpstreamUrl) -> Option<String> {
    let own = ["http://", "//"].into_iter().find_map(|start| {
        let rest = strip_ignore_case(text, start)?;
        let rest = strip_ignore_case(rest, url.authority())?;
        (rest.is_empty() || rest.starts_with(['/', '?', '#'])).then_some(rest)
    });
    let path = own.unwrap_or(text);
    if own.is_none() && (!path.starts_with('/') || path.starts_with("//")) {
        return None;
    }
    match strip_path(path, url.path()) {
        Some(inner) => (own.is_some() || !url.path().is_empty()).then(|| plain(inner)),
        // Outside the upstream's path: nothing here leads there.
        None => None,
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
            ("http://tv.lan/app/x", None),
            ("/app//evil.com", Some("/.//evil.com")),
            ("//evil.com/app", None),
        ] {
            assert_eq!(location(text, &url).as_deref(), expected, "{text}");
        }
        let root: UpstreamUrl = "http://10.0.0.5:8096".parse().unwrap();
        for (text, expected) in [
            ("/web/", None),
            ("http://10.0.0.5:8096", Some("/")),
            ("http://10.0.0.5:8096/web/", Some("/web/")),
            ("//evil.com", None),
        ] {
            assert_eq!(location(text, &root).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn the_path_of_a_cookie_loses_the_upstreams() {
        let cookie = |text| cookie(text, "/app");
        assert_eq!(cookie("a=b; Path=/app; Secure").as_deref(), Some("a=b; Path=/; Secure"));
        assert_eq!(cookie("a=b;path=/app/x").as_deref(), Some("a=b;path=/x"));
        assert_eq!(cookie("path=/app; Path=/"), None);
    }
}
