use std::sync::Arc;

use tower_layer::Layer;

use super::{HttpsRedirectService, Place, Policy};
use crate::request::RequestView;

/// Sends clients from `http` to `https`; the table in the module says which.
///
/// # Examples
///
/// ```
/// use jellynet_tls::HttpsRedirectLayer;
///
/// let layer = HttpsRedirectLayer::new(8920).exempt_path("/health").exempt_path("/ready");
/// # let _ = layer;
/// ```
#[derive(Clone, Debug)]
pub struct HttpsRedirectLayer(Arc<Policy>);

impl HttpsRedirectLayer {
    /// To this port of the host that the client used: the port as clients outside see it, which a
    /// router may map to another here.
    #[must_use]
    pub fn new(public_port: u16) -> Self {
        Self(Arc::new(Policy::new(public_port)))
    }

    /// To this host instead of the one that the client used; an IPv6 address stands in brackets.
    #[must_use]
    pub fn redirect_to(mut self, host: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.0).public_host = Some(host.into());
        self
    }

    /// To another port where the client used this host, an IPv6 address in brackets. Of several
    /// places with one host that counts whose path is the nearest above the one asked for, else
    /// the first.
    #[must_use]
    pub fn with_place(mut self, host: impl Into<String>, path: &str, port: u16) -> Self {
        let (host, path) = (host.into(), path.trim_end_matches('/').to_owned());
        Arc::make_mut(&mut self.0).places.push(Place { host, path, port });
        self
    }

    /// Leaves a path, and what is below it, alone. ACME challenges always are.
    #[must_use]
    pub fn exempt_path(mut self, path: impl Into<String>) -> Self {
        let path = path.into();
        let path = path.trim_end_matches('/').to_owned();
        Arc::make_mut(&mut self.0).exempt_paths.push(path);
        self
    }

    /// Leaves requests alone for which `exemption` holds, such as those of televisions on the LAN.
    #[must_use]
    pub fn exempt_if<F>(mut self, exemption: F) -> Self
    where
        F: Fn(&RequestView<'_>) -> bool + Send + Sync + 'static,
    {
        Arc::make_mut(&mut self.0).exemption = Some(Arc::new(exemption));
        self
    }
}

impl<S> Layer<S> for HttpsRedirectLayer {
    type Service = HttpsRedirectService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        HttpsRedirectService::new(inner, Arc::clone(&self.0))
    }
}
