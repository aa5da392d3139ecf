//! The head of a response, read without guessing.

use std::mem::MaybeUninit;

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use super::hop::{elements, nominee};
use crate::body::framing::{Chunk, Framing};
use crate::error::{HeadFault, ResponseError};

const MAX_HEAD: usize = 64 * 1024;
const MAX_FIELDS: usize = 128;

/// A response's head with what follows from it.
#[derive(Debug)]
pub(crate) struct ResponseHead {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) framing: Framing,
    /// Whether the connection can carry another request after the body.
    pub(crate) keep_alive: bool,
}

/// Reads a head from the front of `buffer`; `None` while it is incomplete.
///
/// Obsolete folding, bare CR, NUL and white space around names are refused by the parser;
/// ambiguous lengths are refused here (RFC 9112 § 6.3).
pub(crate) fn decode(
    buffer: &mut BytesMut,
    method: &Method,
    upgrade: bool,
) -> Result<Option<ResponseHead>, ResponseError> {
    let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut []);
    let parser = httparse::ParserConfig::default();
    let len = match parser.parse_response_with_uninit_headers(&mut response, buffer, &mut fields) {
        Ok(httparse::Status::Complete(len)) if len <= MAX_HEAD => len,
        Ok(httparse::Status::Partial) if buffer.len() <= MAX_HEAD => return Ok(None),
        Ok(_) | Err(httparse::Error::TooManyHeaders) => {
            return Err(ResponseError::TooLarge);
        }
        Err(httparse::Error::Version) => return Err(ResponseError::Version),
        Err(error) => return Err(ResponseError::Head(HeadFault::from(error))),
    };
    let status = response
        .code
        .and_then(|code| StatusCode::from_u16(code).ok())
        .ok_or(ResponseError::Head(HeadFault::Status))?;
    let is_1_1 = response.version == Some(1);
    let raw = buffer.get(..len).unwrap_or_default();
    let (headers, hop) = header_map(raw, response.headers)?;
    buffer.advance(len);
    finish(status, headers, hop, is_1_1, method, upgrade).map(Some)
}

/// What the fields say that end here (RFC 9110 § 7.6.1).
#[derive(Debug, Default)]
struct Hop {
    close: bool,
    keep_alive: bool,
    /// Fields that `Connection` names besides its options.
    nominated: Vec<HeaderName>,
    /// How many lines of `Transfer-Encoding` there are, and whether the last is `chunked` alone.
    codings: usize,
    chunked: bool,
    upgrade: Option<HeaderValue>,
}

impl Hop {
    /// Reads a field of the connection; gives back what is none.
    fn take(&mut self, name: &HeaderName, value: HeaderValue) -> Option<HeaderValue> {
        match name.as_str() {
            "connection" => {
                for element in elements(value.as_bytes()) {
                    self.close |= element.eq_ignore_ascii_case(b"close");
                    self.keep_alive |= element.eq_ignore_ascii_case(b"keep-alive");
                    self.nominated.extend(nominee(element));
                }
            }
            "transfer-encoding" => {
                self.codings += 1;
                self.chunked = value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
            }
            "upgrade" => self.upgrade = self.upgrade.take().or(Some(value)),
            "te" | "keep-alive" | "proxy-connection" => {}
            _ => return Some(value),
        }
        None
    }
}

/// Makes the map on one copy of the head, so that the read buffer stays reusable.
fn header_map(
    raw: &[u8],
    fields: &[httparse::Header<'_>],
) -> Result<(HeaderMap, Hop), ResponseError> {
    let shared = Bytes::copy_from_slice(raw);
    let start = raw.as_ptr().addr();
    let mut map = HeaderMap::with_capacity(fields.len());
    let mut hop = Hop::default();
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes())
            .map_err(|_| ResponseError::Head(HeadFault::Name))?;
        // An empty value may lie anywhere; a slice of nothing is the same everywhere.
        let at = field.value.as_ptr().addr().saturating_sub(start);
        let value = if field.value.is_empty() || at + field.value.len() > shared.len() {
            HeaderValue::from_bytes(field.value)
        } else {
            HeaderValue::from_maybe_shared(shared.slice(at..at + field.value.len()))
        };
        let value = value.map_err(|_| ResponseError::Head(HeadFault::Value))?;
        if let Some(value) = hop.take(&name, value) {
            map.append(name, value);
        }
    }
    for name in &hop.nominated {
        // A length that framed the message stays true of it.
        if *name != header::CONTENT_LENGTH {
            map.remove(name);
        }
    }
    Ok((map, hop))
}

