//! Gives the channels of a (simulated) UDP-only tuner to the whole house over HTTP: any number of
//! players share one tuner.
//!
//! ```sh
//! cargo run -p examples --example tuner-axum
//! ffplay http://127.0.0.1:8409/tuner/10A5B1C0/v5.1
//! ```

#![expect(clippy::print_stdout, reason = "it says where it listens")]

use std::net::{IpAddr, Ipv4Addr};

use axum::Router;
use jellynet_tuner::discover::Device;
use jellynet_tuner::ports::{PortPolicy, TunerPorts};
use jellynet_tuner::serve::TunerService;
use jellynet_tuner::sim::{SimConfig, Simulator};
use jellynet_tuner::tune::{Tuners, TunersConfig};
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = SimConfig::on_loopback(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let (id, tuner_count) = (config.id, config.tuners);
    let sim = Simulator::start(config).await?;
    let mut device = Device::at(id, sim.address());
    device.tuner_count = tuner_count;

    let mut config = TunersConfig::default();
    config.keepalive_port = sim.stream_port();
    let ports = TunerPorts::new(PortPolicy::in_range(61000..=61015))?;
    let tuners = Tuners::new(ports, config)?;
    tuners.remember(device);

    let app = Router::new().nest_service("/tuner", TunerService::new(tuners));
    let listener = TcpListener::bind("127.0.0.1:8409").await?;
    println!("http://127.0.0.1:8409/tuner/{id}/v5.1");
    axum::serve(listener, app).await?;
    Ok(())
}
