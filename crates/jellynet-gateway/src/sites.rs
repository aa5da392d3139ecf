//! Hands each request to the site that is meant ([the rule](crate::routing)), and answers what is
//! meant for none.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::Either;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use jellynet_admin::Page;
use jellynet_base_url::{BasePath, RequestClass};
use jellynet_discovery::ServerId;
use jellynet_netif::{ClientAddr, Provenance};
use tower_service::Service;

use crate::identity::Roll;
use crate::routing::{Asked, Chosen, Routing, asked_host};
use crate::site::Site;

/// The services of all sites as one; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Sites<S> {
    shared: Arc<Shared<S>>,
}

#[derive(Debug)]
struct Shared<S> {
    routing: Routing,
    /// In the order of the routing, and always ready.
    services: Vec<S>,
    sites: Vec<Site>,
    roll: Roll,
    /// Whether it was said that a proxy cuts the base path off unsaid.
    told: AtomicBool,
}

impl<S> Sites<S> {
    /// `services` are always ready, and stand in the order of the sites.
    pub(crate) fn new(routing: Routing, services: Vec<S>, sites: Vec<Site>, roll: Roll) -> Self {
        let told = AtomicBool::new(false);
        Self { shared: Arc::new(Shared { routing, services, sites, roll, told }) }
    }
}

impl<S, B, R> Service<Request<B>> for Sites<S>
where
    S: Service<Request<B>, Response = Response<R>, Error = Infallible> + Clone,
    R: From<Bytes>,
{
    type Response = Response<R>;
    type Error = Infallible;
    type Future = Either<Ready<Result<Response<R>, Infallible>>, S::Future>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let chosen = self.shared.choose(&request);
        let service = match chosen {
            Chosen::Site(site) => self.shared.services.get(site).cloned().map(|it| (site, it)),
            Chosen::NoPath | Chosen::NoHost => None,
        };
        match service {
            Some((site, mut service)) => {
                self.shared.watch_prefix(site, &request);
                Either::Right(service.call(request))
            }
            None => {
                let answer = self.shared.answer(chosen, &request);
                Either::Left(ready(Ok(answer.map(R::from))))
            }
        }
    }
}

fn host<B>(request: &Request<B>) -> Option<&str> {
    asked_host(request.uri(), request.headers())
}

impl<S> Shared<S> {
    fn choose<B>(&self, request: &Request<B>) -> Chosen {
        if self.routing.is_single() {
            return Chosen::Site(0);
        }
        if let Some(site) = self.of_device(request.uri().path()) {
            return Chosen::Site(site);
        }
        self.routing.choose(&Asked::of_request(request.uri(), request.headers()))
    }

    /// The site whose UPnP device is asked: control points ask by address, whatever the host, for
    /// `/dlna/<id>/…`, below its base path or not.
    fn of_device(&self, path: &str) -> Option<usize> {
        let bases = self.routing.routers().iter().filter_map(|router| router.base().strip(path));
        let device = std::iter::once(path).chain(bases).find_map(|rest| {
            let (dlna, rest) = rest.split_at_checked("/dlna/".len())?;
            dlna.eq_ignore_ascii_case("/dlna/").then_some(rest)
        })?;
        let id: ServerId = device.split('/').next()?.parse().ok()?;
        self.roll.site_of(id, &self.sites)
    }

    fn answer<B>(&self, chosen: Chosen, request: &Request<B>) -> Response<Bytes> {
        let path = request.uri().path();
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        let browser =
            RequestClass::of(request.method(), request.headers()) == RequestClass::Navigation;
        let mut response = match chosen {
            Chosen::NoHost if reads && path.eq_ignore_ascii_case("/health") => {
                plain(StatusCode::OK, "Healthy")
            }
            Chosen::NoHost => plain(
                StatusCode::MISDIRECTED_REQUEST,
                "421 Misdirected Request\nNo server here has this name.\n",
            ),
            _ if browser => self.list(host(request), path),
            _ => plain(StatusCode::NOT_FOUND, "404 Not Found\nNo server here has this path.\n"),
        };
        if *request.method() == Method::HEAD {
            *response.body_mut() = Bytes::new();
        }
        response
    }

    /// The servers that this host has, with links that are right behind a proxy that cuts a path
    /// off.
    fn list(&self, host: Option<&str>, path: &str) -> Response<Bytes> {
        let up = "../".repeat(path.matches('/').count().saturating_sub(1));
        let sites = self.routing.of_host(host).filter_map(|site| self.sites.get(site));
        let links = sites.map(|site| {
            let known =
                site.upstream.as_ref().and_then(|upstream| upstream.status().current().identity);
            let name = known.map(|who| who.server_name.clone()).filter(|name| !name.is_empty());
            let place = site.config();
            let base = place.base.as_str().trim_start_matches('/');
            (format!("./{up}{base}/"), name.unwrap_or_else(|| place.name.clone()))
        });
        let links: Vec<_> = links.collect();
        let page = match path {
            "/" => Page::new("Servers"),
            _ => Page::new("Not found").paragraph("There is nothing at this address."),
        };
        let mut response = page.links("Servers here", &links).into_html();
        if path != "/" {
            *response.status_mut() = StatusCode::NOT_FOUND;
        }
        response
    }

    /// Says, once, that a proxy in front cuts the base path off and tells nobody: the relative
    /// redirects to the base path then add it to itself.
    ///
    /// A browser that is at `/tv/tv/web/` while `/tv/web/` arrives here is the sure sign; the
    /// redirect itself is none, since who types the bare address gets it too.
    fn watch_prefix<B>(&self, site: usize, request: &Request<B>) {
        let Some(base) = self.routing.routers().get(site).map(|router| router.base()) else {
            return;
        };
        if base.is_root() {
            return;
        }
        let Some(referer) = request.headers().get(header::REFERER) else { return };
        let known = request.extensions().get::<ClientAddr>().map(|client| client.provenance);
        let by_proxy = known.is_some_and(|known| {
            matches!(known, Provenance::Forwarded { .. } | Provenance::ProxyOnly { .. })
        });
        let twice = referer.to_str().ok().and_then(|referer| own_path(referer, host(request)?));
        if by_proxy
            && twice.is_some_and(|path| is_twice(base, path))
            && !is_twice(base, request.uri().path())
            && !self.told.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                base_url = base.as_str(),
                "a proxy in front cuts the base path off and does not say so: browsers end up at \
                 {base}{base}/; let it pass the path on as it is, or send X-Forwarded-Prefix: \
                 {base}, or remove the base path here"
            );
        }
    }
}

/// The path of a URL on this very host.
fn own_path<'r>(referer: &'r str, host: &str) -> Option<&'r str> {
    let (_, rest) = referer.split_once("://")?;
    let (authority, path) = rest.split_at_checked(rest.find('/')?)?;
    authority.eq_ignore_ascii_case(host).then_some(path)
}

/// Whether a path begins with the base and then with the base again.
pub(crate) fn is_twice(base: &BasePath, path: &str) -> bool {
    base.strip(path).and_then(|rest| base.strip(rest)).is_some()
}

fn plain(status: StatusCode, text: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(text.as_bytes()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
