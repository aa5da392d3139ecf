//! Lists the HDHomeRun tuners on every network of this host, in the words of the vendor's client.
//!
//! ```sh
//! cargo run -p examples --example tuner-discover
//! ```

#![expect(clippy::print_stdout, reason = "the list is what it is for")]

use jellynet_tuner::discover::{SeekConfig, discover};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let devices = discover(SeekConfig::default()).await?;
    if devices.is_empty() {
        println!("no devices found");
    }
    for device in devices {
        for address in &device.addresses {
            println!("hdhomerun device {} found at {}", device.id, address.ip());
        }
        println!("  {} tuners, {}", device.tuner_count, device.api_root().unwrap_or_default());
    }
    Ok(())
}
