//! Tunes a channel, writes it to a file and tells what was lost where, until Ctrl-C.
//!
//! ```sh
//! cargo run -p examples --example tuner-capture -- 10.0.0.5 v5.1 out.ts
//! ```

#![expect(clippy::print_stderr, reason = "the account is what it is for")]

use std::net::IpAddr;

use jellynet_tuner::discover::{SeekConfig, Target, discover};
use jellynet_tuner::ports::{PortPolicy, TunerPorts};
use jellynet_tuner::tune::{OpenError, TuneRequest, Tuners, TunersConfig};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [host, channel, path] = arguments.as_slice() else {
        return Err("usage: tuner-capture ADDRESS CHANNEL FILE".into());
    };
    let host: IpAddr = host.parse()?;
    let found = discover(SeekConfig::new(Target::Host(host))).await?;
    let device = found.first().ok_or("no tuner answers at this address")?;

    let ports = TunerPorts::new(PortPolicy::default())?;
    let tuners = Tuners::new(ports, TunersConfig::default())?;
    let request = TuneRequest::new(channel.parse()?);
    let mut stream = match tuners.open(device, &request).await {
        Ok(stream) => stream,
        Err(OpenError::DataBlocked(blocked)) => {
            eprintln!("{blocked}");
            for advice in blocked.advice() {
                eprintln!("  {}: {}", advice.when, advice.command);
            }
            return Err("the stream does not arrive".into());
        }
        Err(error) => return Err(error.into()),
    };
    let info = stream.info();
    eprintln!("tuner {} sends {} to {}", info.tuner, info.transport, info.target);

    let mut file = File::create(path).await?;
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => break,
            batch = stream.next() => match batch {
                Some(batch) => file.write_all(&batch?.data).await?,
                None => break,
            },
        }
    }
    file.flush().await?;
    let stats = stream.close().await;
    eprintln!(
        "{} packets; lost in the network {}, in this host {}; damaged {}; discontinuities {}",
        stats.packets,
        stats.network_lost(),
        stats.kernel_dropped.unwrap_or_default(),
        stats.transport_errors,
        stats.continuity_errors,
    );
    Ok(())
}
