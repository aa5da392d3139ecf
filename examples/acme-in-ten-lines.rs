//! A certificate from Let's Encrypt's staging directory, over port 443 alone.
//!
//! `cargo run --example acme-in-ten-lines -- tv.example.org`

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use jellynet_tls::{
    AcmeConfig, AcmeManager, IdentityStore, Loader, TlsAcceptor, TlsOptions, default_provider,
};
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let store = IdentityStore::new(Loader::new(default_provider()));
    let config = AcmeConfig::new("acme", std::env::args().skip(1));
    let manager = AcmeManager::new(config, &store)?;
    tokio::spawn(manager.run(|event| println!("{event}")));

    let acceptor = TlsAcceptor::new(&store, TlsOptions::default())?;
    let listener = TcpListener::bind("[::]:443").await?;
    loop {
        let (stream, peer) = listener.accept().await?;
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            match acceptor.accept(stream).await {
                Ok(stream) => println!("{peer}: {}", stream.facts()),
                Err(error) => println!("{peer}: {error}"),
            }
        });
    }
}
