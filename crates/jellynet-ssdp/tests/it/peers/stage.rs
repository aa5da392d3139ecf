//! Two LANs, and a server that is advertised on both.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jellynet_netif::{Interface, Interfaces};
use jellynet_ssdp::description::{Description, Descriptions};
use jellynet_ssdp::{
    Advertiser, AdvertiserConfig, Rung, SsdpService, SsdpServiceConfig, Uuid, boot_id,
    product_line, seed,
};
use jellynet_test::netns::Namespace;
use jellynet_test::peer;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::support::UUID;

/// Long enough for any program on a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const NAME: &str = "Jellynet & <Friends>";

/// A server with `eth1` and `eth2`, and on each of them a client with `eth0`.
pub(crate) struct Stage {
    pub(crate) server: Namespace,
    pub(crate) clients: [Namespace; 2],
}

impl Stage {
    /// 10.77.1.1 and 10.77.2.1 with IPv6 beside them; the clients have .2 there.
    pub(crate) fn set() -> Option<Self> {
        let new = || Namespace::new("jellynet-ssdp");
        let (server, clients) = (new()?, [new()?, new()?]);
        for (at, client) in clients.iter().enumerate() {
            let n = at + 1;
            server.link(&format!("eth{n}"), client, "eth0");
            server.address(&format!("eth{n}"), &format!("10.77.{n}.1/24"));
            server.address(&format!("eth{n}"), &format!("fd77:{n}::1/64"));
            client.address("eth0", &format!("10.77.{n}.2/24"));
            client.address("eth0", &format!("fd77:{n}::2/64"));
            client.ip("route add 239.0.0.0/8 dev eth0");
        }
        server.ip("route add 239.0.0.0/8 dev eth1");
        let stage = Self { server, clients };
        stage.settle();
        Some(stage)
    }
}

impl Stage {
    /// Waits until the link-local addresses are settled: VLC gives up where one is not.
    fn settle(&self) {
        let all = self.clients.iter().chain([&self.server]);
        for namespace in all {
            peer::wait_until("duplicate address detection", PATIENCE, || {
                namespace.ip_output("-6 address show tentative").is_empty()
            });
        }
    }
}

/// An advertised server with its description, until it is stopped or dropped.
pub(crate) struct Server {
    orders: UnboundedSender<Order>,
    thread: Option<JoinHandle<()>>,
}

enum Order {
    Rung(mpsc::Sender<Rung>),
    Stop,
}

impl Server {
    /// A server that is advertised as soon as this returns.
    pub(crate) fn start(namespace: &Namespace) -> Self {
        Self::start_with(namespace, UUID, SsdpServiceConfig::default())
    }

    pub(crate) fn start_with(namespace: &Namespace, uuid: Uuid, config: SsdpServiceConfig) -> Self {
        let (ready_sender, ready) = mpsc::channel();
        let (orders, receiver) = unbounded_channel();
        let thread = namespace.run(|| {
            // Threads that are started inside stay inside.
            thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.unwrap().block_on(serve(uuid, config, ready_sender, receiver));
            })
        });
        ready.recv_timeout(PATIENCE).unwrap();
        Self { orders, thread: Some(thread) }
    }

    pub(crate) fn rung(&self) -> Rung {
        let (sender, rung) = mpsc::channel();
        self.orders.send(Order::Rung(sender)).ok().unwrap();
        rung.recv_timeout(PATIENCE).unwrap()
    }

    /// Says byebye and waits for the end.
    pub(crate) fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = self.orders.send(Order::Stop);
            thread.join().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.end();
        }
    }
}

/// Serves in the namespace of this process until its standard input ends, or says anything.
pub(crate) fn serve_until_input_ends() {
    let (orders, receiver) = unbounded_channel();
    thread::spawn(move || {
        let _ = std::io::stdin().read_line(&mut String::new());
        let _ = orders.send(Order::Stop);
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ready = mpsc::channel();
    runtime.unwrap().block_on(serve(UUID, SsdpServiceConfig::default(), ready.0, receiver));
}

async fn serve(
    uuid: Uuid,
    service_config: SsdpServiceConfig,
    ready: mpsc::Sender<()>,
    mut orders: UnboundedReceiver<Order>,
) {
    let icon = Bytes::from_static(include_bytes!("icon.png"));
    let description = Description::media_server(uuid, NAME).with_png(48, 48, icon);
    let path = description.path();
    let location = move |_: &Interface, ip: IpAddr| {
        Some(format!("http://{}{path}", SocketAddr::new(ip, 8096)))
    };
    let root = description.root_device(location);
    tokio::spawn(serve_http(Descriptions::new([description])));

    let server = product_line("jellynet-test", "0.1");
    let config = AdvertiserConfig::new(server, boot_id(), seed());
    let advertiser = Advertiser::new(config, vec![root]).unwrap();
    let interfaces = Interfaces::watch().unwrap();
    let (service, _events) = SsdpService::start(advertiser, service_config, interfaces);
    ready.send(()).unwrap();
    while let Some(order) = orders.recv().await {
        match order {
            Order::Rung(answer) => answer.send(service.rung()).unwrap(),
            Order::Stop => break,
        }
    }
    service.stop().await;
}

async fn serve_http(descriptions: Descriptions) {
    let listener = TcpListener::bind("[::]:8096").await.unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let descriptions = descriptions.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let response = descriptions.respond(&request).unwrap_or_else(|| {
                    let mut response = http::Response::new(Bytes::new());
                    *response.status_mut() = http::StatusCode::NOT_FOUND;
                    response
                });
                async { Ok::<_, Infallible>(response.map(Full::new)) }
            });
            let http1 = hyper::server::conn::http1::Builder::new();
            let _ = http1.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
