//! Relative references between two paths of one server (RFC 3986 § 4.2).

/// Writes where `to` lies, seen from the raw request path `from`, without naming host or root.
///
/// A proxy may have cut a prefix off `from`; the answer still leads to the right place, because
/// it only climbs what the client certainly has. Never begins with `/`.
///
/// Segments are compared without regard to ASCII letter case, as requests are.
pub(crate) fn relative(from: &str, to: &str) -> String {
    let directory = from.rsplit_once('/').map_or("", |(directory, _)| directory);
    let mut here = directory.split('/').skip(1);
    let mut there = to.split('/').skip(1);
    loop {
        let (mut next_here, mut next_there) = (here.clone(), there.clone());
        let (Some(left), Some(right)) = (next_here.next(), next_there.next()) else {
            break;
        };
        // The last part of `to` is a document, never a directory to stand in.
        let is_document = next_there.clone().next().is_none();
        if is_document || !left.eq_ignore_ascii_case(right) {
            break;
        }
        (here, there) = (next_here, next_there);
    }

    let mut out = "../".repeat(here.count());
    let first = there.clone().next().unwrap_or_default();
    // Else it would read as nothing, as a path from the root or as a scheme.
    if out.is_empty() && (first.is_empty() || first.contains(':')) {
        out.push_str("./");
    }
    for (index, segment) in there.enumerate() {
        if index > 0 {
            out.push('/');
        }
        out.push_str(segment);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_climbs_no_more_than_it_must() {
        for (from, to, expected) in [
            ("/", "/jellyfin/web/", "jellyfin/web/"),
            ("", "/jellyfin/web/", "jellyfin/web/"),
            ("/jellyfin", "/jellyfin/web/", "jellyfin/web/"),
            ("/jellyfin/", "/jellyfin/web/", "web/"),
            ("/JELLYFIN/", "/jellyfin/web/", "web/"),
            ("/other/path", "/jellyfin/web/", "../jellyfin/web/"),
            ("//evil.com", "/jellyfin/web/", "../jellyfin/web/"),
            ("/a", "/a/b/web/", "a/b/web/"),
            ("/a/", "/a/b/web/", "b/web/"),
            ("/a/b", "/a/b/web/", "b/web/"),
            ("/a/b/", "/a/b/web/", "web/"),
            ("/old/x/y", "/new/x/y", "../../new/x/y"),
            ("/old/x", "/x", "../x"),
            ("/old", "/", "./"),
            ("/old/", "/", "../"),
            ("/", "/a:b/web/", "./a:b/web/"),
            ("/a/a//b", "/a//b", "../..//b"),
            ("/a/", "/a//b", ".//b"),
        ] {
            assert_eq!(relative(from, to), expected, "{from} to {to}");
        }
    }
}
