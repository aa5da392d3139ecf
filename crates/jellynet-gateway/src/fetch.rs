//! One small request and its answer, for whoever looks at a server from outside: the health check
//! and the doctor.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use jellynet_tls::{Shown, default_provider, insecure_observing_client};
use rustls::client::danger::ServerCertVerifier;
use rustls_pki_types::ServerName;
use rustls_platform_verifier::Verifier;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream, UnixStream};
use tokio::time::timeout;

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// Longer than a server that is well takes.
const PATIENCE: Duration = Duration::from_secs(5);
/// More than any answer that is looked at has.
const MOST: usize = 256 * 1024;

/// Where to ask, and what for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// A host and port, or `unix:` and a path, where `@` begins an abstract name.
    pub(crate) place: String,
    /// The authority that is asked for.
    pub(crate) host: String,
    pub(crate) tls: bool,
    pub(crate) path: String,
    /// More headers.
    pub(crate) headers: HeaderMap,
    /// The address of this host to ask from; its own choice otherwise.
    pub(crate) from: Option<IpAddr>,
    /// What a proxy of this kind begins with.
    pub(crate) preamble: Option<String>,
}

impl Target {
    /// A path at a place of this host.
    pub(crate) fn here(place: impl Into<String>, tls: bool, path: &str) -> Self {
        Self {
            place: place.into(),
            host: "localhost".to_owned(),
            tls,
            path: path.to_owned(),
            headers: HeaderMap::new(),
            from: None,
            preamble: None,
        }
    }

    /// A path below a URL with a host.
    pub(crate) fn below(url: &str, path: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let tls = uri.scheme_str() == Some("https");
        let authority = uri.authority()?;
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Some(Self {
            place: format!("{}:{port}", authority.host()),
            host: authority.as_str().to_owned(),
            path: format!("{}{path}", uri.path().trim_end_matches('/')),
            ..Self::here("", tls, path)
        })
    }

    /// The same with one more header.
    pub(crate) fn with_header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.append(name, HeaderValue::from_static(value));
        self
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// What this host thinks of the certificate that was shown; `None` without TLS.
    pub(crate) trust: Option<Result<(), String>>,
}

/// Asks with `GET`, follows nothing, and gives up after five seconds. A certificate that is not
/// trusted ends nothing: what is wrong with it stands in the answer.
///
/// # Errors
///
/// What went wrong, in words.
pub(crate) async fn get(target: &Target) -> Result<Answer, String> {
    match timeout(PATIENCE, ask(target)).await {
        Ok(answer) => answer.map_err(|error| chain(&*error)),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}

async fn ask(target: &Target) -> Result<Answer, Failed> {
    if let Some(path) = target.place.strip_prefix("unix:") {
        let path =
            path.strip_prefix('@').map_or_else(|| path.to_owned(), |name| format!("\0{name}"));
        return speak(UnixStream::connect(path).await?, target).await;
    }
    let Some(from) = target.from else {
        return speak(TcpStream::connect(&target.place).await?, target).await;
    };
    let to: SocketAddr = target.place.parse()?;
    let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.bind(SocketAddr::new(from, 0))?;
    speak(socket.connect(to).await?, target).await
}

async fn speak<S>(mut stream: S, target: &Target) -> Result<Answer, Failed>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    if let Some(preamble) = &target.preamble {
        stream.write_all(preamble.as_bytes()).await?;
    }
    if !target.tls {
        return exchange(stream, target, None).await;
    }
    let asked = target.host.parse::<http::uri::Authority>()?;
    let name = asked.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    let said = Arc::new(Mutex::new(Ok(())));
    let host = Verifier::new(default_provider()).map_err(|error| error.to_string());
    let heard = Arc::clone(&said);
    let config = insecure_observing_client(default_provider(), move |shown| {
        *heard.lock().unwrap_or_else(PoisonError::into_inner) = judge(&host, &shown);
    })?;
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = connector.connect(ServerName::try_from(name)?, stream).await?;
    exchange(stream, target, Some(&said)).await
}

async fn exchange<S>(
    stream: S,
    target: &Target,
    said: Option<&Mutex<Result<(), String>>>,
) -> Result<Answer, Failed>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let mut request = Request::get(&target.path)
        .header(header::HOST, &target.host)
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())?;
    request.headers_mut().extend(target.headers.clone());
    let answer = async {
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, MOST).collect().await?.to_bytes();
        let trust = said.map(|it| it.lock().unwrap_or_else(PoisonError::into_inner).clone());
        Ok(Answer { status: head.status, headers: head.headers, body, trust })
    };
    let answer = answer.await;
    driver.abort();
    answer
}

/// What this host thinks of a certificate.
fn judge(host: &Result<Verifier, String>, shown: &Shown<'_>) -> Result<(), String> {
    let host = host.as_ref();
    let host = host.map_err(|error| format!("this host has no list of authorities: {error}"))?;
    host.verify_server_cert(shown.leaf, shown.intermediates, shown.name, shown.ocsp, shown.now)
        .map(drop)
        .map_err(|error| error.to_string())
}

/// The messages of an error and its causes, each once.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}
