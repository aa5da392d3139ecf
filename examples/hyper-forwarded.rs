//! Tells each visitor who it is, with plain hyper behind a proxy that speaks the PROXY protocol.
//!
//! ```text
//! cargo run -p examples --example hyper-forwarded
//! curl --haproxy-protocol --haproxy-clientip 203.0.113.9 http://127.0.0.1:8096/
//! ```

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use jellynet_forwarded::proxy_protocol::{self, PreamblePolicy};
use jellynet_forwarded::{ForwardedLayer, KnownProxies, Rules};
use jellynet_netif::{ClientAddr, PeerAddr};
use tokio::net::{TcpListener, TcpStream};
use tower::{Layer, service_fn};

/// How long a proxy may take to say who the client is.
const DEADLINE: Duration = Duration::from_secs(5);

async fn who(request: Request<Incoming>) -> Result<Response<String>, Infallible> {
    let client = request.extensions().get::<ClientAddr>();
    Ok(Response::new(format!("client: {client:?}\nuri: {}\n", request.uri())))
}

async fn connection(
    stream: TcpStream,
    peer: PeerAddr,
    policy: PreamblePolicy,
    forwarded: ForwardedLayer,
) -> Result<(), Box<dyn std::error::Error>> {
    let (preamble, stream) = proxy_protocol::accept(stream, peer, &policy, DEADLINE).await?;
    let client = preamble.map(|preamble| preamble.client());
    let service = forwarded.layer(service_fn(who));
    // The facts of the connection, for each of its requests.
    let service = tower::util::MapRequest::new(service, move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        if let Some(client) = client {
            request.extensions_mut().insert(client);
        }
        request
    });
    http1::Builder::new()
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .await?;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let known = KnownProxies::parse(["127.0.0.1"]).map_err(io::Error::other)?;
    let policy = PreamblePolicy::Required(Arc::new(known.to_set()));
    let forwarded = ForwardedLayer::new(Rules::new(known.to_set()));
    let listener = TcpListener::bind("127.0.0.1:8096").await?;
    loop {
        let (stream, peer) = listener.accept().await?;
        let (policy, forwarded) = (policy.clone(), forwarded.clone());
        tokio::spawn(async move {
            // A connection that is not accepted is closed without an answer.
            let _ = connection(stream, PeerAddr::inet(peer), policy, forwarded).await;
        });
    }
}
