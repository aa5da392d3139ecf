//! Why a request could not be answered by the upstream.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use http::StatusCode;

/// Why a request could not be answered by the upstream; its cause goes to the log, its
/// [status](Self::status) to the client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForwardError {
    /// The upstream's name has no address.
    #[error("cannot resolve the upstream's name: {name}")]
    Resolve {
        /// The name.
        name: String,
        /// What the resolver says.
        #[source]
        source: io::Error,
    },
    /// No address of the upstream takes a connection.
    #[error("cannot connect to the upstream at {address}")]
    Connect {
        /// The last address that was tried.
        address: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// No answer to a connection attempt.
    #[error("the upstream at {address} did not take a connection within {after:?}")]
    ConnectTimeout {
        /// The last address that was tried.
        address: SocketAddr,
        /// The limit.
        after: Duration,
    },
    /// The upstream shows a certificate that is not believed.
    #[error("the certificate of the upstream {name} {what}")]
    Certificate {
        /// Whose certificate was expected.
        name: String,
        /// What is wrong with it, and what to do.
        what: &'static str,
        /// What exactly.
        #[source]
        source: rustls::Error,
    },
    /// The upstream took the connection and did not speak TLS.
    #[error("cannot speak TLS with the upstream at {address}")]
    Tls {
        /// The address.
        address: String,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// The connection broke before the head of a response was there.
    #[error("the upstream closed the connection before it answered")]
    Closed {
        /// What the system says; nothing for an orderly end.
        #[source]
        source: Option<io::Error>,
    },
    /// HTTP/2 broke off, or the upstream does not speak it.
    #[error("the upstream broke off HTTP/2, or does not speak it without TLS")]
    Multiplex(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No response in time.
    #[error("the upstream did not answer within {after:?}")]
    FirstByteTimeout {
        /// The limit.
        after: Duration,
    },
    /// The response cannot be read without guessing.
    #[error("the upstream's response is malformed")]
    Response(#[source] ResponseError),
    /// The request cannot be passed on without changing its meaning.
    #[error("the request cannot be passed on: {what}")]
    Request {
        /// What is wrong with it.
        what: &'static str,
    },
    /// The client's body broke off.
    #[error("the client's body broke off")]
    ClientBody(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The client stopped sending its body.
    #[error("the client sent nothing more of its body within {after:?}")]
    ClientTimeout {
        /// The limit.
        after: Duration,
    },
}

impl ForwardError {
    /// What the client is told: 503 while nothing answers there, 504 for a time-out, 502 for a
    /// broken answer or an upstream that cannot be believed, 400 and 408 where the client is to blame.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Resolve { .. } | Self::Connect { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::ConnectTimeout { .. } | Self::FirstByteTimeout { .. } => {
                StatusCode::GATEWAY_TIMEOUT
            }
            Self::Closed { .. }
            | Self::Multiplex(_)
            | Self::Certificate { .. }
            | Self::Tls { .. }
            | Self::Response(_) => StatusCode::BAD_GATEWAY,
            Self::Request { .. } | Self::ClientBody(_) => StatusCode::BAD_REQUEST,
            Self::ClientTimeout { .. } => StatusCode::REQUEST_TIMEOUT,
        }
    }

    /// Whether nobody is there to speak with (rather than that one exchange failed).
    #[must_use]
    pub const fn is_down(&self) -> bool {
        matches!(
            self,
            Self::Resolve { .. }
                | Self::Connect { .. }
                | Self::ConnectTimeout { .. }
                | Self::Certificate { .. }
                | Self::Tls { .. }
        )
    }
}

/// What is wrong with a response: every ambiguity of which request smuggling and response
/// splitting are made is refused (RFC 9112 § 11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResponseError {
    /// Status line or fields: bare CR, NUL, obsolete folding, space before a colon.
    #[error("status line or fields are malformed: {0}")]
    Head(#[doc = "What the parser says."] HeadFault),
    /// More than 64 KiB or 128 fields.
    #[error("the head is longer than 64 KiB or 128 fields")]
    TooLarge,
    /// Not HTTP/1.0 or HTTP/1.1.
    #[error("not HTTP/1.0 or HTTP/1.1")]
    Version,
    /// `Content-Length` is no number, or several of them differ.
    #[error("content-length is no number, or given twice and not the same")]
    ContentLength,
    /// `Transfer-Encoding` beside `Content-Length`, in HTTP/1.0, or anything but `chunked`.
    #[error("transfer-encoding is ambiguous or not `chunked`")]
    TransferEncoding,
    /// 101 without an upgrade that was asked for.
    #[error("it switches protocols unasked")]
    UnaskedUpgrade,
    /// Too many interim responses.
    #[error("more than 32 interim responses")]
    TooManyInterim,
}

/// What a head holds that it must not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeadFault {
    /// A field name, or the space around it.
    #[error("field name")]
    Name,
    /// A field value: a control character or obsolete folding.
    #[error("field value")]
    Value,
    /// The status code.
    #[error("status")]
    Status,
    /// The end of a line.
    #[error("line end")]
    LineEnd,
    /// Another byte that may not stand there.
    #[error("token")]
    Token,
}

impl From<httparse::Error> for HeadFault {
    fn from(error: httparse::Error) -> Self {
        match error {
            httparse::Error::HeaderName => Self::Name,
            httparse::Error::HeaderValue => Self::Value,
            httparse::Error::Status => Self::Status,
            httparse::Error::NewLine => Self::LineEnd,
            httparse::Error::Token | httparse::Error::Version | httparse::Error::TooManyHeaders => {
                Self::Token
            }
        }
    }
}