fn finish(
    status: StatusCode,
    mut headers: HeaderMap,
    hop: Hop,
    is_1_1: bool,
    method: &Method,
    upgrade: bool,
) -> Result<ResponseHead, ResponseError> {
    let length = content_length(&mut headers)?;
    let coded = hop.codings > 0;
    if coded && (hop.codings > 1 || !hop.chunked || length.is_some() || !is_1_1) {
        return Err(ResponseError::TransferEncoding);
    }
    if status == StatusCode::SWITCHING_PROTOCOLS && !upgrade {
        return Err(ResponseError::UnaskedUpgrade);
    }
    let framing = match length {
        _ if is_bodyless(method, status) => Framing::EMPTY,
        _ if coded => Framing::Chunked(Chunk::Size),
        Some(length) => Framing::Length(length),
        None => Framing::Close,
    };
    match status {
        StatusCode::SWITCHING_PROTOCOLS => {
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            headers.extend(hop.upgrade.map(|protocol| (header::UPGRADE, protocol)));
        }
        // RFC 9110 § 15.5.22: 426 tells which protocol.
        StatusCode::UPGRADE_REQUIRED => {
            headers.extend(hop.upgrade.map(|protocol| (header::UPGRADE, protocol)));
        }
        // RFC 9110 § 8.6: must not be sent with 204.
        StatusCode::NO_CONTENT => {
            headers.remove(header::CONTENT_LENGTH);
        }
        _ => {}
    }
    let keep_alive = !matches!(framing, Framing::Close) && !hop.close && (is_1_1 || hop.keep_alive);
    Ok(ResponseHead { status, headers, framing, keep_alive })
}

