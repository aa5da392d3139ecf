//! Tells each visitor of an axum application who it is, behind a proxy on this host.
//!
//! ```text
//! cargo run -p examples --example axum-forwarded
//! curl -H 'X-Forwarded-For: 203.0.113.9' -H 'X-Forwarded-Proto: https' http://127.0.0.1:8096/
//! ```

use std::io;
use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Extension};
use axum::routing::get;
use axum::{Router, serve};
use http::Uri;
use jellynet_forwarded::{EffectiveOrigin, ForwardedLayer, KnownProxies, Rules, Strip};
use jellynet_netif::{ClientAddr, PeerAddr};
use tokio::net::TcpListener;

/// What is known about the request, for a person to read.
async fn who(
    Extension(client): Extension<ClientAddr>,
    Extension(origin): Extension<EffectiveOrigin>,
    uri: Uri,
) -> String {
    format!("client: {client:?}\norigin: {origin:?}\nuri: {uri}\n")
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let known = KnownProxies::parse(["127.0.0.1"]).map_err(io::Error::other)?;
    let forwarded = ForwardedLayer::new(Rules::new(known.to_set()))
        .with_strip(Strip::Untrusted)
        // axum knows the peer by a type of its own.
        .with_peer(|extensions| {
            let info = extensions.get::<ConnectInfo<SocketAddr>>();
            info.map(|info| PeerAddr::inet(info.0))
        });
    let app = Router::new().route("/", get(who)).layer(forwarded);
    let listener = TcpListener::bind("127.0.0.1:8096").await?;
    serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await
}
