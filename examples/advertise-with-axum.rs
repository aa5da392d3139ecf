//! An axum server that appears under "Network" in VLC and on televisions, on every interface with
//! the address it has there. Ctrl-C says goodbye.

use std::error::Error;
use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use jellynet_netif::Interfaces;
use jellynet_ssdp::description::{DescribeLayer, Description, Descriptions};
use jellynet_ssdp::{
    Advertiser, AdvertiserConfig, RootDevice, SsdpService, SsdpServiceConfig, boot_id,
    product_line, seed,
};
use tokio::net::TcpListener;

const PORT: u16 = 8096;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // The same at each start: it is how control points know the server again.
    let uuid = "2fac123431f811b4a22208002b34c003".parse()?;
    let description = Description::media_server(uuid, "Living room");

    // Where the description is depends on who asks: each network gets this host's address there.
    let path = description.path();
    let root = RootDevice::new(description.device(), move |_, address| {
        Some(format!("http://{}{path}", SocketAddr::new(address, PORT)))
    });
    let config = AdvertiserConfig::new(product_line("example", "1.0"), boot_id(), seed());
    let advertiser = Advertiser::new(config, vec![root])?;
    let (service, mut events) =
        SsdpService::start(advertiser, SsdpServiceConfig::default(), Interfaces::watch()?);
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            report(&format!("{event:?}"));
        }
    });

    let describe = DescribeLayer::new(Descriptions::new([description]));
    let app = Router::new().route("/", get(|| async { "hello" })).layer(describe);
    let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
    tokio::select! {
        served = axum::serve(listener, app) => served?,
        _ = tokio::signal::ctrl_c() => {}
    }
    // Without this, televisions would show the server for another half hour.
    service.stop().await;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "this is what the example is for")]
fn report(event: &str) {
    println!("{event}");
}
