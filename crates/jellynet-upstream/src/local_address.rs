//! `LocalAddress` in the public system information: the URL under which *this* client comes.

use std::fmt;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body::Body;

use crate::body::ResponseBody;

/// Who is this server?
pub(crate) const PATH: &str = "/System/Info/Public";
/// Longest answer that is read here; the real one has about 250 bytes.
const MAX: usize = 64 * 1024;

/// The URL for the client of a request.
pub(crate) type Published = Arc<dyn Fn(&Parts) -> Option<String> + Send + Sync>;

/// Which requests are concerned, and what they are told.
#[derive(Clone)]
pub(crate) struct LocalAddress(Published);

impl LocalAddress {
    pub(crate) const fn new(published: Published) -> Self {
        Self(published)
    }

    /// The URL to tell, where the request asks who the server is.
    pub(crate) fn wanted(&self, parts: &Parts) -> Option<String> {
        let path = parts.uri.path();
        // Below whatever path the server believes to live at.
        let path = path.trim_end_matches('/');
        let from = path.len().saturating_sub(PATH.len());
        let asks = parts.method == Method::GET
            && path.get(from..).is_some_and(|end| end.eq_ignore_ascii_case(PATH));
        if asks { (self.0)(parts) } else { None }
    }
}

impl fmt::Debug for LocalAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalAddress")
    }
}

/// Puts `url` into the answer. What is not a JSON object of sane size with that member passes
/// byte for byte.
pub(crate) async fn rewrite(response: Response<ResponseBody>, url: &str) -> Response<ResponseBody> {
    let (mut parts, mut body) = response.into_parts();
    if parts.status != StatusCode::OK || !is_json(&parts.headers) || !may_fit(&body) {
        return Response::from_parts(parts, body);
    }
    let mut read = BytesMut::new();
    loop {
        match std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    read.extend_from_slice(&data);
                }
            }
            // What came stands; the client sees where it breaks off.
            Some(Err(error)) => {
                return Response::from_parts(parts, ResponseBody::broken(read.freeze(), error));
            }
            None => break,
        }
        if read.len() > MAX {
            return Response::from_parts(parts, body.after(read.freeze()));
        }
    }
    let bytes = match value_range(&read) {
        Some(range) => {
            parts.headers.remove(ETAG);
            replaced(&read, range, url)
        }
        None => read.freeze(),
    };
    if parts.headers.contains_key(CONTENT_LENGTH) {
        let length = HeaderValue::from(bytes.len());
        parts.headers.insert(CONTENT_LENGTH, length);
    }
    Response::from_parts(parts, body.after(bytes))
}

fn is_json(headers: &HeaderMap) -> bool {
    let json = headers.get(CONTENT_TYPE).is_some_and(|value| {
        let kind = value.as_bytes().split(|&byte| byte == b';').next();
        kind.is_some_and(|kind| kind.trim_ascii().eq_ignore_ascii_case(b"application/json"))
    });
    json && !headers.contains_key(CONTENT_ENCODING)
}

fn may_fit(body: &ResponseBody) -> bool {
    let most = body.size_hint().exact();
    most.is_none_or(|most| usize::try_from(most).is_ok_and(|most| most <= MAX))
}

fn replaced(text: &[u8], range: Range<usize>, url: &str) -> Bytes {
    let before = text.get(..range.start).unwrap_or_default();
    let after = text.get(range.end..).unwrap_or_default();
    let value = serde_json::Value::from(url).to_string();
    [before, value.as_bytes(), after].concat().into()
}

/// Where the value of the outermost `LocalAddress` stands, if it is a string or `null`. Clients
/// may ask for `localAddress` (`profile="CamelCase"`).
fn value_range(text: &[u8]) -> Option<Range<usize>> {
    let mut at = expect(text, 0, b'{')?;
    loop {
        let key = skip_space(text, at);
        let colon = skip_string(text, key)?;
        let value = skip_space(text, expect(text, colon, b':')?);
        let end = skip_value(text, value)?;
        let name = text.get(key..colon)?;
        if matches!(name, b"\"LocalAddress\"" | b"\"localAddress\"") {
            let shown = text.get(value..end)?;
            return (shown.starts_with(b"\"") || shown == b"null").then_some(value..end);
        }
        at = expect(text, end, b',')?;
    }
}

fn skip_space(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest.len() - rest.trim_ascii_start().len()
}

/// Behind `byte`, which stands next.
fn expect(text: &[u8], at: usize, byte: u8) -> Option<usize> {
    let at = skip_space(text, at);
    (text.get(at) == Some(&byte)).then_some(at + 1)
}

fn skip_string(text: &[u8], at: usize) -> Option<usize> {
    let mut at = expect(text, at, b'"')?;
    loop {
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

fn skip_value(text: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    loop {
        at = match text.get(at)? {
            b'"' => skip_string(text, at)?,
            b'{' | b'[' => {
                depth += 1;
                at + 1
            }
            b'}' | b']' if depth > 0 => {
                depth -= 1;
                at + 1
            }
            b',' | b'}' | b']' if depth == 0 => return Some(at),
            byte if byte.is_ascii_whitespace() && depth == 0 => return Some(at),
            _ => at + 1,
        };
        // A string or a bracket that closes is a whole value; literals end at what follows.
        let closed = at.checked_sub(1).and_then(|last| text.get(last));
        if depth == 0 && matches!(closed, Some(b'"' | b'}' | b']')) {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Option<&str> {
        value_range(text.as_bytes()).and_then(|range| text.get(range))
    }

    #[test]
    fn only_the_outermost_member_is_found() {
        for (text, expected) in [
            (r#"{"LocalAddress":"http://a","Id":"1"}"#, Some(r#""http://a""#)),
            ("{ \"Id\" : \"1\" ,\n\"LocalAddress\" : null }", Some("null")),
            (r#"{"localAddress":"a\"b"}"#, Some(r#""a\"b""#)),
            (r#"{"A":{"LocalAddress":"x"},"B":[1,{"c":"]"}],"LocalAddress":"y"}"#, Some(r#""y""#)),
            (r#"{"A":true,"B":-1.5e3,"LocalAddress":"y"}"#, Some(r#""y""#)),
            (r#"{"LocalAddress":5}"#, None),
            (r#"{"LocalAddress":{"x":1}}"#, None),
            (r#"{"Id":"LocalAddress"}"#, None),
            (r#"[{"LocalAddress":"x"}]"#, None),
            (r#"{"LocalAddress""#, None),
            ("", None),
        ] {
            assert_eq!(value(text), expected, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn hostile_text_never_panics(text in proptest::prelude::any::<Vec<u8>>(), json in "[{}\\[\\]\",:a\\\\ ]{0,40}") {
            let _ = value_range(&text);
            let _ = value_range(json.as_bytes());
        }
    }
}
