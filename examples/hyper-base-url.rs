//! Plain hyper below `/tv`: the same layer, no framework.
//!
//! `cargo run --example hyper-base-url`, then `curl -iL http://127.0.0.1:8096/`.

use std::convert::Infallible;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use jellynet_base_url::{BaseUrlLayer, Router};
use tower_layer::Layer;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = tower::service_fn(|request: Request<Incoming>| async move {
        let text = format!("inner path: {}\n", request.uri());
        Ok::<_, Infallible>(Response::new(text))
    });
    let app = BaseUrlLayer::new(Router::new("/tv".parse()?)).layer(app);

    let listener = tokio::net::TcpListener::bind("127.0.0.1:8096").await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let service = TowerToHyperService::new(app.clone());
        tokio::spawn(
            hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service),
        );
    }
}
