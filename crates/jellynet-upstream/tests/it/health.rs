//! Up, starting, down, and who it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jellynet_upstream::{ProbeConfig, State, Upstream};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::stage::{config, read_head, soon};

const IDENTITY: &str = r#"{"LocalAddress":"http://10.0.0.2:8096","ServerName":"media","Version":"12.0.0","ProductName":"Jellyfin Server","OperatingSystem":"","Id":"0123456789abcdef0123456789abcdef","StartupWizardCompleted":true}"#;

/// Answers with an identity, in camelCase while `starting`.
async fn serve(listener: TcpListener, starting: Arc<AtomicBool>) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let starting = Arc::clone(&starting);
        tokio::spawn(async move {
            while let Some(head) = read_head(&mut stream).await {
                assert!(head.starts_with("GET /System/Info/Public HTTP/1.1\r\n"));
                let body = if starting.load(Ordering::Relaxed) {
                    IDENTITY.replace("\"Id\"", "\"id\"")
                } else {
                    IDENTITY.to_owned()
                };
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                );
                if stream.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
            }
        });
    }
}

fn quick() -> ProbeConfig {
    let mut config = ProbeConfig::default();
    config.interval = Duration::from_millis(20);
    config.retry = Duration::from_millis(20);
    config
}

#[tokio::test]
async fn the_status_follows_the_upstream_and_the_identity_outlives_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let upstream = Upstream::new(config(address));
    let mut status = upstream.status();
    let probed = upstream.clone();
    let probe = tokio::spawn(async move { probed.probe(quick()).await });
    let down = soon(status.reached(State::Down)).await.unwrap();
    assert!(down.reason.unwrap().contains("onnection refused"));
    assert!(down.identity.is_none());

    let listener = TcpListener::bind(address).await.unwrap();
    let starting = Arc::new(AtomicBool::new(true));
    let server = tokio::spawn(serve(listener, Arc::clone(&starting)));
    let early = soon(async {
        loop {
            let status = status.changed().await.unwrap();
            if status.identity.is_some() {
                break status;
            }
        }
    });
    let early = early.await;
    assert_eq!(early.state, State::Starting);
    assert_eq!(early.identity.unwrap().server_name, "media");
    starting.store(false, Ordering::Relaxed);
    let up = soon(status.reached(State::Up)).await.unwrap();
    let identity = up.identity.unwrap();
    assert_eq!(identity.id, "0123456789abcdef0123456789abcdef");
    assert_eq!(identity.version, "12.0.0");
    assert_eq!(identity.product_name, "Jellyfin Server");

    server.abort();
    let _ = server.await;
    upstream.close_idle();
    let down = soon(status.reached(State::Down)).await.unwrap();
    assert_eq!(down.identity.unwrap().server_name, "media");
    probe.abort();
}
