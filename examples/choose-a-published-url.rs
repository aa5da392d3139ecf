//! Shows which URL of this host each peer is told, and why.
//!
//! ```text
//! cargo run -p examples --example choose-a-published-url -- 192.168.1.50 203.0.113.9 \
//!     external=https://media.example
//! ```
//!
//! Addresses are peers; everything else is a published URL in Jellyfin's syntax. Without a peer it
//! asks for this host itself and for a stranger.

#![expect(clippy::print_stderr, clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::net::IpAddr;
use std::process::ExitCode;

use jellynet_published::{Ask, Listener, Published, PublishedConfig};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut config = PublishedConfig::default();
    let mut peers: Vec<IpAddr> = Vec::new();
    for argument in std::env::args().skip(1) {
        match argument.parse() {
            Ok(peer) => peers.push(peer),
            Err(_) => config.overrides.push(argument),
        }
    }
    if peers.is_empty() {
        peers = vec!["127.0.0.1".parse()?, "203.0.113.9".parse()?];
    }

    // All bad entries at once, each with the text that was probably meant.
    let published = match Published::new(config) {
        Ok(published) => published,
        Err(error) => {
            eprintln!("published URLs: {error}");
            return Ok(ExitCode::FAILURE);
        }
    };
    let interfaces = jellynet_netif::interfaces()?;
    let listeners = [Listener::http("0.0.0.0:8096".parse()?), Listener::http("[::]:8096".parse()?)];
    for peer in peers {
        let explanation = published.explain(&Ask::new(peer), &interfaces, &listeners);
        match explanation.announced() {
            Some(announced) => println!("{peer} is told {}", announced.url),
            None => println!("{peer} is told nothing: every URL would be wrong"),
        }
        println!("{explanation}\n");
    }
    Ok(ExitCode::SUCCESS)
}
