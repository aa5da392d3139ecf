//! The tower layer.
//!
//! # What it does with a request
//!
//! 1. Takes [`ClientAddr`](jellynet_netif::ClientAddr), else
//!    [`PeerAddr`](jellynet_netif::PeerAddr), from its extensions. Without both it is refused.
//! 2. Decides by the policy in force, and counts the reason.
//! 3. Puts the [`Decision`](crate::Decision) into the request's extensions and passes it on; or
//!    answers 403 itself, with the decision in the *response's* extensions, and logs one line.
//!
//! It belongs behind whatever finds the client and before everything that answers: before static
//! files and before redirects, which in Jellyfin a blocked client still gets.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tower_layer::Layer;

use crate::decision::Reason;
use crate::live::LivePolicy;

mod future;
#[cfg(feature = "tracing")]
mod log;
mod service;

pub use self::future::ResponseFuture;
pub use self::service::Access;

/// Wraps services so that only those come in who may. See the rule of [`Policy`](crate::Policy).
///
/// The body of a refusal is made from a `&'static str`, as `axum::body::Body` and
/// `http_body_util::Full<Bytes>` can be.
///
/// # Examples
///
/// ```
/// use http::{Request, Response};
/// use jellynet_access::{AccessLayer, Decision, Policy, Reason};
/// use jellynet_netif::PeerAddr;
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let policy = Policy::default().with_remote_access(false);
/// let service = AccessLayer::new(policy).layer(service_fn(async |_: Request<()>| {
///     Ok::<_, std::io::Error>(Response::new("come in"))
/// }));
///
/// let mut request = Request::new(());
/// request.extensions_mut().insert(PeerAddr::inet("203.0.113.9:4711".parse()?));
/// let response = service.oneshot(request).await?;
/// assert_eq!(response.status(), 403);
/// let decision = response.extensions().get::<Decision>();
/// assert_eq!(decision.map(|d| d.reason), Some(Reason::RemoteDisabled));
/// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct AccessLayer {
    policy: LivePolicy,
    counters: Counters,
}

impl AccessLayer {
    /// Decides by this policy; a [`LivePolicy`] whose clone is kept can change it.
    #[must_use]
    pub fn new(policy: impl Into<LivePolicy>) -> Self {
        Self { policy: policy.into(), counters: Counters::default() }
    }

    /// Counts there. Default: counters of its own.
    #[must_use]
    pub fn with_counters(mut self, counters: Counters) -> Self {
        self.counters = counters;
        self
    }

    /// How many requests were let in or refused for each reason.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }
}

impl<S> Layer<S> for AccessLayer {
    type Service = Access<S>;

    fn layer(&self, inner: S) -> Access<S> {
        Access::new(inner, self.clone())
    }
}

/// How many requests were let in or refused, by reason. Clones share the numbers.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    by_reason: Arc<[AtomicU64; Reason::ALL.len()]>,
}

impl Counters {
    /// The number of requests for each reason, zeros included.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (Reason, u64)> {
        let counters = Reason::ALL.iter().zip(&*self.by_reason);
        counters.map(|(reason, counter)| (*reason, counter.load(Ordering::Relaxed)))
    }

    fn count(&self, reason: Reason) {
        let counters = Reason::ALL.iter().zip(&*self.by_reason);
        for (_, counter) in counters.filter(|(known, _)| **known == reason) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}
