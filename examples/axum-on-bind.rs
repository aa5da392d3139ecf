//! An axum application on `jellynet-bind`: living sockets, deadlines, a drain.
//!
//! `cargo run --example axum-on-bind -- '*:8096' eth0:8097 'unix:/tmp/x.sock?mode=0660'`

#![expect(clippy::print_stdout, reason = "it says where it listens")]

use std::error::Error;
use std::time::Duration;

use axum::Router;
use axum::extract::Extension;
use axum::routing::get;
use jellynet_bind::{Bind, HttpServer, Listen, Listeners, ServeOptions};
use jellynet_netif::{Interfaces, PeerAddr};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut texts: Vec<String> = std::env::args().skip(1).collect();
    if texts.is_empty() {
        texts.push("localhost:8096".to_owned());
    }
    let listens = Listen::parse_list(texts)?;

    // Everything that can be opened is open before anything serves.
    let interfaces = Interfaces::watch()?;
    let bound = Bind::new().listen_all("http", listens).bind(&interfaces.current());
    for outcome in bound.outcomes() {
        println!("{outcome}");
    }
    let mut listeners = Listeners::new(bound, interfaces);
    let handle = listeners.handle();

    let mut events = handle.events();
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            println!("{event}");
        }
    });
    tokio::spawn(async move {
        let app = Router::new().route("/", get(hello));
        let server = HttpServer::new(ServeOptions::default());
        while let Some(connection) = listeners.accept().await {
            tokio::spawn(server.serve(connection, app.clone()));
        }
    });

    tokio::signal::ctrl_c().await?;
    println!("{}", handle.drain(Duration::from_secs(10)).await);
    Ok(())
}

async fn hello(Extension(peer): Extension<PeerAddr>) -> String {
    format!("hello, {peer}\n")
}
