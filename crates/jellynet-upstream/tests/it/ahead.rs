//! Uploads that have to begin before the upstream is asked.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::stage::{Gateway, read_head, read_to_end, soon, status_and_body, upstream};

/// How much of a long upload has to be there.
const AHEAD: usize = 64 * 1024;

/// An upstream that tells how many bytes of a body it was promised, once it has got `before` of
/// them and the rest.
async fn counting(before: usize) -> SocketAddr {
    upstream(move |mut stream, _| async move {
        while let Some(head) = read_head(&mut stream).await {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.map_or(0, |length| length.parse().unwrap());
            let mut body = vec![0; length.min(before)];
            stream.read_exact(&mut body).await.unwrap();
            if length > before {
                stream.write_all(b"HTTP/1.1 103 Early Hints\r\n\r\n").await.unwrap();
                stream.read_exact(&mut vec![0; length - before]).await.unwrap();
            }
            let told = length.to_string();
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{told}", told.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    })
    .await
}

async fn uploading(gateway: &Gateway, length: usize, sent: usize) -> TcpStream {
    let mut client = gateway.connect().await;
    let head = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    client.write_all(head.as_bytes()).await.unwrap();
    client.write_all(&vec![b'x'; sent]).await.unwrap();
    client
}

/// Waits until so many requests are open, and others were served after that.
async fn open(gateway: &Gateway, requests: usize) {
    soon(async {
        while gateway.upstream.counters().in_flight < requests {
            tokio::task::yield_now().await;
        }
    })
    .await;
    for _ in 0..3 {
        assert_eq!(status_and_body(&gateway.get().await), (200, "0"));
    }
}

#[tokio::test]
async fn who_drips_holds_no_connection_to_the_upstream() {
    let gateway = Gateway::to(counting(AHEAD).await).await;
    for (length, sent) in [(8192, 8191), (AHEAD, AHEAD - 1), (1 << 40, AHEAD - 1)] {
        let mut dripping = Vec::new();
        for _ in 0..20 {
            dripping.push(uploading(&gateway, length, sent).await);
        }
        open(&gateway, 20).await;
        let counters = gateway.upstream.counters();
        assert_eq!((counters.connections, counters.idle), (1, 1), "{length}");
        if length <= AHEAD {
            let mut last = dripping.pop().unwrap();
            last.write_all(b"x").await.unwrap();
            let told = read_to_end(&mut last).await;
            assert_eq!(status_and_body(&told), (200, &*length.to_string()));
        }
        drop(dripping);
        let counters = gateway.quiet().await;
        assert_eq!((counters.connections, counters.failures), (1, counters.failures));
    }
}

#[tokio::test]
async fn a_long_upload_goes_on_when_it_has_begun() {
    let gateway = Gateway::to(counting(AHEAD).await).await;
    let length = AHEAD + 5;
    let mut client = uploading(&gateway, length, AHEAD - 1).await;
    open(&gateway, 1).await;
    assert_eq!(gateway.upstream.counters().idle, 1);
    client.write_all(b"x").await.unwrap();
    soon(async {
        while gateway.upstream.counters().idle != 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    client.write_all(b"xxxxx").await.unwrap();
    assert_eq!(status_and_body(&read_to_end(&mut client).await), (200, &*length.to_string()));
    assert_eq!(gateway.quiet().await.failures, 0);
}

#[tokio::test]
async fn a_conversation_may_be_begun_by_either_side() {
    let address = upstream(|mut stream, _| async move {
        read_head(&mut stream).await.unwrap();
        let begin = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n";
        stream.write_all(begin).await.unwrap();
        let mut chunk = [0; 10];
        stream.read_exact(&mut chunk).await.unwrap();
        assert_eq!(&chunk, b"5\r\nhello\r\n");
        stream.write_all(b"3\r\nbye\r\n0\r\n\r\n").await.unwrap();
        stream.read_exact(&mut [0; 5]).await.unwrap();
    })
    .await;
    let gateway = Gateway::to(address).await;
    for client_begins in [true, false] {
        let mut client = gateway.connect().await;
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        client.write_all(head.as_bytes()).await.unwrap();
        let chunk = b"5\r\nhello\r\n";
        if client_begins {
            client.write_all(chunk).await.unwrap();
        }
        let head = soon(read_head(&mut client)).await.unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        let mut told = [0; 7];
        soon(client.read_exact(&mut told)).await.unwrap();
        assert_eq!(&told, b"2\r\nhi\r\n");
        if !client_begins {
            client.write_all(chunk).await.unwrap();
        }
        let mut told = [0; 8];
        soon(client.read_exact(&mut told)).await.unwrap();
        assert_eq!(&told, b"3\r\nbye\r\n");
        client.write_all(b"0\r\n\r\n").await.unwrap();
        let mut told = [0; 5];
        soon(client.read_exact(&mut told)).await.unwrap();
        assert_eq!(&told, b"0\r\n\r\n");
        drop(client);
        gateway.quiet().await;
    }
}

#[tokio::test]
async fn pieces_that_came_one_by_one_arrive_whole_and_with_their_trailers() {
    let address = upstream(|mut stream, _| async move {
        read_head(&mut stream).await.unwrap();
        let mut body = Vec::new();
        while !body.ends_with(b"\r\n\r\n") {
            body.push(stream.read_u8().await.unwrap());
        }
        let length = body.len();
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.write_all(&body).await.unwrap();
    })
    .await;
    let gateway = Gateway::to(address).await;
    let got = gateway
        .ask(
            "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTrailer: x-sum\r\n\
             Transfer-Encoding: chunked\r\n\r\n0\r\nx-sum: 0\r\n\r\n",
        )
        .await;
    assert_eq!(status_and_body(&got), (200, "0\r\nx-sum: 0\r\n\r\n"));
    gateway.quiet().await;
}

#[tokio::test]
async fn a_short_upload_that_breaks_off_never_reaches_the_upstream() {
    let gateway = Gateway::to(counting(AHEAD).await).await;
    let mut client = uploading(&gateway, 5, 4).await;
    client.shutdown().await.unwrap();
    let got = read_to_end(&mut client).await;
    assert!(got.is_empty() || status_and_body(&got).0 == 400, "{got}");
    let counters = gateway.quiet().await;
    assert_eq!((counters.connections, counters.idle), (0, 0));
}
