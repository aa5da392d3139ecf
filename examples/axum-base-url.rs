//! An axum application below `/tv`, with `/old` as an earlier base URL.
//!
//! `cargo run --example axum-base-url`, then `curl -iL http://127.0.0.1:8096/old/hello?to=you`.

use axum::extract::Request;
use axum::routing::get;
use axum::{Router, ServiceExt};
use jellynet_base_url::{BaseUrlLayer, DefaultPath, OriginalTarget, Router as Paths};
use tower_layer::Layer;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app =
        Router::new().route("/", get(async || "the start page\n")).route("/hello", get(hello));

    let paths = Paths::new("/tv".parse()?)
        .with_previous(["/old".parse()?])
        .with_default_path(DefaultPath::none());
    // Around the whole router: what `Router::layer` adds runs only after a path has matched.
    let app = BaseUrlLayer::new(paths).layer(app);

    let listener = tokio::net::TcpListener::bind("127.0.0.1:8096").await?;
    axum::serve(listener, ServiceExt::<Request>::into_make_service(app)).await?;
    Ok(())
}

async fn hello(request: Request) -> String {
    let original = OriginalTarget::of(&request);
    format!("you asked {original}, this is {}\n", request.uri())
}
