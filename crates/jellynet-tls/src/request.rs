//! A request as the layers see it: without its body, so that they fit every server.

use http::{Extensions, HeaderMap, Method, Request, Uri, header};

use crate::facts::TlsFacts;
use crate::host;

/// The parts of a request that a policy may look at.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RequestView<'a> {
    /// The method.
    pub method: &'a Method,
    /// The target; its scheme and authority, if it has them, are those that the client used.
    pub uri: &'a Uri,
    /// The header fields.
    pub headers: &'a HeaderMap,
    /// What other layers and the listener found out.
    pub extensions: &'a Extensions,
}

impl<'a> RequestView<'a> {
    /// Looks at a request.
    #[must_use]
    pub fn of<B>(request: &'a Request<B>) -> Self
    where
        B: 'a,
    {
        Self {
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            extensions: request.extensions(),
        }
    }

    /// Did the client use `https`? Its URL says so, wherever TLS ended; where the URL has no
    /// scheme, [`TlsFacts`] in the extensions do.
    #[must_use]
    pub fn is_https(&self) -> bool {
        match self.uri.scheme_str() {
            Some(scheme) => scheme.eq_ignore_ascii_case("https"),
            None => self.extensions.get::<TlsFacts>().is_some(),
        }
    }

    /// The host that the client used, in brackets if it is an IPv6 address; `None` if it named
    /// none, or something that is no host.
    #[must_use]
    pub fn host(&self) -> Option<&'a str> {
        let authority = match self.uri.authority() {
            Some(authority) => authority.as_str(),
            None => self.headers.get(header::HOST)?.to_str().ok()?,
        };
        host::is_authority(authority).then(|| host::split_port(authority).0)
    }
}
