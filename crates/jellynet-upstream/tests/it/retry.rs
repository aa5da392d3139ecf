//! A kept connection that turns out to be dead.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::stage::{Gateway, read_head, read_to_end, status_and_body, upstream};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// An upstream whose first connection answers once, then takes a request and closes.
async fn dies_once(heads: &Arc<AtomicUsize>) -> Gateway {
    let heads = Arc::clone(heads);
    let address = upstream(move |mut stream: TcpStream, number| {
        let heads = Arc::clone(&heads);
        async move {
            for answered in 0.. {
                if read_head(&mut stream).await.is_none() {
                    return;
                }
                heads.fetch_add(1, Ordering::Relaxed);
                if number == 0 && answered == 1 {
                    return;
                }
                stream.write_all(OK).await.unwrap();
            }
        }
    })
    .await;
    Gateway::to(address).await
}

#[tokio::test]
async fn a_harmless_request_goes_out_again() {
    for method in ["GET", "HEAD", "DELETE"] {
        let heads = Arc::default();
        let gateway = dies_once(&heads).await;
        assert_eq!(status_and_body(&gateway.get().await).1, "ok");
        let request = format!("{method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let got = gateway.ask(&request).await;
        assert_eq!(status_and_body(&got).0, 200, "{method}");
        assert_eq!(gateway.quiet().await.retries, 1);
        assert_eq!(heads.load(Ordering::Relaxed), 3);
    }
}

#[tokio::test]
async fn a_request_that_may_have_had_an_effect_does_not() {
    for request in [
        "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        "PUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi",
    ] {
        let heads = Arc::default();
        let gateway = dies_once(&heads).await;
        assert_eq!(status_and_body(&gateway.get().await).1, "ok");
        let got = gateway.ask(request).await;
        assert_eq!(status_and_body(&got).0, 502, "{request}");
        assert_eq!(gateway.quiet().await.retries, 0);
        assert_eq!(heads.load(Ordering::Relaxed), 2);
    }
}

#[tokio::test]
async fn a_connection_that_the_upstream_closed_meanwhile_is_not_used() {
    let address = upstream(|mut stream, _| async move {
        read_head(&mut stream).await;
        stream.write_all(OK).await.unwrap();
    })
    .await;
    let gateway = Gateway::to(address).await;
    for _ in 0..20 {
        let mut client = gateway.connect().await;
        let request =
            "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi";
        client.write_all(request.as_bytes()).await.unwrap();
        let got = read_to_end(&mut client).await;
        assert_eq!(status_and_body(&got).0, 200);
        let _: TcpStream = gateway.connect().await;
    }
}
