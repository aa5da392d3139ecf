//! Reading a header from a stream.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use jellynet_netif::PeerAddr;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::time;

use super::{Expect, Header, MAX_LENGTH, ParseError, Parsed, PreamblePolicy, Source, parse};
use crate::resolve::PreambleClient;

/// How much is asked of the stream at once. What is read beyond the header is given back.
const CHUNK: usize = 512;

/// What a header said, kept for the requests of its connection.
///
/// Insert its [`client`](Self::client) as an extension into each request of the connection:
/// `ForwardedLayer` reads it there. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Preamble {
    /// The version, 1 or 2.
    pub version: u8,
    /// Who connected to the proxy.
    pub source: Source,
    /// Whether the client came over TLS, where the proxy says so.
    pub tls: Option<bool>,
    /// The host name that the client asked for in TLS.
    pub authority: Option<Bytes>,
    /// The application protocol that TLS agreed on.
    pub alpn: Option<Bytes>,
    /// What the proxy calls this connection.
    pub unique_id: Option<Bytes>,
}

impl Preamble {
    /// What the walk needs to know of it.
    #[must_use]
    pub const fn client(&self) -> PreambleClient {
        PreambleClient {
            client: match self.source {
                Source::Client { source, .. } => Some(source),
                Source::Unix | Source::Local | Source::Unknown => None,
            },
            tls: self.tls,
        }
    }
}

impl From<Header<'_>> for Preamble {
    fn from(header: Header<'_>) -> Self {
        let tlvs = header.tlvs();
        let copied = |value: Option<&[u8]>| value.map(Bytes::copy_from_slice);
        Self {
            version: header.version,
            source: header.source,
            tls: header.client().tls,
            authority: copied(tlvs.authority().map(|host| host.name().as_bytes())),
            alpn: copied(tlvs.alpn()),
            unique_id: copied(tlvs.unique_id()),
        }
    }
}

/// Why a connection was not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// The listener requires the PROXY protocol, and the peer is no known proxy.
    #[error("{peer} is no known proxy, and this listener takes connections of proxies alone")]
    Stranger {
        /// The peer.
        peer: PeerAddr,
    },
    /// The header was not there in time.
    #[error("no PROXY protocol header within {deadline:?}")]
    Late {
        /// How long it was waited for.
        deadline: Duration,
    },
    /// The peer closed the connection before the end of the header.
    #[error("the connection was closed after {received} bytes, before the end of the header")]
    Closed {
        /// How many bytes came; 0 is what a health check does that only connects.
        received: usize,
    },
    /// The bytes are no header.
    #[error("the PROXY protocol header is not valid")]
    Parse(#[source] ParseError),
    /// The stream failed.
    #[error("cannot read from the connection")]
    Io(#[source] io::Error),
}

/// Reads the header that the policy requires of this peer, if it requires one, within `deadline`.
///
/// Gives what it said, and the stream as the client wrote it: bytes behind the header that came
/// along with it are read first, a second header among them.
///
/// # Errors
///
/// [`AcceptError`] if the peer may not connect, or its header is late, incomplete or not valid.
/// The connection must then be closed without an answer.
///
/// # Cancel safety
///
/// Not cancel safe: bytes that were read are lost with the stream.
pub async fn accept<S: AsyncRead + Unpin>(
    stream: S,
    peer: PeerAddr,
    policy: &PreamblePolicy,
    deadline: Duration,
) -> Result<(Option<Preamble>, Rewound<S>), AcceptError> {
    match policy.expects(peer) {
        Expect::Close => Err(AcceptError::Stranger { peer }),
        Expect::Plain => Ok((None, Rewound::new(stream, Bytes::new()))),
        Expect::Header => time::timeout(deadline, read(stream))
            .await
            .map_err(|_| AcceptError::Late { deadline })?
            .map(|(preamble, stream)| (Some(preamble), stream)),
    }
}

async fn read<S: AsyncRead + Unpin>(mut stream: S) -> Result<(Preamble, Rewound<S>), AcceptError> {
    let mut received = BytesMut::with_capacity(CHUNK);
    loop {
        match parse(&received, MAX_LENGTH).map_err(AcceptError::Parse)? {
            Parsed::Complete { header, length } => {
                let preamble = Preamble::from(header);
                received.advance(length);
                return Ok((preamble, Rewound::new(stream, received.freeze())));
            }
            Parsed::Incomplete { need } => {
                received.reserve(need.saturating_sub(received.len()).max(CHUNK));
            }
        }
        let count = stream.read_buf(&mut received).await;
        if count.map_err(AcceptError::Io)? == 0 {
            return Err(AcceptError::Closed { received: received.len() });
        }
    }
}

/// A stream of which some bytes were read already: they are read once more, then the rest.
#[derive(Debug)]
pub struct Rewound<S> {
    ahead: Bytes,
    stream: S,
}

impl<S> Rewound<S> {
    const fn new(stream: S, ahead: Bytes) -> Self {
        Self { ahead, stream }
    }

    /// The stream itself; bytes that were read ahead are not in it.
    pub const fn stream(&self) -> &S {
        &self.stream
    }

    /// The bytes that are read once more, and the stream.
    pub fn into_parts(self) -> (Bytes, S) {
        (self.ahead, self.stream)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Rewound<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
            return Poll::Ready(Ok(()));
        }
        let count = self.ahead.len().min(buffer.remaining());
        buffer.put_slice(&self.ahead.split_to(count));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rewound<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
