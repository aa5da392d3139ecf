//! The head that HTTP/1.1 would carry, as HTTP/2 carries it.

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};

use crate::error::ForwardError;
use crate::head::hop::is_hop_by_hop;

/// Makes the request from its head as [`encode`](crate::head::encode::encode) wrote it, so that an
/// upstream is told the same whatever it speaks. There is no 100 to wait for: the body goes at once,
/// and `Expect` stays here.
pub(super) fn request<B>(head: &[u8], body: B) -> Result<Request<B>, ForwardError> {
    let lines = head.iter().filter(|&&byte| byte == b'\n').count();
    let mut fields = vec![httparse::EMPTY_HEADER; lines];
    let mut parsed = httparse::Request::new(&mut fields);
    if !parsed.parse(head).is_ok_and(|status| status.is_complete()) {
        return Err(bad("HTTP/2 cannot carry its head"));
    }
    let (method, target) = (parsed.method.unwrap_or_default(), parsed.path.unwrap_or_default());
    let mut headers = HeaderMap::with_capacity(parsed.headers.len());
    let mut authority = None;
    for field in parsed.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes());
        let value = HeaderValue::from_bytes(field.value);
        let (Ok(name), Ok(value)) = (name, value) else {
            return Err(bad("HTTP/2 cannot carry its fields"));
        };
        if name == header::HOST {
            let host = Authority::try_from(field.value);
            authority = Some(host.map_err(|_| bad("HTTP/2 cannot carry its host"))?);
        } else if name == header::TE || !(is_hop_by_hop(&name) || name == header::EXPECT) {
            headers.append(name, value);
        }
    }
    let mut uri = http::uri::Parts::default();
    uri.scheme = Some(Scheme::HTTP);
    uri.authority = authority;
    uri.path_and_query =
        Some(PathAndQuery::try_from(target).map_err(|_| bad("HTTP/2 cannot carry its target"))?);
    let mut request = Request::new(body);
    *request.method_mut() =
        Method::from_bytes(method.as_bytes()).map_err(|_| bad("HTTP/2 cannot carry its method"))?;
    *request.uri_mut() = Uri::from_parts(uri).map_err(|_| bad("HTTP/2 cannot carry its target"))?;
    *request.headers_mut() = headers;
    Ok(request)
}

const fn bad(what: &'static str) -> ForwardError {
    ForwardError::Request { what }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_keeps_its_words_and_loses_what_belongs_to_a_connection() {
        let head = b"POST /a%2Fb?q HTTP/1.1\r\nhost: tv.lan:81\r\nexpect: 100-continue\r\n\
                     cookie: a=b; c\r\nx-forwarded-for: ::1\r\nconnection: te\r\nte: trailers\r\n\
                     transfer-encoding: chunked\r\n\r\n";
        let request = request(head, ()).unwrap();
        assert_eq!(request.method(), Method::POST);
        assert_eq!(request.uri(), "http://tv.lan:81/a%2Fb?q");
        let mut names: Vec<_> = request.headers().keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["cookie", "te", "x-forwarded-for"]);
    }

    #[test]
    fn an_asterisk_stays_one() {
        let request = request(b"OPTIONS * HTTP/1.1\r\nhost: tv.lan\r\n\r\n", ()).unwrap();
        assert_eq!(request.uri().path(), "*");
    }
}
