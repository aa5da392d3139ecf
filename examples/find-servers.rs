//! Finds the Jellyfin servers on every network of this host.
//!
//! ```text
//! cargo run --example find-servers
//! ```

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use jellynet_discovery::{SeekEvent, SeekerConfig, seek};
use jellynet_netif::Interfaces;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut search = seek(SeekerConfig::default(), Interfaces::watch()?);

    // One server may be reached by several ways; each is told as it is found.
    while let Some(event) = search.next().await {
        if let SeekEvent::Found(found) | SeekEvent::Also(found) = event {
            println!("{}  {}  {}", found.answer.address, found.answer.name, found.from.ip());
        }
    }

    let servers = search.servers();
    println!("{} found", servers.len());
    for server in servers {
        println!("  {} ({}), {} ways", server.name, server.id, server.ways.len());
    }
    Ok(())
}
