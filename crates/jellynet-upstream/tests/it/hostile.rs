//! Upstreams that answer what nobody should.

use crate::stage::{Gateway, answering, read_head, status_and_body, upstream};
use tokio::io::AsyncWriteExt;

#[tokio::test]
async fn an_ambiguous_answer_is_refused_whole() {
    for answer in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"[..],
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\r\n folded\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\rY: b\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"\x16\x03\x01\x00\x05\r\n\r\n",
    ] {
        let gateway = Gateway::to(answering(answer, true).await).await;
        let got = gateway.get().await;
        let shown = String::from_utf8_lossy(answer);
        assert_eq!(status_and_body(&got).0, 502, "{shown:?} → {got}");
        assert!(got.contains("cache-control: no-store") && got.contains("x-request-id: "));
        let counters = gateway.quiet().await;
        assert_eq!((counters.connections, counters.failures), (0, 1));
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_never_looks_whole() {
    for answer in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello"[..],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n+5\r\nworld\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhellooo\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n",
    ] {
        let gateway = Gateway::to(answering(answer, true).await).await;
        let got = gateway.get().await;
        let shown = String::from_utf8_lossy(answer);
        // Where the fault came with the head, hyper sends nothing at all.
        let body = got.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        // Neither the declared length nor a last chunk.
        assert!(body.len() < 50 && !body.ends_with("0\r\n\r\n"), "{shown:?} → {got}");
        assert_eq!(gateway.quiet().await.connections, 0);
    }
}

#[tokio::test]
async fn bytes_behind_an_answer_never_become_the_next_answer() {
    let smuggled = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok\
                     HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    let gateway = Gateway::to(answering(smuggled, false).await).await;
    for _ in 0..5 {
        assert_eq!(status_and_body(&gateway.get().await).1, "ok");
    }
    assert_eq!(gateway.quiet().await.connections, 0);
}

#[tokio::test]
async fn interim_answers_without_end_are_one_too_many() {
    let address = upstream(|mut stream, _| async move {
        read_head(&mut stream).await.unwrap();
        let hint = b"HTTP/1.1 103 Early Hints\r\n\r\n";
        while stream.write_all(hint).await.is_ok() {}
    })
    .await;
    let gateway = Gateway::to(address).await;
    assert_eq!(status_and_body(&gateway.get().await).0, 502);
}
