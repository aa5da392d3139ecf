//! The root of the local CA, for phones and televisions to install: on the LAN alone, and by plain
//! HTTP, for whoever asks does not trust our HTTPS yet.
//!
//! | path | for |
//! | --- | --- |
//! | `/.well-known/jellynet/ca.crt` | Android, Windows: DER |
//! | `/.well-known/jellynet/ca.pem` | Linux, Firefox: PEM |
//! | `/.well-known/jellynet/ca.mobileconfig` | iPhone, iPad, Mac: a configuration profile |

use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::Either;
use http::{HeaderValue, Method, Request, Response, header};
use jellynet_access::Decision;
use jellynet_tls::LocalAuthority;
use tower_layer::Layer;
use tower_service::Service;

/// What the paths begin with.
pub(crate) const PREFIX: &str = "/.well-known/jellynet/ca.";

/// The root in the notations of its paths; no key among them.
#[derive(Debug)]
struct Root {
    der: Bytes,
    pem: Bytes,
    profile: Bytes,
}

impl Root {
    fn respond<B>(&self, request: &Request<B>) -> Option<Response<Bytes>> {
        let kind = request.uri().path().strip_prefix(PREFIX)?;
        let local = request.extensions().get::<Decision>().is_some_and(|decision| decision.local);
        if !local || !matches!(*request.method(), Method::GET | Method::HEAD) {
            return None;
        }
        let (body, kind) = match kind {
            "crt" => (&self.der, "application/x-x509-ca-cert"),
            "pem" => (&self.pem, "application/x-pem-file"),
            "mobileconfig" => (&self.profile, "application/x-apple-aspen-config"),
            _ => return None,
        };
        let mut response = Response::new(body.clone());
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Some(response)
    }
}

/// Answers for the root, and lets everything else pass.
#[derive(Clone, Debug)]
pub(crate) struct RootLayer(Arc<Root>);

impl RootLayer {
    pub(crate) fn new(authority: &LocalAuthority) -> Self {
        Self(Arc::new(Root {
            der: Bytes::copy_from_slice(authority.certificate()),
            pem: authority.certificate_pem().into(),
            profile: authority.mobileconfig().into(),
        }))
    }
}

impl<S> Layer<S> for RootLayer {
    type Service = RootService<S>;

    fn layer(&self, inner: S) -> RootService<S> {
        RootService { root: Arc::clone(&self.0), inner }
    }
}

/// The service of [`RootLayer`].
#[derive(Clone, Debug)]
pub(crate) struct RootService<S> {
    root: Arc<Root>,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for RootService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: From<Bytes>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Either<Ready<Result<Response<R>, S::Error>>, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self.root.respond(&request) {
            Some(response) => Either::Left(ready(Ok(response.map(R::from)))),
            None => Either::Right(self.inner.call(request)),
        }
    }
}
