//! The client: as little as measures a server.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::client::Resumption;
use rustls::{ClientConfig, HandshakeKind};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::front::{Front, Kind};
use crate::site::{NAME, Site};
use crate::upstream::{ASKED, ECHOED, MESSAGE};

/// Bytes of a read.
const READ: usize = 256 * 1024;
/// Longest head of a response.
const HEAD: usize = 4096;

/// Whether and how connections are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tls {
    No,
    /// A whole handshake each time.
    Full,
    /// Each connection resumes an earlier session.
    Resumed,
}

/// What asks one front.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    kind: Kind,
    http: u16,
    https: u16,
    full: Arc<ClientConfig>,
    resumed: Arc<ClientConfig>,
}

impl Load {
    pub(crate) fn new(front: &Front, site: &Site) -> Self {
        Self {
            kind: front.kind,
            http: front.http,
            https: front.https,
            full: site.client(false),
            resumed: site.client(true),
        }
    }

    /// The same with sessions that no other client takes.
    pub(crate) fn with_own_sessions(&self) -> Self {
        let mut config = ClientConfig::clone(&self.resumed);
        config.resumption = Resumption::in_memory_sessions(32);
        Self { resumed: config.into(), ..self.clone() }
    }

    pub(crate) async fn connect(&self, tls: Tls) -> Client {
        let port = if tls == Tls::No { self.http } else { self.https };
        let tcp = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let config = match tls {
            Tls::No => return Client { kind: self.kind, stream: Stream::Plain(tcp) },
            Tls::Full => &self.full,
            Tls::Resumed => &self.resumed,
        };
        let name = ServerName::try_from(NAME).unwrap();
        let connector = TlsConnector::from(Arc::clone(config));
        let stream = connector.connect(name, tcp).await.unwrap();
        Client { kind: self.kind, stream: Stream::Tls(Box::new(stream)) }
    }
}

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection to a front.
#[derive(Debug)]
pub(crate) struct Client {
    kind: Kind,
    stream: Stream,
}

impl Client {
    /// Whether an earlier session was resumed.
    pub(crate) fn is_resumed(&self) -> bool {
        match &self.stream {
            Stream::Plain(_) => false,
            Stream::Tls(tls) => tls.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed),
        }
    }

    /// Asks, and reads an answer whose body has this length; `buffer` is of [`READ`] bytes.
    pub(crate) async fn get(&mut self, request: &[u8], length: u64, buffer: &mut [u8]) {
        self.stream.write_all(request).await.unwrap();
        self.stream.flush().await.unwrap();
        let mut filled = 0;
        let body = loop {
            let room = buffer.get_mut(filled..).unwrap();
            let count = self.stream.read(room).await.unwrap();
            assert_ne!(count, 0, "{} closed before a head", self.kind);
            filled += count;
            let head = buffer.get(..filled.min(HEAD)).unwrap();
            if let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
        };
        check(buffer.get(..body).unwrap(), length);
        let mut left = length - u64::try_from(filled - body).unwrap();
        while left > 0 {
            let count = self.stream.read(buffer).await.unwrap();
            assert_ne!(count, 0, "{} closed within a body", self.kind);
            left -= u64::try_from(count).unwrap();
        }
    }

    /// Reads to the end of the connection.
    pub(crate) async fn finish(mut self) {
        let mut rest = [0; 64];
        // Whether an end is orderly is not what is measured.
        assert!(matches!(self.stream.read(&mut rest).await, Ok(0) | Err(_)), "more than asked for");
    }

    /// Turns it into a WebSocket.
    pub(crate) async fn upgrade(&mut self) {
        let request = "GET /media/socket HTTP/1.1\r\nHost: tv.test\r\nUpgrade: websocket\r\n\
            Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-Forwarded-For: 203.0.113.7\r\n\r\n";
        self.stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.stream.read_u8().await.unwrap());
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    }

    /// Sends a message and waits for its echo.
    pub(crate) async fn echo(&mut self) {
        let mut asked = [b'x'; ASKED];
        let [kind, length, mask @ ..] = &mut asked;
        // RFC 6455 § 5.2: a whole text, masked.
        *kind = 0x81;
        *length = 0x80 | u8::try_from(MESSAGE).unwrap();
        mask.iter_mut().take(4).for_each(|byte| *byte = 7);
        let mut echoed = [0; ECHOED];
        self.stream.write_all(&asked).await.unwrap();
        self.stream.read_exact(&mut echoed).await.unwrap();
        assert!(echoed.ends_with(&[b'x' ^ 7; 8]), "another message");
    }
}

/// Space for what is read.
pub(crate) fn buffer() -> Vec<u8> {
    vec![0; READ]
}

fn check(head: &[u8], length: u64) {
    let text = String::from_utf8_lossy(head);
    assert!(text.starts_with("HTTP/1.1 20"), "{text}");
    let given = text.lines().filter_map(|line| line.split_once(':')).find_map(|(name, value)| {
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<u64>().ok())?
    });
    assert_eq!(given, Some(length), "{text}");
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Self::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Self::Tls(tls) => Pin::new(tls).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Self::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}
