//! The tower layer: [`Router::route`] applied to requests, [`PathMap`] to responses.

mod future;
mod service;

use std::sync::Arc;

use http::{HeaderValue, Request, Uri};

use crate::base_path::BasePath;
use crate::map::PathMap;
use crate::route::Router;

pub use self::future::ResponseFuture;
pub use self::service::BaseUrl;

/// The target that the client asked for; an extension of requests whose target was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginalTarget(pub Uri);

impl OriginalTarget {
    /// The target that the client asked for, changed since or not.
    pub fn of<B>(request: &Request<B>) -> &Uri {
        match request.extensions().get::<Self>() {
            Some(Self(uri)) => uri,
            None => request.uri(),
        }
    }
}

/// Why the layer answered itself; an extension of its responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BaseUrlAnswer {
    /// The request was sent elsewhere.
    Redirected,
    /// The request lies outside the base.
    NotFound,
}

/// Puts a service under a base path.
///
/// Requests go where [`Router::route`] says: the application sees the inner path and finds the
/// client's in [`OriginalTarget`]; redirects (with `Cache-Control: no-store`) and 404 are answered
/// here, with an empty body and [`BaseUrlAnswer`] among the extensions. `Location`,
/// `Content-Location` and the `Path` of cookies are mapped back by [`PathMap`].
///
/// A request whose target stays as it is costs no allocation. One whose prefix is cut off costs
/// the new target and the extension.
#[derive(Clone, Debug)]
pub struct BaseUrlLayer {
    shared: Arc<Shared>,
}

#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) router: Router,
    pub(crate) map: PathMap,
    pub(crate) prefix_header: Option<PrefixHeader>,
}

/// What the application is told in `X-Forwarded-Prefix`.
#[derive(Clone, Debug)]
pub(crate) enum PrefixHeader {
    /// This; whatever stood there is replaced.
    Told(HeaderValue),
    /// Nothing; whatever stood there is removed.
    Removed,
}

impl BaseUrlLayer {
    /// Makes the layer for an application that believes to live at the root.
    #[must_use]
    pub fn new(router: Router) -> Self {
        let map = PathMap::new(router.base().clone(), BasePath::root());
        Self { shared: Arc::new(Shared { router, map, prefix_header: None }) }
    }

    /// Sets the path at which the application lives in its own eyes. Default: the root.
    #[must_use]
    pub fn with_inside(mut self, inside: BasePath) -> Self {
        let shared = Arc::make_mut(&mut self.shared);
        shared.map = PathMap::new(shared.router.base().clone(), inside);
        self
    }

    /// Tells the application the prefix that was cut off, in `X-Forwarded-Prefix`; whatever the
    /// client wrote there is removed. Default: the header is left alone.
    #[must_use]
    pub fn with_forwarded_prefix(self) -> Self {
        let inside = self.shared.map.inside().clone();
        self.with_forwarded_prefix_before(&inside)
    }

    /// As [`Self::with_forwarded_prefix`], for an application that lives at `inside`, which
    /// another layer puts in front of the path.
    ///
    /// An application puts the prefix in front of its own paths. Where `inside` is not the end of
    /// the base, no prefix makes them right, and the header is removed: `Location` and cookies
    /// are mapped anyway.
    ///
    /// | the base | the application lives at | it is told |
    /// | --- | --- | --- |
    /// | `/tv` | the root | `/tv` |
    /// | `/media/tv` | `/tv` | `/media` |
    /// | `/tv` | `/tv` | nothing |
    /// | `/films` | `/tv` | nothing |
    #[must_use]
    pub fn with_forwarded_prefix_before(mut self, inside: &BasePath) -> Self {
        let shared = Arc::make_mut(&mut self.shared);
        let prefix = shared.router.base().as_str().strip_suffix(inside.as_str());
        let value = prefix.filter(|prefix| !prefix.is_empty()).map(HeaderValue::from_str);
        shared.prefix_header = Some(match value {
            Some(Ok(value)) => PrefixHeader::Told(value),
            _ => PrefixHeader::Removed,
        });
        self
    }
}

impl<S> tower_layer::Layer<S> for BaseUrlLayer {
    type Service = BaseUrl<S>;

    fn layer(&self, inner: S) -> BaseUrl<S> {
        BaseUrl::new(inner, Arc::clone(&self.shared))
    }
}
