//! The access log: one line a request, without secrets.

use std::fmt;
use std::io::Write;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode, Uri, Version, header};
use jellynet_netif::{ClientAddr, PeerAddr, RequestId};
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use crate::redact::redact_target;

/// How the access log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// Not at all.
    #[default]
    Off,
    /// As Apache's `combined`, which every log reader understands.
    Combined,
    /// One JSON object a line.
    Json,
}

/// Why a text names no format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no format of the access log: write off, combined or json")]
pub struct ParseFormatError(String);

impl FromStr for Format {
    type Err = ParseFormatError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Self::Off),
            "combined" => Ok(Self::Combined),
            "json" => Ok(Self::Json),
            _ => Err(ParseFormatError(text.to_owned())),
        }
    }
}

/// Writes a line for each request; cheap to clone.
#[derive(Clone)]
pub struct AccessLog {
    format: Format,
    out: Arc<Mutex<dyn Write + Send>>,
}

impl AccessLog {
    /// Writes to `out`, each line by one call.
    pub fn new(format: Format, out: impl Write + Send + 'static) -> Self {
        Self { format, out: Arc::new(Mutex::new(out)) }
    }

    /// Writes nothing.
    #[must_use]
    pub fn off() -> Self {
        Self::new(Format::Off, std::io::sink())
    }

    /// Whether lines are written.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        !matches!(self.format, Format::Off)
    }

    /// Whether a line says what its request is called.
    pub(crate) const fn names_requests(&self) -> bool {
        matches!(self.format, Format::Json)
    }

    pub(crate) fn write(&self, record: &Record, end: &End) {
        let line = match self.format {
            Format::Off => return,
            Format::Combined => combined(record, end),
            Format::Json => json(record, end),
        };
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = out.write_all(line.as_bytes()).and_then(|()| out.flush()) {
            tracing::debug!(%error, "write the access log");
        }
    }
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessLog").field("format", &self.format).finish_non_exhaustive()
    }
}

/// What is kept of a request until its response has ended.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) listener: Arc<str>,
    id: Option<RequestId>,
    client: String,
    method: Method,
    target: String,
    host: Option<String>,
    version: &'static str,
    referrer: Option<String>,
    agent: Option<String>,
    began: OffsetDateTime,
}

/// How a response ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) status: StatusCode,
    pub(crate) bytes: u64,
    pub(crate) took: Duration,
    pub(crate) complete: bool,
}

impl Record {
    pub(crate) fn new<B>(
        listener: &Arc<str>,
        id: Option<RequestId>,
        request: &http::Request<B>,
        began: OffsetDateTime,
    ) -> Self {
        let headers = request.headers();
        let text = |name| text_of(headers, name);
        Self {
            listener: Arc::clone(listener),
            id,
            client: client(request.extensions()),
            method: request.method().clone(),
            target: target_of(request.uri()),
            host: request
                .uri()
                .authority()
                .map(|a| a.as_str().to_owned())
                .or_else(|| text(header::HOST)),
            version: version(request.version()),
            referrer: text(header::REFERER).map(|r| redact_target(&r).into_owned()),
            agent: text(header::USER_AGENT),
            began,
        }
    }
}

fn client(extensions: &http::Extensions) -> String {
    let client = extensions.get::<ClientAddr>().map(|c| c.ip.to_string());
    let peer = || extensions.get::<PeerAddr>().and_then(|p| p.ip()).map(|ip| ip.to_string());
    client.or_else(peer).unwrap_or_else(|| "-".to_owned())
}

fn target_of(uri: &Uri) -> String {
    let target = uri.path_and_query().map_or_else(|| uri.path(), |pq| pq.as_str());
    redact_target(target).into_owned()
}

fn text_of(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    headers.get(name).map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned())
}

const fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        Version::HTTP_3 => "HTTP/3.0",
        _ => "HTTP/1.1",
    }
}

fn combined(record: &Record, end: &End) -> String {
    let when = record
        .began
        .format(format_description!(
            "[day]/[month repr:short]/[year]:[hour]:[minute]:[second] [offset_hour sign:mandatory][offset_minute]"
        ))
        .unwrap_or_default();
    let quoted = |text: Option<&String>| text.map_or_else(|| "-".to_owned(), |t| escaped(t));
    format!(
        "{} - - [{when}] \"{} {} {}\" {} {} \"{}\" \"{}\"\n",
        record.client,
        record.method,
        escaped(&record.target),
        record.version,
        end.status.as_u16(),
        end.bytes,
        quoted(record.referrer.as_ref()),
        quoted(record.agent.as_ref()),
    )
}

/// Quotes, backslashes and control characters as `\xhh`, so that no client can forge a line.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    /// Also in an answer that says that the upstream failed, and in the log beside the cause.
    request_id: Option<&'a str>,
    listener: &'a str,
    client: &'a str,
    method: &'a str,
    target: &'a str,
    host: Option<&'a str>,
    version: &'a str,
    status: u16,
    bytes: u64,
    milliseconds: u64,
    complete: bool,
    referrer: Option<&'a str>,
    agent: Option<&'a str>,
}

fn json(record: &Record, end: &End) -> String {
    let line = Line {
        time: record.began.format(&Rfc3339).unwrap_or_default(),
        request_id: record.id.as_ref().map(RequestId::as_str),
        listener: &record.listener,
        client: &record.client,
        method: record.method.as_str(),
        target: &record.target,
        host: record.host.as_deref(),
        version: record.version,
        status: end.status.as_u16(),
        bytes: end.bytes,
        milliseconds: u64::try_from(end.took.as_millis()).unwrap_or(u64::MAX),
        complete: end.complete,
        referrer: record.referrer.as_deref(),
        agent: record.agent.as_deref(),
    };
    let mut text = serde_json::to_string(&line).unwrap_or_default();
    text.push('\n');
    text
}
