//! The PROXY protocol as real proxies speak it.

use jellynet_forwarded::proxy_protocol::{MAX_LENGTH, Parsed, Source, parse};

/// Captured from HAProxy 2.6.12 (Debian 12).
const CAPTURED: [(&str, &str, &str, &[u8]); 6] = [
    (
        "send-proxy, IPv4",
        "50524f58592054435034203132372e302e302e35203132372e302e302e312033363938322032393430310d0a\
         474554202f20485454502f312e310d0a",
        "127.0.0.5:36982 to 127.0.0.1:29401",
        b"GET / HTTP/1.1\r\n",
    ),
    (
        "send-proxy, IPv6",
        "50524f58592054435036203a3a31203a3a312034373637362032393430310d0a474554",
        "[::1]:47676 to [::1]:29401",
        b"GET",
    ),
    (
        "send-proxy-v2 with crc32c, IPv4",
        "0d0a0d0a000d0a515549540a211100167f0000017f000001c9f672da0300041d91c2f7050000474554",
        "127.0.0.1:51702 to 127.0.0.1:29402",
        b"GET",
    ),
    (
        "send-proxy-v2 with crc32c, IPv6",
        "0d0a0d0a000d0a515549540a2121002e00000000000000000000000000000001000000000000000000000000\
         00000001dea272da030004f359d68d050000474554",
        "[::1]:56994 to [::1]:29402",
        b"GET",
    ),
    (
        "send-proxy-v2-ssl-cn with every option",
        "0d0a0d0a000d0a515549540a2111006b7f0000017f000001dab072db030004e3af15d2010008687474702f31\
         2e3102000a74762e6578616d706c6505001237463030303030313a444142305f303030342000280100000000\
         210007544c5376312e33230016544c535f4145535f3235365f47434d5f534841333834474554",
        "127.0.0.1:55984 to 127.0.0.1:29403",
        b"GET",
    ),
    (
        "a health check",
        "0d0a0d0a000d0a515549540a200000004f5054494f4e53",
        "the proxy itself",
        b"OPTIONS",
    ),
];

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair).unwrap();
        u8::from_str_radix(pair, 16).unwrap()
    };
    digits.chunks(2).map(byte).collect()
}

#[test]
fn what_haproxy_sends_is_read() {
    for (what, hex, expected, data) in CAPTURED {
        let bytes = bytes(hex);
        let Ok(Parsed::Complete { header, length }) = parse(&bytes, MAX_LENGTH) else {
            panic!("{what} should be read");
        };
        let found = match header.source {
            Source::Client { source, destination } => format!("{source} to {destination}"),
            Source::Local => "the proxy itself".to_owned(),
            other => format!("{other:?}"),
        };
        assert_eq!(found, expected, "{what}");
        assert_eq!(&bytes[length..], data, "{what}");
    }
}

#[test]
fn what_haproxy_says_about_tls_is_read() {
    let (_, hex, ..) = CAPTURED[4];
    let bytes = bytes(hex);
    let Ok(Parsed::Complete { header, .. }) = parse(&bytes, MAX_LENGTH) else {
        panic!("it should be read");
    };
    let tlvs = header.tlvs();
    assert_eq!(tlvs.alpn(), Some(&b"http/1.1"[..]));
    let authority = tlvs.authority().map(|host| host.name());
    assert_eq!(authority, Some("tv.example"));
    assert_eq!(tlvs.unique_id(), Some(&b"7F000001:DAB0_0004"[..]));
    let ssl = tlvs.ssl().unwrap();
    assert!(ssl.over_tls && !ssl.verified, "the client showed no certificate");
    assert_eq!(ssl.version, Some("TLSv1.3"));
    assert_eq!(ssl.cipher, Some("TLS_AES_256_GCM_SHA384"));
    assert_eq!(header.client().tls, Some(true));
}

#[cfg(feature = "tokio")]
mod haproxy {
    use std::fs;
    use std::net::SocketAddr;
    use std::path::PathBuf;
    use std::sync::Arc;
    use std::time::Duration;

    use jellynet_forwarded::KnownProxies;
    use jellynet_forwarded::proxy_protocol::{PreamblePolicy, accept};
    use jellynet_netif::PeerAddr;
    use jellynet_test::peer::{self, Process};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::time::timeout;

    const DEADLINE: Duration = Duration::from_secs(10);

    /// A port that was free a moment ago; HAProxy takes none from us.
    async fn free_port() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    }

    fn configuration(front: SocketAddr, back: SocketAddr, option: &str) -> PathBuf {
        let name = format!("jellynet-forwarded-{}-{option}.cfg", std::process::id());
        let path = std::env::temp_dir().join(name);
        let text = format!(
            "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 9s\n  \
             timeout server 9s\nfrontend front\n  bind {front}\n  default_backend back\n\
             backend back\n  server one {back} {option}\n"
        );
        fs::write(&path, text).unwrap();
        path
    }

    #[tokio::test]
    async fn a_client_is_known_through_a_running_haproxy() {
        let Some(haproxy) = peer::find_with("haproxy", &["-v"]) else {
            return;
        };
        for (option, version) in [("send-proxy", 1), ("send-proxy-v2", 2)] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let front = free_port().await;
            let file = configuration(front, listener.local_addr().unwrap(), option);
            let mut command = haproxy.command();
            command.args(["-db", "-f"]).arg(&file);
            let _process = Process::spawn(command);
            let connect = async {
                loop {
                    match TcpStream::connect(front).await {
                        Ok(stream) => break stream,
                        Err(_) => tokio::task::yield_now().await,
                    }
                }
            };
            let mut client = timeout(DEADLINE, connect).await.unwrap();
            client.write_all(b"hello").await.unwrap();
            let (stream, proxy) = timeout(DEADLINE, listener.accept()).await.unwrap().unwrap();
            let known = KnownProxies::parse(["127.0.0.1"]).unwrap();
            let policy = PreamblePolicy::Required(Arc::new(known.to_set()));
            let accepted = accept(stream, PeerAddr::inet(proxy), &policy, DEADLINE).await;
            let (preamble, mut stream) = accepted.unwrap();
            let preamble = preamble.unwrap();
            assert_eq!(preamble.version, version);
            assert_eq!(preamble.client().client, Some(client.local_addr().unwrap()));
            let mut data = [0; 5];
            stream.read_exact(&mut data).await.unwrap();
            assert_eq!(&data, b"hello");
            fs::remove_file(&file).unwrap();
        }
    }
}
