//! Which request gets which document.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};

use super::{Description, authority};

/// Descriptions with their icons and service descriptions, as they are served over HTTP.
///
/// # Rules
///
/// 1. Paths are below `/dlna/`, in any letter case, and below each
///    [`base`](Descriptions::with_base) as well.
/// 2. A request for such a path that comes under a name which is not ours is refused with 403,
///    whether there is a document or not ([`Refusal`] stands in the response's extensions): it is
///    a page of another site (DNS rebinding, CVE-2021-33516, CVE-2021-29462). IP addresses and
///    `localhost` always pass.
/// 3. URLs in a description are below the authority and base of the request, and plain HTTP
///    unless the request's URI says otherwise.
/// 4. Other paths, and those of services that are not served here, are `None`.
#[derive(Clone, Debug, Default)]
pub struct Descriptions {
    descriptions: Vec<Description>,
    bases: Vec<String>,
    names: Vec<String>,
}

/// Why a request was refused; an extension of the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// It came under a name that is not one of ours, or none.
    ForeignHost,
}

impl Descriptions {
    /// Serves these descriptions.
    #[must_use]
    pub fn new(descriptions: impl IntoIterator<Item = Description>) -> Self {
        Self {
            descriptions: descriptions.into_iter().collect(),
            bases: Vec::new(),
            names: Vec::new(),
        }
    }

    /// Serves them below this path as well, such as `/jellyfin`.
    #[must_use]
    pub fn with_base(mut self, base: &str) -> Self {
        let base = base.trim_matches('/');
        if !base.is_empty() {
            self.bases.push(format!("/{base}"));
        }
        self
    }

    /// Accepts requests under this host name. Default: under addresses only.
    #[must_use]
    pub fn with_host_name(mut self, name: impl Into<String>) -> Self {
        self.names.push(name.into());
        self
    }

    /// The answer to a request; `None` when it is for somebody else.
    #[must_use]
    pub fn respond<B>(&self, request: &Request<B>) -> Option<Response<Bytes>> {
        let (base, path) = self.split(request.uri().path())?;
        let Some(authority) = self.authority(request) else {
            return Some(refuse());
        };
        let document = self.document(request.uri(), &authority, base, path)?;
        Some(match *request.method() {
            Method::GET => document.respond(true),
            Method::HEAD => document.respond(false),
            _ => not_allowed(),
        })
    }

    /// The base and the rest of a path below `/dlna/`.
    fn split<'p>(&self, path: &'p str) -> Option<(&'p str, &'p str)> {
        let none = std::iter::once("");
        none.chain(self.bases.iter().map(String::as_str))
            .filter_map(|base| path.split_at_checked(base.len()).filter(|(b, _)| *b == base))
            .find(|(_, rest)| rest.get(..6).is_some_and(|dlna| dlna.eq_ignore_ascii_case("/dlna/")))
    }

    /// The authority of a request, if it is one of ours.
    fn authority<B>(&self, request: &Request<B>) -> Option<String> {
        let named = request.uri().authority().map(|a| a.as_str());
        let header = request.headers().get(HOST);
        let authority = named.or_else(|| header.and_then(|host| host.to_str().ok()))?;
        authority::is_allowed(authority, &self.names).then(|| authority.to_owned())
    }

    fn document(&self, uri: &Uri, authority: &str, base: &str, path: &str) -> Option<Document> {
        for description in &self.descriptions {
            if description.path().eq_ignore_ascii_case(path) {
                let scheme = uri.scheme_str().unwrap_or("http");
                let xml = description.to_xml(&format!("{scheme}://{authority}{base}"));
                return Some(Document::xml(Bytes::from(xml)));
            }
            if let Some(document) = part(description, path) {
                return Some(document);
            }
        }
        None
    }
}

/// The icon or service description at that path; those without data are served elsewhere.
fn part(description: &Description, path: &str) -> Option<Document> {
    let at = |url: &str| url.eq_ignore_ascii_case(path);
    let mut icons = description.icons.iter();
    if let Some(icon) = icons.find(|icon| !icon.data.is_empty() && at(&icon.url)) {
        let media_type = HeaderValue::from_str(&icon.media_type).ok()?;
        return Some(Document { media_type, bytes: icon.data.clone() });
    }
    let mut services = description.services.iter();
    if let Some(service) = services.find(|s| !s.scpd.is_empty() && at(&s.scpd_url)) {
        return Some(Document::xml(service.scpd.clone()));
    }
    description.embedded.iter().find_map(|d| part(d, path))
}

struct Document {
    media_type: HeaderValue,
    bytes: Bytes,
}

impl Document {
    const fn xml(bytes: Bytes) -> Self {
        Self { media_type: HeaderValue::from_static("text/xml; charset=\"utf-8\""), bytes }
    }

    fn respond(self, with_body: bool) -> Response<Bytes> {
        let length = HeaderValue::from(self.bytes.len());
        let body = if with_body { self.bytes } else { Bytes::new() };
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, self.media_type);
        headers.insert(CONTENT_LENGTH, length);
        response
    }
}

fn refuse() -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(b"ask by address\n"));
    *response.status_mut() = StatusCode::FORBIDDEN;
    response.extensions_mut().insert(Refusal::ForeignHost);
    response
}

fn not_allowed() -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}
