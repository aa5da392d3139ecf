//! An axum application over HTTPS with a certificate file that may be replaced while it runs.
//!
//! `cargo run --example axum-tls -- server.pfx [password]`, then `curl -k https://localhost:8920/`

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use axum::Router;
use axum::extract::Extension;
use axum::routing::get;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use jellynet_tls::{
    IdentityStore, Loader, Password, Source, Timestamp, TlsAcceptor, TlsFacts, TlsOptions,
};
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("name a .pfx, a .pem or a folder")?;
    let password = arguments.next().map_or_else(Password::none, Password::text);

    let store = IdentityStore::new(Loader::new(jellynet_tls::default_provider()));
    let source = Source::new(path).with_password(password);
    store.add("main", source, Timestamp::now())?;
    let watching = store.clone();
    tokio::spawn(watching.watch(IdentityStore::WATCH_INTERVAL, |event| println!("{event}")));

    let app = Router::new().route("/", get(hello));
    let acceptor = TlsAcceptor::new(&store, TlsOptions::default())?;
    let listener = TcpListener::bind("localhost:8920").await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let (acceptor, app) = (acceptor.clone(), app.clone());
        tokio::spawn(async move {
            let stream = match acceptor.accept(stream).await {
                Ok(stream) => stream,
                Err(error) => return println!("{error}"),
            };
            let app = app.layer(Extension(stream.facts().clone()));
            let service = TowerToHyperService::new(app);
            let builder = Builder::new(TokioExecutor::new());
            // A client that hangs up is no news.
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn hello(Extension(facts): Extension<TlsFacts>) -> String {
    format!("hello over {facts}\n")
}
