//! The tower layer.
//!
//! # What it does to a request
//!
//! 1. Takes [`PeerAddr`], [`Scheme`] and [`PreambleClient`] from the request's extensions, as the
//!    accept loop put them there; for frameworks with types of their own, see
//!    [`ForwardedLayer::with_peer`].
//! 2. Resolves the client by the rules in force.
//! 3. Puts [`ClientAddr`] and [`EffectiveOrigin`] into the extensions. Where nobody is known to be
//!    the client, a `ClientAddr` that was there is *removed*.
//! 4. Puts scheme and host into the request's `Uri`, as HTTP/2 has them anyway, so that whatever
//!    comes behind finds them in one place. `CONNECT` and `OPTIONS *` keep theirs.
//! 5. Removes forwarding headers, if told to.
//!
//! The body is not looked at, the future is the inner service's own, and a request is never
//! refused here: that is what a policy behind this layer is for.

use std::sync::Arc;

use http::Extensions;
use http::uri::Authority;
use jellynet_netif::PeerAddr;
use tower_layer::Layer;

use crate::audit::{Audit, AuditLog};
use crate::live::LiveRules;
use crate::scheme::Scheme;

mod request;
mod service;

pub use self::service::Forwarded;

/// Which forwarding headers the application does not get to see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Strip {
    /// It sees all. The default.
    #[default]
    Never,
    /// Those that were ignored because the peer is no known proxy.
    Untrusted,
    /// All, once they were read.
    Always,
}

/// By which scheme and host the client came. An extension of each request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EffectiveOrigin {
    /// The scheme.
    pub scheme: Scheme,
    /// The host with its port; `None` if the request names none that is valid.
    pub authority: Option<Authority>,
    /// The path prefix that a proxy cut off, where its contract has it.
    pub prefix: Option<Arc<str>>,
    /// How many proxies were walked.
    pub hops: u8,
    /// What was odd.
    pub audit: Audit,
}

/// Wraps services so that they know the real client. See the rules of [this crate](crate).
///
/// # Examples
///
/// ```
/// use http::{Request, Response};
/// use jellynet_forwarded::{ForwardedLayer, KnownProxies, Rules};
/// use jellynet_netif::{ClientAddr, PeerAddr};
/// use tower::{Layer, Service, ServiceExt, service_fn};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let rules = Rules::new(KnownProxies::parse(["10.0.0.2"])?.to_set());
/// let mut service = ForwardedLayer::new(rules).layer(service_fn(async |request: Request<()>| {
///     let client = request.extensions().get::<ClientAddr>().map(|client| client.ip.to_string());
///     Ok::<_, std::io::Error>(Response::new((client, request.uri().to_string())))
/// }));
///
/// let mut request = Request::get("/web/")
///     .header("Host", "10.0.0.1:8096")
///     .header("X-Forwarded-For", "6.6.6.6, 203.0.113.9")
///     .header("X-Forwarded-Proto", "https")
///     .header("X-Forwarded-Host", "tv.example")
///     .body(())?;
/// request.extensions_mut().insert(PeerAddr::inet("10.0.0.2:4711".parse()?));
///
/// let (client, uri) = service.ready().await?.call(request).await?.into_body();
/// assert_eq!(client.as_deref(), Some("203.0.113.9"));
/// assert_eq!(uri, "https://tv.example/web/");
/// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ForwardedLayer {
    settings: Arc<Settings>,
}

#[derive(Clone, Debug)]
struct Settings {
    rules: LiveRules,
    audit: AuditLog,
    scheme: Scheme,
    strip: Strip,
    peer: fn(&Extensions) -> Option<PeerAddr>,
}

impl ForwardedLayer {
    /// Resolves by these rules; a [`LiveRules`] whose clone is kept can change them.
    #[must_use]
    pub fn new(rules: impl Into<LiveRules>) -> Self {
        let settings = Settings {
            rules: rules.into(),
            audit: AuditLog::new(),
            scheme: Scheme::Http,
            strip: Strip::Never,
            peer: |extensions| extensions.get().copied(),
        };
        Self { settings: Arc::new(settings) }
    }

    /// Counts and tells what is odd there. Default: a new [`AuditLog`].
    #[must_use]
    pub fn with_audit(self, audit: AuditLog) -> Self {
        self.with(|settings| settings.audit = audit)
    }

    /// The scheme of connections whose requests have no [`Scheme`] extension: `Https` where this
    /// server ends TLS itself. Default: `Http`.
    #[must_use]
    pub fn with_scheme(self, scheme: Scheme) -> Self {
        self.with(|settings| settings.scheme = scheme)
    }

    /// Hides forwarding headers from the application. Default: [`Strip::Never`].
    #[must_use]
    pub fn with_strip(self, strip: Strip) -> Self {
        self.with(|settings| settings.strip = strip)
    }

    /// Asks `peer` who connected, instead of the [`PeerAddr`] extension. For axum:
    /// `|e| e.get::<ConnectInfo<SocketAddr>>().map(|info| PeerAddr::inet(info.0))`.
    #[must_use]
    pub fn with_peer(self, peer: fn(&Extensions) -> Option<PeerAddr>) -> Self {
        self.with(|settings| settings.peer = peer)
    }

    fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Arc::make_mut(&mut self.settings));
        self
    }
}

impl<S> Layer<S> for ForwardedLayer {
    type Service = Forwarded<S>;

    fn layer(&self, inner: S) -> Forwarded<S> {
        Forwarded::new(inner, Arc::clone(&self.settings))
    }
}
