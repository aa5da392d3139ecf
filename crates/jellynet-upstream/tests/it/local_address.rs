//! `LocalAddress` in the public system information.

use jellynet_upstream::Upstream;

use crate::stage::{Gateway, answering, config, status_and_body};

async fn asked(answer: &'static [u8], path: &str) -> String {
    let address = answering(answer, true).await;
    let upstream = Upstream::with_published(config(address), |request| {
        let host = request.headers.get("host")?.to_str().ok()?;
        Some(format!("http://{host}/\"tv\""))
    });
    let gateway = Gateway::with(upstream).await;
    let request = format!("GET {path} HTTP/1.1\r\nHost: tv.lan\r\nConnection: close\r\n\r\n");
    gateway.ask(&request).await
}

#[tokio::test]
async fn it_alone_is_replaced() {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n\
                   Content-Length: 50\r\n\r\n{ \"Id\": \"1\", \"LocalAddress\":\"http://a\",\"X\":[1, 2]}";
    for path in ["/System/Info/Public", "/system/info/public/", "/tv/SYSTEM/Info/Public?x"] {
        let got = asked(answer, path).await;
        let body = r#"{ "Id": "1", "LocalAddress":"http://tv.lan/\"tv\"","X":[1, 2]}"#;
        assert_eq!(status_and_body(&got).1, body);
        assert!(got.contains(&format!("content-length: {}\r\n", body.len())));
    }
    let got = asked(answer, "/System/Info").await;
    assert!(got.ends_with(r#""LocalAddress":"http://a","X":[1, 2]}"#), "{got}");
}

#[tokio::test]
async fn what_is_no_identity_passes_byte_for_byte() {
    for (answer, body) in [
        (
            &b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 20\r\n\r\n{\"LocalAddress\":\"a\"}"[..],
            r#"{"LocalAddress":"a"}"#,
        ),
        (
            b"HTTP/1.1 503 Busy\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{\"LocalAddress\":\"a\"}",
            r#"{"LocalAddress":"a"}"#,
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{\"Id\":\"1\"",
            r#"{"Id":"1""#,
        ),
    ] {
        let got = asked(answer, "/System/Info/Public").await;
        assert_eq!(status_and_body(&got).1, body);
    }
}
