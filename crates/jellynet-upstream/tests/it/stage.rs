//! A gateway between a client and an upstream that both speak raw bytes.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use jellynet_netif::PeerAddr;
use jellynet_upstream::{CounterSnapshot, Upstream, UpstreamConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Longest wait for anything that has to happen.
const PATIENCE: Duration = Duration::from_secs(10);

/// Waits for something that has to happen soon.
pub(crate) async fn soon<F: Future>(what: F) -> F::Output {
    timeout(PATIENCE, what).await.unwrap()
}

/// An upstream that does with each connection what `script` says; the number is the connection's.
pub(crate) async fn upstream<S, F>(script: S) -> SocketAddr
where
    S: Fn(TcpStream, usize) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for number in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(script(stream, number));
        }
    });
    address
}

/// An upstream that answers each request head with these bytes, then waits for the next, or
/// closes.
pub(crate) async fn answering(bytes: &'static [u8], close: bool) -> SocketAddr {
    upstream(move |mut stream, _| async move {
        while read_head(&mut stream).await.is_some() {
            if stream.write_all(bytes).await.is_err() || close {
                break;
            }
        }
    })
    .await
}

/// Reads to the end of a head; `None` when the other end closed before one began.
pub(crate) async fn read_head<R: AsyncReadExt + Unpin>(stream: &mut R) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return None,
        }
    }
    Some(String::from_utf8(head).unwrap())
}

/// A gateway on a port of its own.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    pub(crate) upstream: Upstream,
}

pub(crate) fn config(upstream: SocketAddr) -> UpstreamConfig {
    UpstreamConfig::new(format!("http://{upstream}").parse().unwrap())
}

impl Gateway {
    pub(crate) async fn to(upstream: SocketAddr) -> Self {
        Self::with(Upstream::new(config(upstream))).await
    }

    pub(crate) async fn with(upstream: Upstream) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = upstream.clone();
        tokio::spawn(async move {
            loop {
                let (stream, peer) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let service = Facts(service.clone(), PeerAddr::inet(peer));
                let service = TowerToHyperService::new(service);
                tokio::spawn(async move {
                    let builder = auto::Builder::new(TokioExecutor::new());
                    let io = TokioIo::new(stream);
                    let _ = builder.serve_connection_with_upgrades(io, service).await;
                });
            }
        });
        Self { address, upstream }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends these bytes and reads until the gateway closes.
    pub(crate) async fn ask(&self, request: &str) -> String {
        let mut client = self.connect().await;
        client.write_all(request.as_bytes()).await.unwrap();
        read_to_end(&mut client).await
    }

    /// `GET /` on a connection of its own.
    pub(crate) async fn get(&self) -> String {
        self.ask("GET / HTTP/1.1\r\nHost: tv.lan\r\nConnection: close\r\n\r\n").await
    }

    /// Waits until nothing is going on but kept connections.
    pub(crate) async fn quiet(&self) -> CounterSnapshot {
        soon(async {
            loop {
                let now = self.upstream.counters();
                if now.in_flight == 0 && now.tunnels == 0 && now.connections == now.idle {
                    return now;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    }
}

/// What `bind` and `forwarded` do in the real stack: say who the peer is.
#[derive(Clone)]
struct Facts(Upstream, PeerAddr);

impl tower_service::Service<Request<Incoming>> for Facts {
    type Response = <Upstream as tower_service::Service<Request<Incoming>>>::Response;
    type Error = std::convert::Infallible;
    type Future = jellynet_upstream::ForwardFuture;

    fn poll_ready(
        &mut self,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        tower_service::Service::<Request<Incoming>>::poll_ready(&mut self.0, cx)
    }

    fn call(&mut self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.1);
        self.0.call(request)
    }
}

/// Reads until the other end closes; an abrupt end counts as one.
pub(crate) async fn read_to_end(client: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let _ = soon(client.read_to_end(&mut text)).await;
    String::from_utf8(text).unwrap()
}

/// Status and body of a response, without the fields.
pub(crate) fn status_and_body(response: &str) -> (u16, &str) {
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap();
    (status.parse().unwrap(), body)
}
