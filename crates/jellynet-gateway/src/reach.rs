//! Under which URL a peer reaches this server: one answer for discovery, for `LocalAddress`, for
//! the page and for whoever asks.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use arc_swap::ArcSwap;
use http::Uri;
use jellynet_bind::{
    BindPlan, BoundAddr, Endpoint, Families, Handle, Listen, OutcomeKind, Request,
};
use jellynet_netif::{InterfaceTable, Interfaces};
use jellynet_published::{Announced, Ask, Listener, Published};

/// Everything that the answer depends on; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Reach {
    published: Arc<ArcSwap<Published>>,
    interfaces: Interfaces,
    listeners: Handle,
}

impl Reach {
    pub(crate) fn new(published: Published, interfaces: Interfaces, listeners: Handle) -> Self {
        Self { published: Arc::new(ArcSwap::from_pointee(published)), interfaces, listeners }
    }

    /// Answers by other rules from now on.
    pub(crate) fn publish(&self, published: Published) {
        self.published.store(Arc::new(published));
    }

    /// The interfaces as they are now.
    pub(crate) fn interfaces(&self) -> Arc<InterfaceTable> {
        self.interfaces.current()
    }

    /// The URL for whoever asks in this way, and why that one.
    pub(crate) fn url(&self, ask: &Ask<'_>) -> Option<Announced> {
        self.published.load().for_peer(ask, &self.interfaces(), &self.open())
    }

    /// The URL for a client that asked by HTTP.
    pub(crate) fn url_for_request(&self, client: IpAddr, uri: &Uri) -> Option<Announced> {
        self.url(&Ask::new(client).request(uri))
    }

    /// For each address's subnet, the URL that a peer there is told.
    pub(crate) fn announced_by_interface(&self) -> Vec<String> {
        let interfaces = self.interfaces();
        let addresses = interfaces.addresses().filter(|(i, _)| i.flags.up && !i.flags.loopback);
        let rows = addresses.filter_map(|(interface, address)| {
            let announced = self.url(&Ask::new(address.ip()).came_by(interface.index))?;
            Some(format!(
                "announced: {} to {} ({})",
                announced.url,
                address.net.trunc(),
                interface.name
            ))
        });
        rows.collect()
    }

    /// The sockets that accept connections now.
    fn open(&self) -> Vec<Listener> {
        let outcomes = self.listeners.outcomes();
        let open = outcomes.iter().filter_map(|outcome| match &outcome.kind {
            OutcomeKind::Listening { addr: BoundAddr::Inet(addr) } => match &*outcome.name {
                HTTP => Some(Listener::http(*addr)),
                HTTPS => Some(Listener::https(*addr)),
                _ => None,
            },
            _ => None,
        });
        open.collect()
    }
}

/// The name of the plain listeners.
pub(crate) const HTTP: &str = "http";
/// The name of the encrypted listeners.
pub(crate) const HTTPS: &str = "https";
/// The name of the administrator's listeners.
pub(crate) const ADMIN: &str = "admin";

/// The sockets that would accept connections on these interfaces.
pub(crate) fn planned(
    http: &[Listen],
    https: &[Listen],
    interfaces: &InterfaceTable,
) -> Vec<Listener> {
    let named = |name, listen: &[Listen]| -> Vec<_> {
        listen.iter().map(|one| Request::new(name, one.clone())).collect()
    };
    let requests = [named(HTTP, http), named(HTTPS, https)].concat();
    let sockets = BindPlan::new(&requests, interfaces).sockets;
    let addresses = sockets.into_iter().filter_map(|socket| match socket.endpoint {
        Endpoint::Tcp(address) if socket.request < http.len() => Some(Listener::http(address)),
        Endpoint::Tcp(address) => Some(Listener::https(address)),
        _ => None,
    });
    addresses.collect()
}

/// The addresses of those sockets.
pub(crate) fn planned_addresses(
    http: &[Listen],
    https: &[Listen],
    interfaces: &InterfaceTable,
) -> Vec<SocketAddr> {
    let requests: Vec<_> =
        http.iter().chain(https).map(|one| Request::new(HTTP, one.clone())).collect();
    let sockets = BindPlan::new(&requests, interfaces).sockets.into_iter();
    let addresses = sockets.filter_map(|socket| match socket.endpoint {
        Endpoint::Tcp(address) => Some(address),
        _ => None,
    });
    addresses.collect()
}

/// Where this host itself reaches a listener.
pub(crate) fn from_this_host(listen: &Listen) -> Option<String> {
    Some(match listen {
        Listen::Wildcard { families: Families::V6, port } => format!("[::1]:{port}"),
        Listen::Wildcard { port, .. } | Listen::Loopback { port } => format!("127.0.0.1:{port}"),
        Listen::Address { ip, zone: None, port } => SocketAddr::new(*ip, *port).to_string(),
        Listen::Interface { name, port } => {
            let interfaces = jellynet_netif::interfaces().ok()?;
            let address = interfaces.by_name(name)?.addresses.first()?;
            SocketAddr::new(address.ip(), *port).to_string()
        }
        Listen::Unix(unix) => format!("unix:{}", unix.name),
        _ => return None,
    })
}
