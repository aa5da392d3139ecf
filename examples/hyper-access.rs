//! Keeps an address list out of a plain hyper server, and changes the list while it runs.
//!
//! ```text
//! cargo run -p examples --example hyper-access
//! curl -i http://127.0.0.1:8096/
//! ```

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use jellynet_access::{AccessLayer, FilterMode, LivePolicy, Policy, RemoteFilter};
use jellynet_netif::PeerAddr;
use tokio::net::TcpListener;
use tower::{Layer, service_fn};

async fn welcome(_: Request<Incoming>) -> Result<Response<String>, Infallible> {
    Ok(Response::new("come in\n".to_owned()))
}

/// Jellyfin's LAN, everybody else but those in the list.
fn policy(blocked: &[&str]) -> io::Result<Policy> {
    let filter = RemoteFilter::parse(FilterMode::Block, blocked).map_err(io::Error::other)?;
    Ok(Policy::default().with_filter(filter))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let live = LivePolicy::new(policy(&["203.0.113.0/24"])?);
    let access = AccessLayer::new(live.clone());
    // In a real server: when the configuration is read again.
    let later = policy(&["203.0.113.0/24", "198.51.100.0/24"])?;
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        live.replace(later);
    });
    let listener = TcpListener::bind("127.0.0.1:8096").await?;
    loop {
        let (stream, peer) = listener.accept().await?;
        let service = access.layer(service_fn(welcome));
        let service =
            tower::util::MapRequest::new(service, move |mut request: Request<Incoming>| {
                request.extensions_mut().insert(PeerAddr::inet(peer));
                request
            });
        let service = TowerToHyperService::new(service);
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}
