//! What an application says about its own path, put into terms of the path that clients see.

use crate::base_path::BasePath;

/// The path that clients see beside the path that the application sees.
///
/// | the application says | clients are told |
/// | --- | --- |
/// | a path under its own (`/app/x`) | the same under theirs (`/tv/x`) |
/// | a path that is already theirs (`/tv/x`) | as it is |
/// | a relative path, another host, a path of neither | as it is |
///
/// Where one path lies inside the other, the longer match counts.
///
/// # Examples
///
/// ```
/// use jellynet_base_url::PathMap;
///
/// let map = PathMap::new("/tv".parse()?, "/app".parse()?);
/// assert_eq!(map.location("/app/web/", None).as_deref(), Some("/tv/web/"));
/// assert_eq!(map.location("web/", None), None);
/// assert_eq!(map.cookie("id=1; Path=/app").as_deref(), Some("id=1; Path=/tv"));
/// # Ok::<(), jellynet_base_url::ParseBasePathError>(())
/// ```
#[derive(Clone, Debug)]
pub struct PathMap {
    outside: BasePath,
    inside: BasePath,
}

impl PathMap {
    /// Maps between what clients see (`outside`) and what the application sees (`inside`).
    #[must_use]
    pub const fn new(outside: BasePath, inside: BasePath) -> Self {
        Self { outside, inside }
    }

    /// The path that clients see.
    #[must_use]
    pub const fn outside(&self) -> &BasePath {
        &self.outside
    }

    /// The path that the application sees.
    #[must_use]
    pub const fn inside(&self) -> &BasePath {
        &self.inside
    }

    /// Maps the value of a `Location` or `Content-Location`; `None` where it stays as it is.
    ///
    /// A whole URL is mapped when its host and port are `authority`, those of the request. The
    /// result never begins with `//`, so that a path never turns into a host.
    #[must_use]
    pub fn location(&self, location: &str, authority: Option<&str>) -> Option<String> {
        let at = path_of(location, authority)?;
        let (origin, path) = location.split_at_checked(at)?;
        let path = self.path(path)?;
        Some([origin, &path].concat())
    }

    /// Maps the `Path` attribute of a `Set-Cookie` value; `None` where it stays as it is.
    #[must_use]
    pub fn cookie(&self, cookie: &str) -> Option<String> {
        let mut mapped: Option<String> = None;
        let mut at = cookie.find(';')? + 1;
        // RFC 6265 § 5.2: attributes stand behind semicolons, the last `Path` counts.
        for attribute in cookie.get(at..)?.split(';') {
            let end = at + attribute.len();
            if let Some((name, value)) = attribute.split_once('=')
                && name.trim().eq_ignore_ascii_case("path")
            {
                let value = value.trim_end();
                let path = value.trim_start();
                let from = at + name.len() + 1 + (value.len() - path.len());
                mapped = self.path(path).and_then(|path| {
                    // `Path=/tv/` would leave out `/tv` itself (RFC 6265 § 5.1.4).
                    let path = match path.strip_suffix('/') {
                        Some(short) if !short.is_empty() && value.trim() == "/" => short,
                        _ => &path,
                    };
                    let tail = cookie.get(at + name.len() + 1 + value.len()..)?;
                    Some([cookie.get(..from)?, path, tail].concat())
                });
            }
            at = end + 1;
        }
        mapped
    }

    fn path(&self, path: &str) -> Option<String> {
        if !path.starts_with('/') || self.outside == self.inside {
            return None;
        }
        let theirs = self.outside.strip(path).is_some();
        if theirs && self.outside.len() >= self.inside.len() {
            return None;
        }
        let rest = self.inside.strip(path)?;
        let mapped = if rest.is_empty() || rest.starts_with('/') {
            self.outside.join(rest)
        } else if self.outside.is_root() {
            ["/", rest].concat()
        } else {
            self.outside.join(rest)
        };
        let reads_as_host = mapped.starts_with("//") || mapped.starts_with("/\\");
        Some(if reads_as_host {
            // `/.` in front keeps it a path (RFC 3986 § 3.3 forbids a path that begins with `//`).
            ["/.", &mapped].concat()
        } else {
            mapped
        })
    }
}

/// Where the path begins in a reference to this server; `None` for another host or no path.
fn path_of(location: &str, authority: Option<&str>) -> Option<usize> {
    let behind = ["http://", "https://", "//"].into_iter().find_map(|start| {
        let head = location.get(..start.len())?;
        head.eq_ignore_ascii_case(start).then_some(start.len())
    });
    let Some(host) = behind else {
        return location.starts_with('/').then_some(0);
    };
    let rest = location.get(host..)?;
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let same = rest.get(..end)?.eq_ignore_ascii_case(authority?);
    let is_path = rest.get(end..)?.starts_with('/');
    (same && is_path).then_some(host + end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(outside: &str, inside: &str) -> PathMap {
        PathMap::new(outside.parse().unwrap(), inside.parse().unwrap())
    }

    #[test]
    fn locations_are_told_in_the_clients_terms() {
        for (outside, inside, location, expected) in [
            ("/tv", "", "/web/", Some("/tv/web/")),
            ("/tv", "", "/", Some("/tv/")),
            ("/tv", "", "/tv/web/", None),
            ("/tv", "", "web/", None),
            ("/tv", "", "../web/", None),
            ("/tv", "/app", "/app", Some("/tv")),
            ("/tv", "/app", "/app?a=/app", Some("/tv?a=/app")),
            ("/tv", "/app", "/apple", None),
            ("", "/app", "/app", Some("/")),
            ("", "/app", "/app?a", Some("/?a")),
            ("", "/app", "/app//evil.com", Some("/.//evil.com")),
            ("", "/app", "/app/\\evil.com", Some("/./\\evil.com")),
            ("/tv", "/tv", "/tv/x", None),
            ("/app/tv", "/app", "/app/tv/x", None),
            ("/app/tv", "/app", "/app/x", Some("/app/tv/x")),
            ("/app", "/app/tv", "/app/tv/x", Some("/app/x")),
            ("/app", "/app/tv", "/app/x", None),
            ("/tv", "/app", "http://tv.lan/app/x", Some("http://tv.lan/tv/x")),
            ("/tv", "/app", "HTTPS://TV.lan/app/x", Some("HTTPS://TV.lan/tv/x")),
            ("/tv", "/app", "//tv.lan/app/x", Some("//tv.lan/tv/x")),
            ("/tv", "/app", "http://tv.lan:81/app/x", None),
            ("/tv", "", "//evil.com/app/x", None),
            ("/tv", "/app", "http://tv.lan@evil.com/app/x", None),
            ("/tv", "/app", "http://tv.lan", None),
        ] {
            let mapped = map(outside, inside).location(location, Some("tv.lan"));
            assert_eq!(mapped.as_deref(), expected, "{inside} → {outside}: {location}");
        }
    }

    #[test]
    fn only_the_path_attribute_of_a_cookie_changes() {
        for (cookie, expected) in [
            ("a=b; Path=/", Some("a=b; Path=/tv")),
            ("a=b; path = /web ;Secure", Some("a=b; path = /tv/web ;Secure")),
            ("Path=/; HttpOnly", None),
            ("a=b", None),
            ("a=b; Path=", None),
            ("a=b; Path=/x; Path=/tv/y", None),
            ("a=b; Path=/x; Path=/y", Some("a=b; Path=/x; Path=/tv/y")),
        ] {
            let mapped = map("/tv", "").cookie(cookie);
            assert_eq!(mapped.as_deref(), expected, "{cookie}");
        }
    }
}
