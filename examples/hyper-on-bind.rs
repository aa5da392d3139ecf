//! `jellynet-bind` without a framework: one function answers, and whoever likes an accept loop of
//! their own takes the bare sockets.
//!
//! `cargo run --example hyper-on-bind`, and `cargo run --example hyper-on-bind -- bare`

#![expect(clippy::print_stdout, reason = "it says where it listens")]

use std::convert::Infallible;
use std::error::Error;
use std::io::Write;

use http::{Request, Response};
use hyper::body::Incoming;
use jellynet_bind::{Bind, Bound, HttpServer, Listeners, ServeOptions, StdListener};
use jellynet_netif::{Interfaces, PeerAddr};
use tower::service_fn;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let interfaces = Interfaces::watch()?;
    let bound = Bind::new().listen("http", "localhost:8096".parse()?).bind(&interfaces.current());
    for outcome in bound.outcomes() {
        println!("{outcome}");
    }
    if std::env::args().nth(1).as_deref() == Some("bare") {
        return bare(bound);
    }

    let mut listeners = Listeners::new(bound, interfaces);
    let server = HttpServer::new(ServeOptions::default());
    while let Some(connection) = listeners.accept().await {
        tokio::spawn(server.serve(connection, service_fn(hello)));
    }
    Ok(())
}

async fn hello(request: Request<Incoming>) -> Result<Response<String>, Infallible> {
    let peer = request.extensions().get::<PeerAddr>();
    let peer = peer.map_or_else(|| "somebody".to_owned(), ToString::to_string);
    Ok(Response::new(format!("hello, {peer}\n")))
}

/// Greets one connection on the first socket, with the standard library alone.
fn bare(bound: Bound) -> Result<(), Box<dyn Error>> {
    for socket in bound.into_sockets() {
        if let StdListener::Tcp(listener) = socket.listener {
            listener.set_nonblocking(false)?;
            let (mut stream, peer) = listener.accept()?;
            writeln!(stream, "hello, {peer}, on {}", socket.addr)?;
            return Ok(());
        }
    }
    Ok(())
}
