//! One GET over HTTP/1.1 without TLS, which is all that these devices speak.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HOST};
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The longest answer that is read.
const LIMIT: usize = 4 << 20;

/// Why a document was not fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// It is no `http:` URL with a host.
    #[error("not an http URL")]
    Url,
    /// It took too long.
    #[error("no answer within {after:?}")]
    TimedOut {
        /// The limit.
        after: Duration,
    },
    /// The device does not take connections.
    #[error("cannot connect")]
    Connect(#[source] io::Error),
    /// The answer is no HTTP, or broke off.
    #[error("the answer broke off")]
    Http(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The answer is not the document.
    #[error("the answer is {status}")]
    Status {
        /// What it is.
        status: StatusCode,
    },
}

pub(super) async fn fetch(url: &str, limit: Duration) -> Result<Bytes, FetchError> {
    match timeout(limit, get(url)).await {
        Ok(document) => document,
        Err(_) => Err(FetchError::TimedOut { after: limit }),
    }
}

async fn get(url: &str) -> Result<Bytes, FetchError> {
    let uri: Uri = url.parse().map_err(|_| FetchError::Url)?;
    let authority = uri.authority().filter(|_| uri.scheme_str() == Some("http"));
    let authority = authority.ok_or(FetchError::Url)?;
    let host = authority.host().trim_matches(['[', ']']);
    let address = (host, authority.port_u16().unwrap_or(80));
    let stream = TcpStream::connect(address).await.map_err(FetchError::Connect)?;
    let broken = |error: hyper::Error| FetchError::Http(error.into());
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::get(path)
        .header(HOST, authority.as_str())
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|_| FetchError::Url)?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(broken)?;
        if response.status() != StatusCode::OK {
            let status = response.status();
            return Err(FetchError::Status { status });
        }
        let body = Limited::new(response.into_body(), LIMIT).collect().await;
        body.map(|body| body.to_bytes()).map_err(FetchError::Http)
    };
    // The connection moves the bytes; it ends with the answer.
    let mut connection = std::pin::pin!(connection);
    let mut answer = std::pin::pin!(answer);
    let mut open = true;
    loop {
        tokio::select! {
            biased;
            document = &mut answer => return document,
            _ = &mut connection, if open => open = false,
        }
    }
}
