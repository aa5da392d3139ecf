//! The path of a request, from outside in:
//!
//! forwarded ─ measure and log ─ ACME challenge ─ access ─ root of the local CA ─ UPnP description
//! ─ HTTPS redirect ─ HSTS ─ base URL ─ content
//!
//! *forwarded* comes first, so that every later room (log, refusal, redirect, published URL) knows
//! the real client, scheme and host; it never refuses. *access* comes before redirects and files:
//! in Jellyfin a blocked client still gets both. *ACME challenges* come before it, for an authority
//! looks from anywhere, and nothing is to be had there but what it put there itself.

use jellynet_access::{Access, AccessLayer, Counters, LivePolicy, Policy};
use jellynet_admin::{AccessLog, Measure, MeasureLayer, Metrics};
use jellynet_base_url::{BaseUrl, BaseUrlLayer, DefaultPath};
use jellynet_forwarded::{AuditLog, Forwarded, ForwardedLayer, LiveRules, Rules};
use jellynet_netif::InterfaceTable;
use jellynet_tls::{
    Hsts, HstsLayer, HstsService, Http01, Http01Service, HttpsRedirectLayer, HttpsRedirectService,
    Timestamp,
};
use tower::ServiceBuilder;
use tower::util::Either;

use crate::app::{App, Content};
use crate::config::{self, Config};
use crate::dlna::{Describe, DescribeLayer, Dlna};
use crate::reach::HTTP;
use crate::root::{RootLayer, RootService};
use crate::tls::Tls;

/// What answers a request.
pub(crate) type Stack = Forwarded<Measure<Challenged<Access<Offered<Described<Inner>>>>>>;
/// What is behind the rooms that answer by themselves.
type Inner = Redirected<Promised<BaseUrl<App>>>;
/// With answers to ACME challenges, where that is asked for.
type Challenged<S> = Either<Http01Service<S>, S>;
/// With the root of the local CA, where there is one.
type Offered<S> = Either<RootService<S>, S>;
/// With the description for UPnP, where that is asked for.
type Described<S> = Either<Describe<S>, S>;
/// Sent to HTTPS, where that is asked for.
type Redirected<S> = Either<HttpsRedirectService<S>, S>;
/// With HSTS, where that is asked for.
type Promised<S> = Either<HstsService<S>, S>;

/// What the layers are made of, and what they count.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    pub(crate) rules: LiveRules,
    pub(crate) policy: LivePolicy,
    pub(crate) audit: AuditLog,
    pub(crate) refusals: Counters,
    pub(crate) metrics: Metrics,
    log: AccessLog,
}

impl Parts {
    pub(crate) fn new(config: &Config, interfaces: &InterfaceTable) -> Self {
        Self {
            rules: LiveRules::new(rules(&config.proxies)),
            policy: LivePolicy::new(policy(&config.access, interfaces)),
            audit: AuditLog::new(),
            refusals: Counters::default(),
            metrics: Metrics::new(env!("CARGO_PKG_VERSION")),
            log: AccessLog::new(config.access_log, std::io::stdout()),
        }
    }

    /// The layers around `app`.
    pub(crate) fn stack(
        &self,
        config: &Config,
        app: App,
        tls: Option<&Tls>,
        dlna: Option<&Dlna>,
    ) -> Stack {
        // A directory has its own first page at its root, and so has the welcome page.
        let first = match app.content {
            Content::Gateway(_) => DefaultPath::default(),
            Content::Directory(_) | Content::Welcome(_) => DefaultPath::none(),
        };
        ServiceBuilder::new()
            .layer(ForwardedLayer::new(self.rules.clone()).with_audit(self.audit.clone()))
            .layer(MeasureLayer::new(HTTP, self.metrics.listener(HTTP), self.log.clone()))
            .option_layer(tls.and_then(Tls::http01).as_ref().map(Http01::layer))
            .layer(AccessLayer::new(self.policy.clone()).with_counters(self.refusals.clone()))
            .option_layer(tls.and_then(Tls::root).map(RootLayer::new))
            .option_layer(dlna.map(DescribeLayer::new))
            .option_layer(redirect(config))
            .option_layer(hsts(config, tls))
            .layer(BaseUrlLayer::new(config.base_url.router(first)))
            .service(app)
    }
}

/// To HTTPS, at the port that clients use; `/health` stays for whoever watches.
fn redirect(config: &Config) -> Option<HttpsRedirectLayer> {
    let port = config.published.https_port().unwrap_or_else(|| config.https.port());
    let health = config.base_url.path.join("/health");
    let layer = || HttpsRedirectLayer::new(port).exempt_path("/health").exempt_path(health);
    config.https.redirect.then(layer)
}

fn hsts(config: &Config, tls: Option<&Tls>) -> Option<HstsLayer> {
    let mut hsts = Hsts::default();
    hsts.max_age = config.https.hsts?;
    let store = tls.map(|tls| tls.store.clone());
    // Without TLS of our own a proxy in front shows the certificate; the operator vouches for it.
    Some(HstsLayer::new(hsts, move |host| {
        store.as_ref().is_none_or(|store| store.is_trustworthy_for(host, Timestamp::now()))
    }))
}

/// The rules of the walk; host names among the proxies count once they are resolved.
pub(crate) fn rules(proxies: &config::Proxies) -> Rules {
    Rules::new(proxies.known.to_set())
        .with_family(proxies.family)
        .with_limit(proxies.limit)
        .with_allowed_hosts(proxies.allowed_hosts.clone())
}

/// Who may come in, while the interfaces are as they are.
pub(crate) fn policy(access: &config::Access, interfaces: &InterfaceTable) -> Policy {
    let policy = Policy::new(access.lan.subnets_with(interfaces)).with_remote_access(access.remote);
    policy.with_filter(access.remote_filter.clone())
}
