//! Turns a connection into an encrypted one, within bounds of time and number.
//!
//! 1. Nothing is spent on a connection before its first octet; that has 5 s.
//! 2. Octet 0x16 is TLS. An HTTP request in clear gets a 308 to the same URL with `https`; anything
//!    else is closed.
//! 3. The handshake has 10 s, and at most 512 run at the same time; the others wait within theirs.
//!    One client has at most 64 of them, waiting ones included; what it begins beyond is closed.
//! 4. A TLS-ALPN-01 challenge is answered and closed.
//! 5. A handshake uses certificates, sessions and tickets of one generation of the store.

mod clients;
mod counts;
mod plain;
mod stream;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::config::{self, TlsConfigError, TlsOptions};
use crate::facts::TlsFacts;
use crate::store::{ACME_TLS_ALPN, IdentityStore};

pub use counts::HandshakeCounts;
pub use stream::TlsStream;

use clients::Clients;
use counts::Counters;
use stream::Rewind;

/// The type of a TLS record that carries a handshake (RFC 8446 § 5.1).
const HANDSHAKE_RECORD: u8 = 0x16;

/// A hello fits, with hybrid key shares too.
const FIRST_READ: usize = 4096;

/// Accepts TLS connections with the identities of a store. A clone shares everything.
#[derive(Clone, Debug)]
pub struct TlsAcceptor(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: IdentityStore,
    base: ServerConfig,
    current: ArcSwap<(u64, Arc<ServerConfig>)>,
    handshakes: Semaphore,
    clients: Clients,
    counters: Counters,
    options: TlsOptions,
}

/// A connection that did not become an encrypted one. None of these is the server's fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// It was closed before its first octet, or said nothing in time.
    #[error("the client said nothing")]
    Silent,
    /// An HTTP request in clear, which was answered.
    #[error("the client spoke plain HTTP and was sent to {location}")]
    PlainHttp {
        /// The URL with `https`; empty if the request named no host.
        location: String,
    },
    /// Neither TLS nor HTTP.
    #[error("the client spoke neither TLS nor HTTP")]
    NotTls,
    /// A challenge of RFC 8737, which was answered.
    #[error("an ACME challenge was answered")]
    Challenge,
    /// The handshake took too long, waiting for others included.
    #[error("the handshake took more than {limit:?}")]
    Timeout {
        /// The limit.
        limit: Duration,
    },
    /// The client has as many handshakes under way as one client may.
    #[error("the client {client} has {limit} handshakes under way already")]
    TooMany {
        /// Its address.
        client: IpAddr,
        /// The limit.
        limit: usize,
    },
    /// The handshake failed.
    #[error("the handshake failed")]
    Handshake(#[source] io::Error),
    /// The connection broke.
    #[error("the connection broke")]
    Io(#[source] io::Error),
}

impl TlsAcceptor {
    /// An acceptor that serves what `store` holds, now and later.
    ///
    /// # Errors
    ///
    /// When the provider of the store's loader does not support the profile.
    pub fn new(store: &IdentityStore, options: TlsOptions) -> Result<Self, TlsConfigError> {
        let base = config::base(store, &options)?;
        let current = config::pinned(&base, store);
        Ok(Self(Arc::new(Inner {
            store: store.clone(),
            base,
            current: ArcSwap::from_pointee(current),
            handshakes: Semaphore::new(options.max_handshakes),
            clients: Clients::new(options.max_handshakes_per_client),
            counters: Counters::default(),
            options,
        })))
    }

    /// Makes the handshake, of a client that is not told from others: see
    /// [`accept_from`](Self::accept_from).
    ///
    /// # Errors
    ///
    /// Why there is none. The connection is closed then.
    ///
    /// # Cancel safety
    ///
    /// Dropping it closes the connection.
    pub async fn accept<IO>(&self, io: IO) -> Result<TlsStream<IO>, AcceptError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        self.begin(io, None).await
    }

    /// Makes the handshake of a client with this address, or from this IPv6 network of 64 bits,
    /// within [`max_handshakes_per_client`](TlsOptions::max_handshakes_per_client).
    ///
    /// # Errors
    ///
    /// Why there is none. The connection is closed then.
    ///
    /// # Cancel safety
    ///
    /// Dropping it closes the connection.
    pub async fn accept_from<IO>(
        &self,
        io: IO,
        client: IpAddr,
    ) -> Result<TlsStream<IO>, AcceptError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        self.begin(io, Some(client)).await
    }

    /// What became of the handshakes so far.
    #[must_use]
    pub fn counts(&self) -> HandshakeCounts {
        self.0.counters.read()
    }

    async fn begin<IO>(
        &self,
        mut io: IO,
        client: Option<IpAddr>,
    ) -> Result<TlsStream<IO>, AcceptError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let options = &self.0.options;
        let mut first = Vec::with_capacity(FIRST_READ);
        match timeout(options.first_byte_timeout, io.read_buf(&mut first)).await {
            Ok(Ok(1..)) => {}
            Ok(Ok(0)) | Err(_) => return Err(AcceptError::Silent),
            Ok(Err(error)) => return Err(AcceptError::Io(error)),
        }
        if first.first() != Some(&HANDSHAKE_RECORD) {
            return Err(plain::answer(io, first, options.first_byte_timeout).await);
        }
        let result = match client.map(|client| (client, self.0.clients.enter(client))) {
            Some((client, None)) => {
                Err(AcceptError::TooMany { client, limit: options.max_handshakes_per_client })
            }
            // Its place is free again when the handshake is over.
            _place => {
                let limit = options.handshake_timeout;
                timeout(limit, self.handshake(Rewind::new(first, io)))
                    .await
                    .unwrap_or(Err(AcceptError::Timeout { limit }))
            }
        };
        self.0.counters.count(&result);
        result
    }

    async fn handshake<IO>(&self, io: Rewind<IO>) -> Result<TlsStream<IO>, AcceptError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        // Never closed, so that there always is a permit in the end.
        let permit = self.0.handshakes.acquire().await;
        let acceptor = tokio_rustls::TlsAcceptor::from(self.config());
        let mut stream = acceptor.accept(io).await.map_err(AcceptError::Handshake)?;
        drop(permit);
        let (_, connection) = stream.get_ref();
        if connection.alpn_protocol() == Some(ACME_TLS_ALPN) {
            // The validator has seen what it wanted; whether it hears the farewell is all the same.
            let _ = stream.shutdown().await;
            return Err(AcceptError::Challenge);
        }
        let facts = TlsFacts::of(connection);
        Ok(TlsStream::new(stream, facts))
    }

    /// The configuration of the store's present generation.
    fn config(&self) -> Arc<ServerConfig> {
        let current = self.0.current.load();
        if current.0 == self.0.store.generation() {
            return Arc::clone(&current.1);
        }
        let renewed = config::pinned(&self.0.base, &self.0.store);
        let config = Arc::clone(&renewed.1);
        self.0.current.store(Arc::new(renewed));
        config
    }
}
