//! What must not be read in a log.

use std::borrow::Cow;

use http::HeaderName;

/// What stands in the place of a secret.
pub const REPLACEMENT: &str = "***";

/// Names, lower case, of query parameters that carry a secret: Jellyfin's, and the usual ones.
const SECRET: &[&str] = &[
    "api_key",
    "apikey",
    "x-emby-token",
    "x-mediabrowser-token",
    "x-emby-authorization",
    "authorization",
    "token",
    "access_token",
    "refresh_token",
    "id_token",
    "password",
    "passwd",
    "pw",
    "secret",
    "client_secret",
    "code",
    "sig",
    "signature",
    "deviceauth",
];

/// Header names, lower case, that carry a secret.
const SECRET_HEADERS: &[&str] = &[
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "x-emby-token",
    "x-mediabrowser-token",
    "x-emby-authorization",
];

/// Whether the value of this header must not be read in a log.
#[must_use]
pub fn is_secret_header(name: &HeaderName) -> bool {
    SECRET_HEADERS.contains(&name.as_str())
}

/// Replaces the values of secret query parameters in a request target or a URL by
/// [`REPLACEMENT`], and user information before a host altogether.
///
/// A name counts in any letter case and percent-encoded. The fragment is dropped. Nothing is
/// allocated when there is nothing to replace.
#[must_use]
pub fn redact_target(target: &str) -> Cow<'_, str> {
    let target = target.split('#').next().unwrap_or_default();
    let target = without_user_information(target);
    let Some((path, query)) = target.split_once('?') else {
        return target;
    };
    if !query.split(['&', ';']).any(is_secret_pair) {
        return target;
    }
    let mut out = String::with_capacity(target.len());
    out.push_str(path);
    let mut separator = '?';
    let mut rest = query;
    loop {
        let end = rest.find(['&', ';']);
        let pair = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        out.push(separator);
        match pair.split_once('=') {
            Some((name, _)) if is_secret_pair(pair) => {
                out.push_str(name);
                out.push('=');
                out.push_str(REPLACEMENT);
            }
            _ => out.push_str(pair),
        }
        let Some(end) = end else {
            return Cow::Owned(out);
        };
        separator = if rest.as_bytes().get(end) == Some(&b';') { ';' } else { '&' };
        rest = rest.get(end + 1..).unwrap_or_default();
    }
}

/// `scheme://user:password@host/…` loses what stands before the `@`.
fn without_user_information(target: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = target.split_once("://") else {
        return Cow::Borrowed(target);
    };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    match authority.rfind('@') {
        // A scheme has no slash: `/redirect?to=http://a@b` is a path.
        Some(at) if !scheme.contains(['/', '?']) => {
            let rest = rest.get(at + 1..).unwrap_or_default();
            Cow::Owned(format!("{scheme}://{REPLACEMENT}@{rest}"))
        }
        _ => Cow::Borrowed(target),
    }
}

fn is_secret_pair(pair: &str) -> bool {
    let Some((name, value)) = pair.split_once('=') else {
        return false;
    };
    if value.is_empty() || name.len() > 128 {
        // Longer names are nobody's; they are compared by nobody.
        return !value.is_empty();
    }
    let name = decoded(name);
    SECRET.iter().any(|secret| name.eq_ignore_ascii_case(secret))
}

/// The name without percent-encoding.
fn decoded(name: &str) -> Cow<'_, str> {
    if !name.contains('%') {
        return Cow::Borrowed(name);
    }
    let bytes = name.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let hex = bytes.get(at + 1..at + 3).and_then(|h| std::str::from_utf8(h).ok());
        match (byte, hex.and_then(|h| u8::from_str_radix(h, 16).ok())) {
            (b'%', Some(decoded)) => {
                out.push(decoded);
                at += 3;
            }
            _ => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_replaced_and_nothing_else_is() {
        for (given, expected) in [
            ("/x", "/x"),
            ("/x?a=b", "/x?a=b"),
            ("/x?api_key=1", "/x?api_key=***"),
            ("/x?ApiKey=1&b=2", "/x?ApiKey=***&b=2"),
            ("/x?a=1&X-Emby-Token=2;api_key=3&c", "/x?a=1&X-Emby-Token=***;api_key=***&c"),
            ("/x?api%5Fkey=1", "/x?api%5Fkey=***"),
            ("/x?%61%70ikey=1", "/x?%61%70ikey=***"),
            ("/x?api_key=", "/x?api_key="),
            ("/x?api_key", "/x?api_key"),
            ("/x?my_api_key_count=1", "/x?my_api_key_count=1"),
            ("http://u:p@h/x?token=1", "http://***@h/x?token=***"),
            ("https://tv.lan/web/#/x?api_key=1", "https://tv.lan/web/"),
            ("/r?to=http://a@b/", "/r?to=http://a@b/"),
            ("*", "*"),
            ("", ""),
        ] {
            assert_eq!(redact_target(given), expected, "{given}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_secret_value_never_comes_through(
            before in "[a-z]{0,5}(=[a-z]{0,5})?",
            name in proptest::sample::select(SECRET),
            after in "[a-z&;=%]{0,20}",
        ) {
            let given = format!("/p?{before}&{name}=S3CR3T&{after}");
            proptest::prop_assert!(!redact_target(&given).contains("S3CR3T"));
        }

        #[test]
        fn any_target_is_survived(given in ".{0,100}") {
            let once = redact_target(&given).into_owned();
            proptest::prop_assert_eq!(redact_target(&once), once.as_str());
        }
    }
}
