//! The path of a request, from outside in:
//!
//! forwarded ─ measure and log ─ ACME challenge ─ access ─ root of the local CA ─ UPnP description
//! ─ HTTPS redirect ─ HSTS ─ site ─ base URL ─ content
//!
//! *forwarded* comes first, so that every later room (log, refusal, redirect, published URL) knows
//! the real client, scheme and host; it never refuses. *access* comes before redirects and files:
//! in Jellyfin a blocked client still gets both. *ACME challenges* come before it, for an authority
//! looks from anywhere, and nothing is to be had there but what it put there itself. *site* chooses
//! among several servers by host and path; what stands before it is the same for all of them, so
//! that a page for who found none is guarded, counted and encrypted as all else. The description
//! stands before it too: control points ask for it by address, whatever the hosts of its site are.

use std::net::SocketAddr;

use http::Request;
use hyper::body::Incoming;
use jellynet_access::{Access, AccessLayer, Counters, LivePolicy, Policy};
use jellynet_admin::{AccessLog, Measure, MeasureLayer, Metrics};
use jellynet_base_url::{BasePath, BaseUrl, BaseUrlLayer, DefaultPath, Router};
use jellynet_forwarded::{AuditLog, Forwarded, ForwardedLayer, LiveRules, ProxySet, Rules};
use jellynet_netif::{ClientAddr, InterfaceTable, PeerAddr, Provenance};
use jellynet_tls::{
    Hsts, HstsLayer, HstsService, Http01, Http01Service, HttpsRedirectLayer, HttpsRedirectService,
    Timestamp,
};
use tower::ServiceBuilder;
use tower::util::{Either, MapRequest};
use tower_layer::Layer;

use crate::app::{App, Content, is_health};
use crate::config::{self, Config};
use crate::dlna::{Describe, DescribeLayer, Dlna};
use crate::identity::Roll;
use crate::names::Resolved;
use crate::reach::{HTTP, HTTPS};
use crate::root::{RootLayer, RootService};
use crate::routing::{Asked, Chosen, Routing};
use crate::site::Site;
use crate::sites::Sites;
use crate::tls::Tls;
use crate::version;

/// What answers a request.
pub(crate) type Stack = Forwarded<Measure<Challenged<MapRequest<Guarded, OwnHealth>>>>;
/// What only those reach who may come in.
type Guarded = Access<Offered<Described<Redirected<Promised<Sites<BaseUrl<App>>>>>>>;
/// See [`own_health`].
type OwnHealth = fn(Request<Incoming>) -> Request<Incoming>;
/// What answers, by listener: each counts as itself.
#[derive(Clone)]
pub(crate) struct Stacks {
    pub(crate) http: Stack,
    pub(crate) https: Stack,
}

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
}

impl Parts {
    pub(crate) fn new(config: &Config, interfaces: &InterfaceTable) -> Self {
        Self {
            rules: LiveRules::new(rules(&config.proxies)),
            policy: LivePolicy::new(policy(&config.access, interfaces)),
            audit: AuditLog::new(),
            refusals: Counters::default(),
            metrics: Metrics::new(version::NUMBER, version::commit()),
        }
    }

    /// What answers on each listener.
    pub(crate) fn stacks(
        &self,
        config: &Config,
        sites: Vec<(Site, App)>,
        roll: &Roll,
        tls: Option<&Tls>,
        dlna: Option<&Dlna>,
    ) -> Stacks {
        let log = AccessLog::new(config.access_log, std::io::stdout());
        let sites = chosen(config, sites, roll);
        let stack = |listener, sites| self.stack(listener, config, sites, log.clone(), tls, dlna);
        Stacks { http: stack(HTTP, sites.clone()), https: stack(HTTPS, sites) }
    }

    /// The layers around the sites, for what comes by the listener of this name.
    fn stack(
        &self,
        listener: &str,
        config: &Config,
        sites: Sites<BaseUrl<App>>,
        log: AccessLog,
        tls: Option<&Tls>,
        dlna: Option<&Dlna>,
    ) -> Stack {
        ServiceBuilder::new()
            .layer(ForwardedLayer::new(self.rules.clone()).with_audit(self.audit.clone()))
            .layer(MeasureLayer::new(listener, self.metrics.listener(listener), log))
            .option_layer(tls.and_then(Tls::http01).as_ref().map(Http01::layer))
            .map_request(own_health as OwnHealth)
            .layer(AccessLayer::new(self.policy.clone()).with_counters(self.refusals.clone()))
            .option_layer(tls.and_then(Tls::root).map(RootLayer::new))
            .option_layer(dlna.map(DescribeLayer::new))
            .option_layer(redirect(config))
            .option_layer(hsts(config, tls))
            .service(sites)
    }
}

