//! Reading the PROXY protocol from a stream.

use std::sync::Arc;
use std::time::Duration;

use jellynet_forwarded::KnownProxies;
use jellynet_forwarded::proxy_protocol::{AcceptError, ParseError, PreamblePolicy, Source, accept};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use crate::request::peer;

const DEADLINE: Duration = Duration::from_secs(5);
const LINE: &[u8] = b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n";

fn required() -> PreamblePolicy {
    let known = KnownProxies::parse(["10.0.0.2"]).unwrap();
    PreamblePolicy::Required(Arc::new(known.to_set()))
}

fn refusal<T>(result: Result<T, AcceptError>) -> AcceptError {
    result.err().expect("it should be refused")
}

#[tokio::test]
async fn the_client_is_known_and_its_bytes_are_whole() {
    for second in [&b""[..], LINE] {
        let (mut client, server) = duplex(64);
        let sent = [LINE, second, b"GET / HTTP/1.1\r\n"].concat();
        let writer = tokio::spawn(async move {
            client.write_all(&sent).await.unwrap();
            let mut answer = Vec::new();
            client.shutdown().await.unwrap();
            client.read_to_end(&mut answer).await.unwrap();
            answer
        });
        let (preamble, mut stream) =
            accept(server, peer("10.0.0.2:1"), &required(), DEADLINE).await.unwrap();
        let preamble = preamble.unwrap();
        let client = preamble.client().client.unwrap();
        assert_eq!(client.to_string(), "192.0.2.1:56324");
        let mut data = Vec::new();
        stream.read_to_end(&mut data).await.unwrap();
        assert_eq!(data, [second, b"GET / HTTP/1.1\r\n"].concat(), "a second header is data");
        stream.write_all(b"200").await.unwrap();
        drop(stream);
        assert_eq!(writer.await.unwrap(), b"200");
    }
}

#[tokio::test]
async fn one_byte_at_a_time_is_enough() {
    let v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\x12\x34\x01\xbb";
    for header in [LINE, v2] {
        let (mut client, server) = duplex(1);
        let sent = [header, b"data"].concat();
        let writer = tokio::spawn(async move { client.write_all(&sent).await });
        let (preamble, mut stream) =
            accept(server, peer("10.0.0.2:1"), &required(), DEADLINE).await.unwrap();
        assert!(matches!(preamble.unwrap().source, Source::Client { .. }));
        let mut data = String::new();
        stream.read_to_string(&mut data).await.unwrap();
        assert_eq!(data, "data");
        writer.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_header_that_does_not_come_is_not_waited_for() {
    for sent in [&b""[..], b"PROXY TCP4 192.", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x01"] {
        let (mut client, server) = duplex(64);
        client.write_all(sent).await.unwrap();
        let start = tokio::time::Instant::now();
        let result = accept(server, peer("10.0.0.2:1"), &required(), DEADLINE).await;
        assert!(matches!(refusal(result), AcceptError::Late { .. }));
        assert_eq!(start.elapsed(), DEADLINE);
    }
}

#[tokio::test]
async fn what_is_no_header_is_refused_at_once() {
    for (sent, expected) in [
        (&b"GET / HTTP/1.1\r\n"[..], ParseError::NotProxyProtocol),
        (b"\x16\x03\x01", ParseError::NotProxyProtocol),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 +5632 1\r\n", ParseError::Line),
        (
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff",
            ParseError::TooLong { announced: 65535, cap: 4096 },
        ),
    ] {
        let (mut client, server) = duplex(64);
        client.write_all(sent).await.unwrap();
        let result = accept(server, peer("10.0.0.2:1"), &required(), DEADLINE).await;
        let AcceptError::Parse(found) = refusal(result) else {
            panic!("{sent:?} should not parse");
        };
        assert_eq!(found, expected);
    }
    let (client, server) = duplex(64);
    drop(client);
    let result = accept(server, peer("10.0.0.2:1"), &required(), DEADLINE).await;
    assert!(matches!(refusal(result), AcceptError::Closed { received: 0 }));
}

#[tokio::test]
async fn nobody_else_is_listened_to() {
    let (_client, server): (DuplexStream, _) = duplex(64);
    let result = accept(server, peer("10.0.0.9:1"), &required(), DEADLINE).await;
    let error = refusal(result);
    assert!(error.to_string().starts_with("10.0.0.9:1 is no known proxy"), "{error}");

    // Where it is refused, it is data.
    for (policy, from) in [
        (PreamblePolicy::Refused, "10.0.0.2:1"),
        (
            PreamblePolicy::RequiredOfProxies(Arc::new(
                KnownProxies::parse(["10.0.0.2"]).unwrap().to_set(),
            )),
            "10.0.0.9:1",
        ),
    ] {
        let (mut client, server) = duplex(64);
        client.write_all(LINE).await.unwrap();
        drop(client);
        let (preamble, mut stream) = accept(server, peer(from), &policy, DEADLINE).await.unwrap();
        assert_eq!(preamble, None);
        let mut data = Vec::new();
        stream.read_to_end(&mut data).await.unwrap();
        assert_eq!(data, LINE);
    }
}
