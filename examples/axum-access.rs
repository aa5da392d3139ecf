//! Lets the LAN into an axum application, and nobody else.
//!
//! ```text
//! cargo run -p examples --example axum-access
//! curl -i http://127.0.0.1:8096/
//! curl -i -H 'X-Forwarded-For: 203.0.113.9' http://127.0.0.1:8096/    # through a "proxy": 403
//! ```

use std::io;
use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Extension};
use axum::routing::get;
use axum::{Router, serve};
use jellynet_access::{AccessLayer, Decision, Lan, Policy};
use jellynet_forwarded::{ForwardedLayer, KnownProxies, Rules};
use jellynet_netif::PeerAddr;
use tokio::net::TcpListener;

async fn welcome(Extension(decision): Extension<Decision>) -> String {
    format!("come in: {}\n", decision.reason)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let lan = Lan::parse(["private", "tailscale"]).map_err(io::Error::other)?;
    let access = AccessLayer::new(Policy::new(lan.subnets()).with_remote_access(false));
    let known = KnownProxies::parse(["127.0.0.1"]).map_err(io::Error::other)?;
    let forwarded = ForwardedLayer::new(Rules::new(known.to_set())).with_peer(|extensions| {
        let info = extensions.get::<ConnectInfo<SocketAddr>>();
        info.map(|info| PeerAddr::inet(info.0))
    });
    // The last layer sees a request first: who is it, then may it come in.
    let app = Router::new().route("/", get(welcome)).layer(access).layer(forwarded);
    let listener = TcpListener::bind("127.0.0.1:8096").await?;
    serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await
}
