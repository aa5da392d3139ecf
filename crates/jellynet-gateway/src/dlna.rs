//! UPnP: this server, or each upstream behind it, as a media server that televisions see.

mod status;

use std::future::{Ready, ready};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use jellynet_bind::Events;
use jellynet_netif::{Interface, Interfaces};
use jellynet_published::Ask;
use jellynet_ssdp::description::{Description, Descriptions};
use jellynet_ssdp::{
    Advertiser, AdvertiserConfig, AdvertiserCounters, Rung, SsdpService, SsdpServiceConfig, Uuid,
    boot_id, product_line, seed,
};
use tower_layer::Layer;
use tower_service::Service;

use crate::identity::Known;
use crate::site::Site;

pub(crate) use self::status::SsdpStatus;

/// The icon of the description; one is needed, by its URL the Jellyfin client for Roku finds the
/// server.
const ICON: &[u8] = include_bytes!("icon.png");
/// Its width and height in pixels.
const ICON_SIZE: u32 = 120;

/// What is announced, where that is switched on, and what answers requests for its description;
/// cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Dlna {
    /// From when it is switched on until it says goodbye.
    service: Arc<Mutex<Option<SsdpService>>>,
    descriptions: Arc<RwLock<Arc<Descriptions>>>,
}

impl Default for Dlna {
    fn default() -> Self {
        let descriptions = Arc::new(RwLock::new(Arc::new(Descriptions::new([]))));
        Self { service: Arc::default(), descriptions }
    }
}

impl Dlna {
    /// Announces from now on, or says goodbye; nobody is announced at first.
    pub(crate) fn switch(&self, on: bool, interfaces: &Interfaces) {
        let mut service = self.service();
        match (on, service.is_some()) {
            (true, false) => *service = start(interfaces),
            (false, true) => {
                drop(service);
                tokio::spawn(self.clone().stop());
            }
            _ => {}
        }
    }

    /// Announces these from now on, a root device each, and nobody else. Whose description is
    /// asked for, is told by the places of all sites.
    pub(crate) fn speak_for(&self, all: &[Known], sites: &[Site]) {
        let described: Vec<_> = all.iter().map(describe).collect();
        let devices = described.iter().zip(all).map(|(description, known)| {
            let (reach, path) = (known.site.reach.clone(), description.path());
            description.root_device(move |interface: &Interface, address: IpAddr| {
                let ask = Ask::new(address).came_by(interface.index).plain_address();
                Some(format!("{}{path}", reach.url(&ask)?.url))
            })
        });
        let devices = devices.collect();
        let descriptions = Descriptions::new(described);
        let descriptions = sites.iter().fold(descriptions, |descriptions, site| {
            let place = site.config();
            let exact = place.hosts.iter().filter(|host| !host.starts_with("*."));
            let descriptions = descriptions.with_base(place.base.as_str());
            exact.fold(descriptions, |all, host| all.with_host_name(host))
        });
        *self.descriptions.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(descriptions);
        if let Some(Err(error)) = self.service().as_ref().map(|s| s.replace_devices(devices)) {
            tracing::error!(%error, "announce nothing by SSDP");
        }
    }

    /// Asks for the URLs again when a listener comes or goes: its address may have been there
    /// before it.
    pub(crate) fn follow_listeners(&self, mut listeners: Events) {
        let service = Arc::downgrade(&self.service);
        tokio::spawn(async move {
            while listeners.next().await.is_some() {
                let Some(service) = service.upgrade() else {
                    return;
                };
                if let Some(service) = &*service.lock().unwrap_or_else(PoisonError::into_inner) {
                    service.locations_changed();
                }
            }
        });
    }

    /// Whether it announces.
    pub(crate) fn is_on(&self) -> bool {
        self.service().is_some()
    }

    /// How port 1900 stands, in words.
    pub(crate) fn status(&self) -> String {
        match self.service().as_ref().map(SsdpService::rung) {
            None => "switched off".to_owned(),
            Some(Rung::Shared) => "announcing and answering on 1900/udp".to_owned(),
            Some(Rung::SearchPort { port, .. }) => {
                format!(
                    "announcing; another program has 1900/udp for itself, unicast searches go to {port}"
                )
            }
            _ => "announcing; another program has 1900/udp for itself".to_owned(),
        }
    }

    /// What was counted; `None` once it has ended.
    pub(crate) fn counters(&self) -> Option<AdvertiserCounters> {
        self.service().as_ref().map(SsdpService::counters)
    }

    /// Says goodbye; whoever is spoken for afterwards is not announced any more.
    pub(crate) async fn stop(self) {
        let service = self.service().take();
        if let Some(service) = service {
            service.stop().await;
        }
    }

    fn service(&self) -> MutexGuard<'_, Option<SsdpService>> {
        self.service.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn start(interfaces: &Interfaces) -> Option<SsdpService> {
    let product = product_line("jellynet", env!("CARGO_PKG_VERSION"));
    let config = AdvertiserConfig::new(product, boot_id(), seed());
    let advertiser = Advertiser::new(config, Vec::new())
        .inspect_err(|error| tracing::error!(%error, "announce nothing by SSDP"))
        .ok()?;
    let config = SsdpServiceConfig::default();
    Some(SsdpService::start(advertiser, config, interfaces.clone()).0)
}

fn describe(known: &Known) -> Description {
    let uuid = Uuid::from_bytes(*known.id.as_bytes());
    let icon = Bytes::from_static(ICON);
    let mut description =
        Description::media_server(uuid, &known.name).with_png(ICON_SIZE, ICON_SIZE, icon);
    if !known.site.config().hosts.is_empty() {
        // The page for people is not found by address.
        description.presentation_url = None;
    }
    description
}

/// Answers for the description and its icons, with and without the base URL, before anything
/// redirects: televisions follow neither redirects nor HTTPS.
#[derive(Clone)]
pub(crate) struct DescribeLayer(Arc<RwLock<Arc<Descriptions>>>);

impl DescribeLayer {
    pub(crate) fn new(dlna: &Dlna) -> Self {
        Self(Arc::clone(&dlna.descriptions))
    }
}

impl<S> Layer<S> for DescribeLayer {
    type Service = Describe<S>;

    fn layer(&self, inner: S) -> Describe<S> {
        Describe { descriptions: Arc::clone(&self.0), inner }
    }
}

/// The service of [`DescribeLayer`].
#[derive(Clone)]
pub(crate) struct Describe<S> {
    descriptions: Arc<RwLock<Arc<Descriptions>>>,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for Describe<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: From<Bytes>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = futures_util::future::Either<Ready<Result<Response<R>, S::Error>>, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let described =
            self.descriptions.read().unwrap_or_else(PoisonError::into_inner).respond(&request);
        match described {
            Some(response) => futures_util::future::Either::Left(ready(Ok(response.map(R::from)))),
            None => futures_util::future::Either::Right(self.inner.call(request)),
        }
    }
}
