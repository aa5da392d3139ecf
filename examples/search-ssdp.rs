//! Lists the media servers of this network, or whatever targets are named, as they come and go:
//! `cargo run -p examples --example search-ssdp -- ssdp:all`.

use std::error::Error;

use jellynet_netif::Interfaces;
use jellynet_ssdp::{Found, Search, SearcherConfig, SearcherEvent, Target, product_line, seed};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut targets =
        std::env::args().skip(1).map(|text| text.parse()).collect::<Result<Vec<Target>, _>>()?;
    if targets.is_empty() {
        targets.push(Target::media_servers());
    }
    let agent = product_line("search-ssdp", "1.0");
    let config = SearcherConfig::new(targets, agent, seed());
    let mut search = Search::start(config, Interfaces::watch()?)?;
    while let Some(event) = search.next().await {
        match event {
            SearcherEvent::Alive(found) => print("alive", &found),
            SearcherEvent::Update(found) => print("update", &found),
            SearcherEvent::ByeBye(found) => print("byebye", &found),
            SearcherEvent::Expired(found) => print("expired", &found),
            _ => {}
        }
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "this is what the example is for")]
fn print(what: &str, found: &Found) {
    println!("{what:8}{}  {}", found.location, found.usn);
}
