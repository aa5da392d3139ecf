//! A gateway before a running media server: hyper in front, `jellynet-upstream` behind.
//!
//! `cargo run --release --example gateway -- http://127.0.0.1:8097 127.0.0.1:8096`

use std::convert::Infallible;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use jellynet_netif::PeerAddr;
use jellynet_upstream::{ProbeConfig, Upstream, UpstreamConfig};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = |default: &str| arguments.next().unwrap_or_else(|| default.to_owned());
    let url = argument("http://127.0.0.1:8097").parse()?;
    let listen = argument("127.0.0.1:8096");

    let upstream = Upstream::new(UpstreamConfig::new(url));
    let probed = upstream.clone();
    tokio::spawn(async move { probed.probe(ProbeConfig::default()).await });

    let listener = tokio::net::TcpListener::bind(listen).await?;
    loop {
        let (stream, peer) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let upstream = upstream.clone();
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            let upstream = upstream.clone();
            // Known proxies in front? `jellynet-forwarded` says who the client is.
            request.extensions_mut().insert(PeerAddr::inet(peer));
            async move { Ok::<_, Infallible>(upstream.forward(request).await) }
        });
        tokio::spawn(async move {
            auto::Builder::new(TokioExecutor::new())
                .serve_connection_with_upgrades(TokioIo::new(stream), service)
                .await
        });
    }
}
