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
    tokens(headers, &header::CONNECTION).filter_map(nominee).collect()
}

/// The field that an element of `Connection` nominates; `None` for an option, and for what is no
/// name.
pub(crate) fn nominee(element: &[u8]) -> Option<HeaderName> {
    let is_option = [&b"close"[..], b"keep-alive", b"upgrade", b"te"]
        .iter()
        .any(|option| element.eq_ignore_ascii_case(option));
    if is_option { None } else { HeaderName::from_bytes(element).ok() }
}

/// The comma-separated elements of a line.
pub(crate) fn elements(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
}

/// The same of all lines of a field.
fn tokens<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h [u8]> {
    headers.get_all(name).iter().flat_map(|value| elements(value.as_bytes()))
}

/// Whether one element of a field is this word.
pub(crate) fn has_token(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    tokens(headers, name).any(|token| token.eq_ignore_ascii_case(word.as_bytes()))
}
