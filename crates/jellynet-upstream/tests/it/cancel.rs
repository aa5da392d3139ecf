//! Ends that go away, at every stage.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;

use crate::stage::{Gateway, read_head, soon, upstream};

/// An upstream that sends `answer` and then waits for its end, of which it tells.
async fn waits(answer: &'static [u8]) -> (Gateway, Arc<Notify>, Arc<Notify>) {
    let (asked, closed) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let shared = (Arc::clone(&asked), Arc::clone(&closed));
    let address = upstream(move |mut stream, _| {
        let (asked, closed) = (Arc::clone(&shared.0), Arc::clone(&shared.1));
        async move {
            read_head(&mut stream).await.unwrap();
            stream.write_all(answer).await.unwrap();
            asked.notify_one();
            let _ = stream.read_to_end(&mut Vec::new()).await;
            closed.notify_one();
        }
    })
    .await;
    (Gateway::to(address).await, asked, closed)
}

#[tokio::test]
async fn a_client_that_goes_away_takes_its_request_with_it() {
    // As much as is read before the upstream is asked, and more to come.
    let upload = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n{}",
        "hello ".repeat(11_000)
    );
    for (what, request, answer) in [
        ("before the answer", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", &b""[..]),
        (
            "within the answer",
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
        ),
        (
            "within an endless answer",
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        ),
        ("within the upload", &*upload, b""),
        (
            "within an upload that is already answered",
            &*upload,
            b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
        ),
    ] {
        let (gateway, asked, closed) = waits(answer).await;
        let mut client = gateway.connect().await;
        client.write_all(request.as_bytes()).await.unwrap();
        soon(asked.notified()).await;
        drop(client);
        soon(closed.notified()).await;
        let counters = gateway.quiet().await;
        assert_eq!(counters.connections, 0, "{what}");
    }
}

#[tokio::test]
async fn a_slow_client_holds_the_upstream_back() {
    let address = upstream(|mut stream, _| async move {
        read_head(&mut stream).await.unwrap();
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n";
        stream.write_all(head).await.unwrap();
        let chunk = vec![0; 1 << 20];
        // The kernel's buffers fill, then nothing moves: this never sends it all.
        while stream.write_all(&chunk).await.is_ok() {}
    })
    .await;
    let gateway = Gateway::to(address).await;
    let mut client = gateway.connect().await;
    let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    client.write_all(request).await.unwrap();
    soon(read_head(&mut client)).await.unwrap();
    let mut some = vec![0; 1 << 20];
    soon(client.read_exact(&mut some)).await.unwrap();
    assert_eq!(gateway.upstream.counters().in_flight, 1);
    drop(client);
    assert_eq!(gateway.quiet().await.connections, 0);
}
