//! Reference resolution as a client does it (RFC 3986 § 5.2), the oracle of the redirect tests.

/// The authority and path at which a client arrives that asked `path` of `host`.
pub(crate) fn resolve(host: &str, path: &str, reference: &str) -> (String, String) {
    // Browsers read a backslash as a slash (WHATWG URL § 4.4).
    let path = if path.starts_with('/') { path } else { "/" };
    let reference = reference.replace('\\', "/");
    let end = reference.find(['?', '#']).unwrap_or(reference.len());
    let reference = &reference[..end];
    let scheme_end = reference.find(['/', ':']).unwrap_or(reference.len());
    if reference[scheme_end..].starts_with(':') {
        return ("another scheme".to_owned(), reference.to_owned());
    }
    if let Some(rest) = reference.strip_prefix("//") {
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        return (authority.to_owned(), path.to_owned());
    }
    let merged = if reference.is_empty() {
        path.to_owned()
    } else if reference.starts_with('/') {
        reference.to_owned()
    } else {
        format!("{}{reference}", &path[..=path.rfind('/').unwrap_or(0)])
    };
    (host.to_owned(), remove_dot_segments(&merged))
}

fn remove_dot_segments(path: &str) -> String {
    let mut out: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    out.pop();
                }
                if last {
                    out.push("");
                }
            }
            _ => out.push(segment),
        }
    }
    format!("/{}", out.join("/"))
}

#[test]
fn the_oracle_knows_the_examples_of_the_specification() {
    // RFC 3986 § 5.4, base `http://a/b/c/d;p?q`.
    for (reference, path) in [
        ("g", "/b/c/g"),
        ("./g", "/b/c/g"),
        ("g/", "/b/c/g/"),
        ("/g", "/g"),
        ("g?y", "/b/c/g"),
        (".", "/b/c/"),
        ("..", "/b/"),
        ("../..", "/"),
        ("../../g", "/g"),
        ("../../../g", "/g"),
        ("./g/.", "/b/c/g/"),
        ("g/../h", "/b/c/h"),
    ] {
        let expected = ("a".to_owned(), path.to_owned());
        assert_eq!(resolve("a", "/b/c/d;p", reference), expected, "{reference}");
    }
    assert_eq!(resolve("a", "/b", "//g").0, "g");
}
