use std::fmt;
use std::sync::Arc;

use http::HeaderValue;
use tower_layer::Layer;

use super::{Hsts, HstsService};

pub(super) type Trust = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// Adds `Strict-Transport-Security` where the conditions in the module hold.
#[derive(Clone)]
pub struct HstsLayer {
    header: HeaderValue,
    is_trustworthy: Trust,
}

impl HstsLayer {
    /// `is_trustworthy` tells whether browsers trust the certificate for a host:
    /// [`IdentityStore::is_trustworthy_for`](crate::IdentityStore::is_trustworthy_for), where TLS
    /// ends here.
    pub fn new<F>(hsts: Hsts, is_trustworthy: F) -> Self
    where
        F: Fn(&str) -> bool + Send + Sync + 'static,
    {
        // Digits and words are always fit for a header.
        let header = HeaderValue::try_from(hsts.header())
            .unwrap_or_else(|_| HeaderValue::from_static("max-age=0"));
        Self { header, is_trustworthy: Arc::new(is_trustworthy) }
    }
}

impl fmt::Debug for HstsLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HstsLayer").field("header", &self.header).finish_non_exhaustive()
    }
}

impl<S> Layer<S> for HstsLayer {
    type Service = HstsService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        HstsService::new(inner, self.header.clone(), Arc::clone(&self.is_trustworthy))
    }
}
