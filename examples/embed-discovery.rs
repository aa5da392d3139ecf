//! Makes any server that speaks Jellyfin's API findable by Jellyfin's clients.
//!
//! ```text
//! cargo run --example embed-discovery
//! printf 'who is JellyfinServer?' | socat -t1 - UDP4-DATAGRAM:255.255.255.255:7359,broadcast
//! ```

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::path::Path;

use jellynet_discovery::{
    DiscoveryEvent, DiscoveryService, Identity, Responder, ResponderConfig, ServerId,
};
use jellynet_netif::Interfaces;

/// Where the server's API listens.
const HTTP_PORT: u16 = 8096;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // The id stays the same for ever: clients know a server by it.
    let id = ServerId::load_or_create(Path::new("target/server-id"))?;

    // Each client is told the address of this host on the client's own network.
    let identity = Identity::new(id, "My server", |asker| Some(asker.http(HTTP_PORT)));
    let responder = Responder::new(ResponderConfig::default()).with_identity(identity);

    let mut service = DiscoveryService::spawn(responder, Interfaces::watch()?);
    for failure in service.status().failures() {
        println!("not yet: {failure}");
    }
    service.look_for_conflicts();
    println!("answering as {id}");

    while let Some(event) = service.next().await {
        match event {
            DiscoveryEvent::Conflict(found) => {
                println!("another server has our id: {} at {}", found.answer.name, found.from);
            }
            event => println!("{event:?}"),
        }
    }
    Ok(())
}
