//! Asks a server what it really serves.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::host;
use crate::identity::{Identity, hex};
use crate::observe::insecure_observing_client;
use crate::pkcs12::sha256;

/// For the whole check.
const LIMIT: Duration = Duration::from_secs(10);

/// What a server serves.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ServeReport {
    /// Who was asked.
    pub address: String,
    /// SHA-256 of each certificate that was sent, in hexadecimal, the leaf first.
    pub served_sha256: Vec<String>,
    /// `TLSv1.3` or `TLSv1.2`.
    pub version: String,
    /// The cipher suite.
    pub cipher_suite: String,
    /// Is it what should be served? `None` if nobody said what should.
    pub as_expected: Option<bool>,
}

/// A server that could not be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeCheckError {
    /// The address is not `host:port`.
    #[error("{address:?} is not of the form host:port")]
    Address {
        /// What was given.
        address: String,
    },
    /// There is no connection.
    #[error("cannot connect to {address}")]
    Connect {
        /// Who was asked.
        address: String,
        /// Why not.
        source: io::Error,
    },
    /// The handshake failed.
    #[error("{address} does not complete a TLS handshake")]
    Handshake {
        /// Who was asked.
        address: String,
        /// Why not.
        source: io::Error,
    },
    /// Nothing happened in time.
    #[error("{address} did not answer within {limit:?}")]
    Timeout {
        /// Who was asked.
        address: String,
        /// The limit.
        limit: Duration,
    },
}

/// Dials `host:port`, asks for that host, and tells what was served; with `expected`, whether it
/// is that.
///
/// The certificate is not verified, that is the point; the handshake is.
///
/// # Errors
///
/// When there is no answer to judge.
pub async fn serve_check(
    address: &str,
    expected: Option<&Identity>,
    provider: Arc<CryptoProvider>,
) -> Result<ServeReport, ServeCheckError> {
    let limit = LIMIT;
    timeout(limit, dial(address, expected, provider))
        .await
        .unwrap_or_else(|_| Err(ServeCheckError::Timeout { address: address.to_owned(), limit }))
}

async fn dial(
    address: &str,
    expected: Option<&Identity>,
    provider: Arc<CryptoProvider>,
) -> Result<ServeReport, ServeCheckError> {
    let named = || address.to_owned();
    let malformed = || ServeCheckError::Address { address: named() };
    let (host, port) = host::split_port(address);
    let port: u16 = port.and_then(|port| port.parse().ok()).ok_or_else(malformed)?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(host.clone()).map_err(|_| malformed())?;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let failed = |source| ServeCheckError::Handshake { address: named(), source };
    let remembered = Arc::clone(&seen);
    let config = insecure_observing_client(provider, move |shown| {
        let all = std::iter::once(shown.leaf).chain(shown.intermediates);
        let digests = all.map(|der| sha256(der)).collect();
        *remembered.lock().unwrap_or_else(PoisonError::into_inner) = digests;
    })
    .map_err(|error| failed(io::Error::other(error)))?;
    let stream = TcpStream::connect((host, port))
        .await
        .map_err(|source| ServeCheckError::Connect { address: named(), source })?;
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = connector.connect(name, stream).await.map_err(failed)?;
    let (_, connection) = stream.get_ref();
    let seen: Vec<[u8; 32]> = seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(ServeReport {
        address: named(),
        as_expected: expected.map(|identity| identity.info().served_sha256 == seen),
        served_sha256: seen.iter().map(|digest| hex(digest)).collect(),
        version: connection.protocol_version().map(|v| format!("{v:?}")).unwrap_or_default(),
        cipher_suite: connection
            .negotiated_cipher_suite()
            .map(|suite| format!("{:?}", suite.suite()))
            .unwrap_or_default(),
    })
}
