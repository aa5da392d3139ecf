//! Upgrades.

use std::time::Duration;

use jellynet_upstream::Upstream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::stage::{Gateway, config, read_head, read_to_end, soon, status_and_body, upstream};

const REQUEST: &[u8] = b"GET /socket HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\n\
                         Upgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n";

/// An upstream that switches and echoes, in the first breath already.
async fn echoes() -> std::net::SocketAddr {
    upstream(|mut stream, _| async move {
        let head = read_head(&mut stream).await.unwrap();
        assert!(head.contains("connection: upgrade\r\nupgrade: websocket\r\n"), "{head}");
        assert!(head.contains("sec-websocket-key: x\r\n"));
        let answer = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
                       Upgrade: websocket\r\nSec-WebSocket-Accept: y\r\n\r\nearly";
        stream.write_all(answer).await.unwrap();
        let (mut read, mut write) = stream.split();
        tokio::io::copy(&mut read, &mut write).await.unwrap();
        write.write_all(b"bye").await.unwrap();
        write.shutdown().await.unwrap();
    })
    .await
}

#[tokio::test]
async fn bytes_pass_both_ways_and_each_end_may_stop_first() {
    let gateway = Gateway::to(echoes().await).await;
    let mut client = gateway.connect().await;
    client.write_all(REQUEST).await.unwrap();
    let head = soon(read_head(&mut client)).await.unwrap();
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    assert!(head.contains("upgrade: websocket\r\n") && head.contains("sec-websocket-accept: y"));
    let mut early = [0; 5];
    soon(client.read_exact(&mut early)).await.unwrap();
    assert_eq!(&early, b"early");

    let message = vec![b'x'; 1 << 20];
    let (mut read, mut write) = client.split();
    let mut echo = vec![0; message.len()];
    let (written, read_back) =
        soon(async { tokio::join!(write.write_all(&message), read.read_exact(&mut echo)) }).await;
    written.unwrap();
    read_back.unwrap();
    assert_eq!(echo, message);
    assert_eq!(gateway.upstream.counters().tunnels, 1);

    write.shutdown().await.unwrap();
    let mut rest = String::new();
    soon(read.read_to_string(&mut rest)).await.unwrap();
    assert_eq!(rest, "bye");
    assert_eq!(gateway.quiet().await.connections, 0);
}

#[tokio::test]
async fn a_broken_end_ends_the_other() {
    let gateway = Gateway::to(echoes().await).await;
    let mut client = gateway.connect().await;
    client.write_all(REQUEST).await.unwrap();
    soon(read_head(&mut client)).await.unwrap();
    drop(client);
    assert_eq!(gateway.quiet().await.connections, 0);
}

#[tokio::test]
async fn silence_ends_a_tunnel() {
    let mut settings = config(echoes().await);
    settings.tunnel_timeout = Duration::from_millis(100);
    let gateway = Gateway::with(Upstream::new(settings)).await;
    let mut client = gateway.connect().await;
    client.write_all(REQUEST).await.unwrap();
    assert!(read_to_end(&mut client).await.ends_with("early"));
    assert_eq!(gateway.quiet().await.connections, 0);
}

#[tokio::test]
async fn an_upgrade_that_is_refused_is_an_ordinary_answer() {
    let address = crate::stage::answering(
        b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\nno",
        false,
    )
    .await;
    let gateway = Gateway::to(address).await;
    let mut client = gateway.connect().await;
    let twice = [REQUEST, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"].concat();
    client.write_all(&twice).await.unwrap();
    let got = read_to_end(&mut client).await;
    assert_eq!(got.matches("HTTP/1.1 426").count(), 2, "{got}");
    assert_eq!(status_and_body(&got).0, 426);
    assert_eq!(gateway.quiet().await.idle, 1);
}