/// Whether a response has no body, whatever its fields say (RFC 9110 § 6.4.1).
pub(crate) fn is_bodyless(method: &Method, status: StatusCode) -> bool {
    *method == Method::HEAD
        || status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// The length, if any; several equal ones become one (RFC 9112 § 6.3 rule 5).
fn content_length(headers: &mut HeaderMap) -> Result<Option<u64>, ResponseError> {
    let mut length = None;
    let mut elements = 0;
    for value in headers.get_all(header::CONTENT_LENGTH) {
        for element in value.as_bytes().split(|&byte| byte == b',') {
            let number = number(element.trim_ascii()).ok_or(ResponseError::ContentLength)?;
            if length.is_some_and(|length| length != number) {
                return Err(ResponseError::ContentLength);
            }
            length = Some(number);
            elements += 1;
        }
    }
    if elements > 1
        && let Some(length) = length
    {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    Ok(length)
}

/// Digits only: `u64::from_str` would take a sign.
fn number(digits: &[u8]) -> Option<u64> {
    let plain = digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| plain)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<ResponseHead>, ResponseError> {
        decode(&mut BytesMut::from(text), &Method::GET, false)
    }

    #[test]
    fn a_head_is_read_once_it_is_whole() {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Empty:\r\nSet-Cookie: a\r\nset-cookie: b\r\n\r\n";
        for end in 0..text.len() {
            assert!(read(&text[..end]).unwrap().is_none(), "{end}");
        }
        let head = read(text).unwrap().unwrap();
        assert_eq!(head.status, 200);
        assert!(head.keep_alive);
        assert!(matches!(head.framing, Framing::Length(5)));
        assert_eq!(head.headers["x-empty"], "");
        assert_eq!(head.headers.get_all("set-cookie").iter().count(), 2);
    }

    #[test]
    fn a_head_that_comes_at_once_may_be_no_longer() {
        for (len, fits) in [(MAX_HEAD / 2, true), (MAX_HEAD, false)] {
            let text = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(len));
            let head = read(&text).map(|head| head.is_some());
            assert_eq!(head, if fits { Ok(true) } else { Err(ResponseError::TooLarge) });
        }
    }

    proptest::proptest! {
        #[test]
        fn hostile_bytes_never_panic(
            bytes in proptest::prelude::any::<Vec<u8>>(), fields in "[a-zA-Z:,; \\r\\n0-9\\x00-\\x1f]{0,60}",
        ) {
            let _ = decode(&mut BytesMut::from(&*bytes), &Method::GET, true);
            let text = format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n");
            if let Ok(Some(head)) = read(&text) {
                let lengths = head.headers.get_all(header::CONTENT_LENGTH).iter().count();
                proptest::prop_assert!(lengths <= 1);
                proptest::prop_assert!(!head.headers.contains_key(header::TRANSFER_ENCODING));
            }
        }
    }

    #[test]
    fn an_ambiguous_head_is_refused() {
        use ResponseError::{ContentLength, Head, TransferEncoding, UnaskedUpgrade, Version};
        for (fields, error) in [
            ("Content-Length: 5\r\nContent-Length: 6", ContentLength),
            ("Content-Length: 5, 6", ContentLength),
            ("Content-Length: +5", ContentLength),
            ("Content-Length: 0x5", ContentLength),
            ("Content-Length: 99999999999999999999", ContentLength),
            ("Content-Length:", ContentLength),
            ("Content-Length: 5\r\nTransfer-Encoding: chunked", TransferEncoding),
            ("Transfer-Encoding: gzip, chunked", TransferEncoding),
            ("Transfer-Encoding: identity", TransferEncoding),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", TransferEncoding),
            ("X: a\r\n folded", Head(HeadFault::Name)),
            ("X : a", Head(HeadFault::Name)),
            ("X: a\rb", Head(HeadFault::Value)),
            ("X: a\0b", Head(HeadFault::Value)),
        ] {
            let text = format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n");
            assert_eq!(read(&text).unwrap_err(), error, "{fields:?}");
        }
        let chunked_1_0 = "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(read(chunked_1_0).unwrap_err(), TransferEncoding);
        assert_eq!(read("HTTP/2.0 200 OK\r\n\r\n").unwrap_err(), Version);
        assert_eq!(read("HTTP/1.1 101 Go\r\n\r\n").unwrap_err(), UnaskedUpgrade);
        let long = format!("HTTP/1.1 200 OK\r\nX: {}", "a".repeat(70_000));
        assert_eq!(read(&long).unwrap_err(), ResponseError::TooLarge);
    }

    #[test]
    fn equal_lengths_become_one() {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\nContent-Length: 5\r\n\r\n";
        let head = read(text).unwrap().unwrap();
        let lengths: Vec<_> = head.headers.get_all("content-length").iter().collect();
        assert_eq!(lengths, ["5"]);
    }

    #[test]
    fn what_belongs_to_the_connection_ends_here() {
        let text = "HTTP/1.1 200 OK\r\nConnection: close, X-Hop, Content-Length\r\nX-Hop: 1\r\n\
                    Keep-Alive: timeout=5\r\nUpgrade: h2c\r\nX-Kept: 1\r\nContent-Length: 0\r\n\r\n";
        let head = read(text).unwrap().unwrap();
        let names: Vec<_> = head.headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(names.len(), 2, "{names:?}");
        assert!(head.headers.contains_key("x-kept") && !head.keep_alive);
    }

    #[test]
    fn bodies_that_cannot_be_have_no_framing() {
        for (method, status) in [(Method::HEAD, 200), (Method::GET, 304), (Method::GET, 204)] {
            let text = format!("HTTP/1.1 {status} X\r\nContent-Length: 7\r\n\r\n");
            let head = decode(&mut BytesMut::from(&*text), &method, false).unwrap().unwrap();
            assert!(matches!(head.framing, Framing::Length(0)));
            assert_eq!(head.headers.contains_key("content-length"), status != 204);
        }
    }
}
