//! What is known of an encrypted connection.

use std::fmt;
use std::sync::Arc;

use rustls::{HandshakeKind, ServerConnection};

/// Facts of a TLS connection, for the extensions of each of its requests. A clone is cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsFacts {
    /// The host that the client asked for; `None` for an address or an old client.
    pub server_name: Option<Arc<str>>,
    /// `TLSv1.3` or `TLSv1.2`.
    pub version: &'static str,
    /// Such as `TLS13_AES_128_GCM_SHA256`.
    pub cipher_suite: &'static str,
    /// The application protocol that was agreed on, such as `h2`.
    pub alpn: Option<Arc<str>>,
    /// The client resumed an earlier session: it was not shown the certificate again.
    pub resumed: bool,
}

impl TlsFacts {
    /// Reads them off a connection whose handshake is complete.
    #[must_use]
    pub fn of(connection: &ServerConnection) -> Self {
        Self {
            server_name: connection.server_name().map(Arc::from),
            version: connection.protocol_version().and_then(|version| version.as_str()).map_or(
                "unknown",
                |version| match version {
                    "TLSv1_3" => "TLSv1.3",
                    "TLSv1_2" => "TLSv1.2",
                    other => other,
                },
            ),
            cipher_suite: connection
                .negotiated_cipher_suite()
                .and_then(|suite| suite.suite().as_str())
                .unwrap_or("unknown"),
            alpn: connection
                .alpn_protocol()
                .map(|protocol| String::from_utf8_lossy(protocol).into()),
            resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
        }
    }
}

/// One line for the log.
impl fmt::Display for TlsFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.version, self.cipher_suite)?;
        write!(f, " alpn={}", self.alpn.as_deref().unwrap_or("-"))?;
        write!(f, " sni={}", self.server_name.as_deref().unwrap_or("-"))?;
        f.write_str(if self.resumed { " resumed" } else { " full" })
    }
}
