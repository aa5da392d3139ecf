//! Plain hyper over HTTPS with a certificate that this host makes itself.
//!
//! `cargo run --example hyper-tls -- nas.local`, then `curl -k https://localhost:8920/`

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::convert::Infallible;
use std::error::Error;
use std::path::Path;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use jellynet_tls::{
    IdentityStore, Loader, LocalCertificate, Source, Timestamp, TlsAcceptor, TlsOptions,
};
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = Path::new("self-signed.pem");
    let loader = Loader::new(jellynet_tls::default_provider());
    let now = Timestamp::now();
    let wanted = LocalCertificate::new(std::env::args().skip(1));
    if let Some(reason) = wanted.ensure(path, None, &loader, now)?.made {
        println!("made {}: {reason}", path.display());
    }

    let store = IdentityStore::new(loader);
    store.add("main", Source::new(path), now)?;
    let acceptor = TlsAcceptor::new(&store, TlsOptions::default())?;
    let listener = TcpListener::bind("localhost:8920").await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let facts = stream.facts().clone();
            let service = service_fn(move |_: Request<Incoming>| {
                let text = format!("hello over {facts}\n");
                async move { Ok::<_, Infallible>(Response::new(text)) }
            });
            let builder = Builder::new(TokioExecutor::new());
            // A client that hangs up is no news.
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
