//! What a client is told when the upstream says nothing: little, true, and never to be cached.

use std::error::Error;
use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use jellynet_netif::RequestId;

use crate::body::ResponseBody;
use crate::error::ForwardError;

/// The request's number: in the answer, and in the log beside the cause.
pub(crate) static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Why this answer is the gateway's own: an extension of its response, for access logs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Failed {
    /// The number that stands in the answer.
    pub request_id: RequestId,
    /// The cause with its sources, joined by `: `.
    pub cause: String,
}

/// What is kept of a request for an answer that is made here.
#[derive(Debug)]
pub(crate) struct Asked {
    method: Method,
    /// What a log calls it already.
    id: Option<RequestId>,
}

impl Asked {
    pub(crate) fn of(parts: &Parts) -> Self {
        Self { method: parts.method.clone(), id: parts.extensions.get().cloned() }
    }
}

/// An error with its sources, joined by `: `.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let _ = write!(text, ": {error}");
        source = error.source();
    }
    text
}

/// The response to a request that could not be answered.
pub(crate) fn answer(
    error: &ForwardError,
    asked: Asked,
    retry_after: Duration,
) -> Response<ResponseBody> {
    let status = error.status();
    let request_id = asked.id.unwrap_or_else(RequestId::unique);
    let failed = Failed { request_id, cause: chain(error) };
    let text = format!(
        "{} {}\n{}\nRequest {}\n",
        status.as_u16(),
        status.canonical_reason().unwrap_or_default(),
        explanation(status),
        failed.request_id,
    );
    let body = if asked.method == Method::HEAD { "" } else { &text };
    let mut response = Response::new(ResponseBody::from(Bytes::copy_from_slice(body.as_bytes())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    headers.insert(CONTENT_TYPE, plain);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::from_str(failed.request_id.as_str()) {
        headers.insert(&REQUEST_ID, id);
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        let seconds = retry_after.as_secs().max(1);
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response.extensions_mut().insert(failed);
    response
}

const fn explanation(status: StatusCode) -> &'static str {
    match status {
        StatusCode::SERVICE_UNAVAILABLE => "The media server is not running. Try again shortly.",
        StatusCode::GATEWAY_TIMEOUT => "The media server did not answer in time.",
        StatusCode::BAD_GATEWAY => "The media server's answer could not be used.",
        StatusCode::REQUEST_TIMEOUT => "The request was not sent completely.",
        _ => "The request could not be passed on.",
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_client_learns_the_status_and_a_number_but_no_address() {
        let error = ForwardError::Connect {
            address: "10.0.0.5:8096".to_owned(),
            source: io::ErrorKind::ConnectionRefused.into(),
        };
        let response =
            answer(&error, Asked { method: Method::GET, id: None }, Duration::from_secs(7));
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()[RETRY_AFTER], "7");
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
        let failed = response.extensions().get::<Failed>().unwrap();
        assert_eq!(response.headers()["x-request-id"], failed.request_id.as_str());
        assert_eq!(
            failed.cause,
            "cannot connect to the upstream at 10.0.0.5:8096: connection refused"
        );
    }

    #[test]
    fn a_request_that_has_a_name_keeps_it() {
        let error = ForwardError::Request { what: "it asks for a tunnel" };
        let id = RequestId::parse(b"of-the-proxy");
        let response =
            answer(&error, Asked { method: Method::GET, id: id.clone() }, Duration::ZERO);
        assert_eq!(response.headers()["x-request-id"], "of-the-proxy");
        assert_eq!(response.extensions().get::<Failed>().map(|it| it.request_id.clone()), id);
    }
}
