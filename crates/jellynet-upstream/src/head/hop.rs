//! Fields that belong to one connection (RFC 9110 § 7.6.1).

use http::{HeaderMap, HeaderName, header};

/// Whether a field always belongs to one connection.
pub(crate) fn is_hop_by_hop(name: &HeaderName) -> bool {
    *name == header::CONNECTION
        || *name == header::TRANSFER_ENCODING
        || *name == header::UPGRADE
        || *name == header::TE
        || matches!(name.as_str(), "keep-alive" | "proxy-connection" | "http2-settings")
}

/// The fields that a message's `Connection` nominates besides its options.
pub(crate) fn nominated(headers: &HeaderMap) -> Vec<HeaderName> {
    let mut names = Vec::new();
    for token in tokens(headers, &header::CONNECTION) {
        let is_option = [&b"close"[..], b"keep-alive", b"upgrade", b"te"]
            .iter()
            .any(|option| token.eq_ignore_ascii_case(option));
        if !is_option && let Ok(name) = HeaderName::from_bytes(token) {
            names.push(name);
        }
    }
    names
}

/// The comma-separated elements of all lines of a field.
pub(crate) fn tokens<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'h [u8]> {
    headers
        .get_all(name)
        .iter()
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|token| !token.is_empty())
}

/// Whether one element of a field is this word.
pub(crate) fn has_token(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    tokens(headers, name).any(|token| token.eq_ignore_ascii_case(word.as_bytes()))
}