/// A process that asks for `/health` by a Unix socket, and is no proxy that names a client, is one
/// of this host: the file's mode let it in, and it learns nothing but a word.
fn own_health(mut request: Request<Incoming>) -> Request<Incoming> {
    let extensions = request.extensions();
    if !matches!(extensions.get::<PeerAddr>(), Some(PeerAddr::Unix)) || !is_health(&request) {
        return request;
    }
    let client = extensions.get::<ClientAddr>().map(|client| client.provenance);
    if !matches!(client, Some(Provenance::Forwarded { .. })) {
        let own = SocketAddr::from(([127, 0, 0, 1], 0));
        request.extensions_mut().insert(ClientAddr::direct(own));
    }
    request
}

/// Each site below its base path, and the choice among them.
fn chosen(config: &Config, sites: Vec<(Site, App)>, roll: &Roll) -> Sites<BaseUrl<App>> {
    // A directory has its own first page at its root, and so has the welcome page.
    let first = match sites.first() {
        Some((_, App { content: Content::Directory(_) | Content::Welcome(_), .. })) => {
            DefaultPath::none()
        }
        _ => DefaultPath::default(),
    };
    let routing = Routing::new(&config.sites, &config.base_url, &first);
    let below = |(router, (site, app)): (&Router, (Site, App))| {
        let inside = site.upstream.as_ref().and_then(|it| it.config().url.path().parse().ok());
        let inside = inside.unwrap_or_else(BasePath::root);
        let layer = BaseUrlLayer::new(router.clone()).with_forwarded_prefix_before(&inside);
        (site, layer.layer(app))
    };
    let (sites, services): (Vec<_>, Vec<_>) =
        routing.routers().iter().zip(sites).map(below).unzip();
    Sites::new(routing, services, sites, roll.clone())
}

/// To HTTPS, at the port where the host is published, else at the one that clients use; `/health`
/// stays for whoever watches.
fn redirect(config: &Config) -> Option<HttpsRedirectLayer> {
    let all = config.https.redirect;
    let sites: Vec<_> = config.sites.iter().map(|site| site.https_redirect).collect();
    if !all && !sites.contains(&true) {
        return None;
    }
    let port = config.published.https_port.unwrap_or_else(|| config.https.port());
    let layer = HttpsRedirectLayer::new(port).exempt_path("/health");
    let health = config.sites.iter().map(|site| site.base.join("/health"));
    let layer = health.fold(layer, HttpsRedirectLayer::exempt_path);
    let layer = config.published.https_urls.iter().fold(layer, |layer, url| {
        layer.with_place(url.host().unwrap_or_default(), url.path(), url.port_u16().unwrap_or(443))
    });
    if sites.iter().all(|site| *site == all) {
        return Some(layer);
    }
    let routing = Routing::new(&config.sites, &config.base_url, &DefaultPath::default());
    Some(layer.exempt_if(move |request| {
        let wanted = match routing.choose(&Asked::of_request(request.uri, request.headers)) {
            Chosen::Site(site) => sites.get(site).copied().unwrap_or(all),
            Chosen::NoPath | Chosen::NoHost => all,
        };
        !wanted
    }))
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
    rules_of(proxies, proxies.known.to_set())
}

/// The same with what the host names resolve to.
pub(crate) fn rules_with(proxies: &config::Proxies, resolved: &Resolved) -> Rules {
    let addresses = |name: &str| resolved.get(name).map_or(&[][..], Vec::as_slice);
    rules_of(proxies, proxies.known.to_set_with(addresses))
}

/// The same for proxies that are resolved already.
pub(crate) fn rules_of(proxies: &config::Proxies, known: ProxySet) -> Rules {
    Rules::new(known)
        .with_family(proxies.family)
        .with_limit(proxies.limit)
        .with_allowed_hosts(proxies.allowed_hosts.clone())
}

/// Who may come in, while the interfaces are as they are.
pub(crate) fn policy(access: &config::Access, interfaces: &InterfaceTable) -> Policy {
    let policy = Policy::new(access.lan.subnets_with(interfaces)).with_remote_access(access.remote);
    policy.with_filter(access.remote_filter.clone())
}
