//! A kept connection that turns out to be dead.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use jellynet_upstream::State;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Barrier;

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

#[tokio::test]
async fn several_dead_connections_cost_no_request() {
    for method in ["GET", "PUT"] {
        // Two connections are kept; then the server ends without a word, and another comes.
        let (address, ends) = restarts(2).await;
        let gateway = Gateway::to(address).await;
        let (one, two) = tokio::join!(gateway.get(), gateway.get());
        assert_eq!((status_and_body(&one).0, status_and_body(&two).0), (200, 200));
        assert_eq!(gateway.quiet().await.idle, 2);
        ends.store(true, Ordering::Relaxed);
        let request = format!(
            "{method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        );
        assert_eq!(status_and_body(&gateway.ask(&request).await).0, 200, "{method}");
        assert_eq!(gateway.quiet().await.retries, 1);
        // The second of them is gone: what must not go out twice does not meet it.
        let request =
            "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(status_and_body(&gateway.ask(request).await).0, 200);
        assert_eq!(gateway.quiet().await.failures, 0);
    }
}

/// An upstream whose first connections wait for each other before they answer, and end at their
/// next request once that is told.
async fn restarts(first: usize) -> (SocketAddr, Arc<AtomicBool>) {
    let ends = Arc::new(AtomicBool::new(false));
    let (told, together) = (Arc::clone(&ends), Arc::new(Barrier::new(first)));
    let address = upstream(move |mut stream: TcpStream, number| {
        let (told, together) = (Arc::clone(&told), Arc::clone(&together));
        async move {
            for answered in 0.. {
                if read_head(&mut stream).await.is_none() {
                    return;
                }
                if number < first && told.load(Ordering::Relaxed) {
                    return;
                }
                if number < first && answered == 0 {
                    together.wait().await;
                }
                stream.write_all(OK).await.unwrap();
            }
        }
    });
    (address.await, ends)
}

#[tokio::test]
async fn a_request_in_the_queue_of_a_server_that_ends_is_told_that_nobody_is_there() {
    for (method, status) in [("GET", 503), ("POST", 502)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gateway = Gateway::to(listener.local_addr().unwrap()).await;
        let request = format!(
            "{method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        );
        let asked = gateway.ask(&request);
        let ended = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_head(&mut stream).await.unwrap();
            // Nobody takes the next connection.
            drop(listener);
        };
        let (got, ()) = tokio::join!(asked, ended);
        assert_eq!(status_and_body(&got).0, status, "{method}: {got}");
        assert_eq!(got.contains("\r\nretry-after: 5\r\n"), status == 503, "{got}");
        let down = gateway.upstream.status().current().state == State::Down;
        assert_eq!(down, status == 503, "{method}");
        assert_eq!(gateway.quiet().await.connections, 0);
    }
}
