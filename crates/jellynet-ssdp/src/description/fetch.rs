//! Gets the descriptions of others, without being led astray.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Uri, header};
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use jellynet_netif::InterfaceTable;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::summary::Summary;
use crate::searcher::{Found, Way};

/// How long one description may take in all.
const PATIENCE: Duration = Duration::from_secs(3);

/// The longest description that is read, in bytes; those of real devices have less than 20,000.
const MOST: usize = 256 * 1024;

/// Why a description was not had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// Its URL is not plain HTTP on an address.
    #[error("the description is not at an http:// URL with an address: {0}")]
    Unusable(String),
    /// Its URL is on another host than the one that gave it.
    #[error("{from} says that its description is on another host: {location}")]
    Elsewhere {
        /// Who gave the URL.
        from: IpAddr,
        /// The URL.
        location: String,
    },
    /// Nobody listens there.
    #[error("cannot connect to {to}")]
    Connect {
        /// Where.
        to: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// What answers does not speak HTTP.
    #[error("{to} does not answer as a web server does")]
    Http {
        /// Where.
        to: SocketAddr,
        /// What is wrong.
        source: Box<dyn Error + Send + Sync>,
    },
    /// It is not given out. Redirects are not followed.
    #[error("{to} answers with status {status}")]
    Status {
        /// Where.
        to: SocketAddr,
        /// The status code.
        status: u16,
    },
    /// It is longer than 262,144 bytes.
    #[error("the description at {0} has more than {MOST} bytes")]
    TooLong(SocketAddr),
    /// It did not come within three seconds.
    #[error("{0} did not give its description within 3 s")]
    Slow(SocketAddr),
    /// What came is no description.
    #[error("what {0} gives is no description of a device")]
    NotADescription(SocketAddr),
}

impl Found {
    /// Whether [`summary`](Self::summary) has somewhere to ask. Where a device was heard on the
    /// link group of IPv6 alone, it often has not yet: its URL is on an address of wider scope.
    #[must_use]
    pub fn has_summary(&self) -> bool {
        self.ways.iter().any(|way| Place::of(way).is_ok())
    }

    /// Gets the description and reads what people want to know: over IPv4 before IPv6, from the
    /// first way whose URL is on the host that gave it.
    ///
    /// # Security
    ///
    /// A `LOCATION` is a stranger's word. Only `http://` on the very address that the answer came
    /// from is asked, with one `GET` and no redirect, for at most 3 seconds and 262,144 bytes; a
    /// device can thus lead this host to itself and nowhere else. Names are not resolved.
    ///
    /// # Errors
    ///
    /// When no way has such a URL, or the description is not to be had there.
    ///
    /// # Cancel safety
    ///
    /// The connection ends with the future.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with I/O and time.
    pub async fn summary(&self) -> Result<Summary, FetchError> {
        let mut ways: Vec<&Way> = self.ways.iter().collect();
        ways.sort_by_key(|way| way.source.is_ipv6());
        let mut refused = None;
        for way in ways {
            match Place::of(way) {
                Ok(place) => {
                    let asked = timeout(PATIENCE, place.ask()).await;
                    return asked.unwrap_or(Err(FetchError::Slow(place.address)));
                }
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        Err(refused.unwrap_or_else(|| FetchError::Unusable(self.location.clone())))
    }
}

/// A description on the host that gave its URL.
struct Place {
    address: SocketAddr,
    uri: Uri,
}

impl Place {
    fn of(way: &Way) -> Result<Self, FetchError> {
        let unusable = || FetchError::Unusable(way.location.clone());
        let uri: Uri = way.location.parse().map_err(|_| unusable())?;
        let authority = uri.authority().ok_or_else(unusable)?;
        if uri.scheme_str() != Some("http") || authority.as_str().contains('@') {
            return Err(unusable());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let ip: IpAddr = host.parse().map_err(|_| unusable())?;
        if ip != way.source {
            return Err(FetchError::Elsewhere { from: way.source, location: way.location.clone() });
        }
        let port = authority.port_u16().unwrap_or(80);
        Ok(Self { address: InterfaceTable::scoped(ip, port, way.interface), uri })
    }

    async fn ask(&self) -> Result<Summary, FetchError> {
        let to = self.address;
        let failed = |error: hyper::Error| FetchError::Http { to, source: error.into() };
        let stream =
            TcpStream::connect(to).await.map_err(|source| FetchError::Connect { to, source })?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
        // It ends when the sender and the body are dropped.
        tokio::spawn(connection);
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        let host = self.uri.authority().map_or("", |authority| authority.as_str());
        let request = Request::get(path)
            .header(header::HOST, host)
            .header(header::CONNECTION, "close")
            .header(header::USER_AGENT, "UPnP/1.1")
            .body(Empty::<Bytes>::new())
            .map_err(|error| FetchError::Http { to, source: error.into() })?;
        let response = sender.send_request(request).await.map_err(failed)?;
        if response.status() != http::StatusCode::OK {
            return Err(FetchError::Status { to, status: response.status().as_u16() });
        }
        let body = Limited::new(response.into_body(), MOST).collect().await;
        let body = body.map_err(|source| match source.is::<LengthLimitError>() {
            true => FetchError::TooLong(to),
            false => FetchError::Http { to, source },
        })?;
        Summary::read(&body.to_bytes()).ok_or(FetchError::NotADescription(to))
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.uri, self.address)
    }
}

#[cfg(test)]
mod tests {

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    fn found(source: &str, location: &str) -> Found {
        let way = Way {
            interface: 1,
            source: source.parse().unwrap(),
            location: location.to_owned(),
            expires: tokio::time::Instant::now().into_std(),
        };
        Found {
            usn: "uuid:1".to_owned(),
            target: "upnp:rootdevice".to_owned(),
            location: location.to_owned(),
            server: None,
            boot_id: None,
            config_id: None,
            search_port: None,
            ways: vec![way],
        }
    }

    /// What is told of a web server on loopback that answers like this and closes.
    async fn told(answer: impl Into<Vec<u8>>) -> Result<Summary, FetchError> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answer = answer.into();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let length = stream.read(&mut request).await.unwrap();
            // The other side may have had enough.
            let _ = stream.write_all(&answer).await;
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        let told = found("127.0.0.1", &format!("http://{address}/a/b.xml?c=d")).summary().await;
        let request = server.await.unwrap();
        assert!(request.starts_with("GET /a/b.xml?c=d HTTP/1.1\r\n"), "{request}");
        assert!(request.to_lowercase().contains(&format!("host: {address}\r\n")), "{request}");
        told
    }

    const XML: &str = "<root><device><friendlyName>Attic</friendlyName></device></root>";

    #[tokio::test]
    async fn a_description_is_read_from_any_kind_of_body() {
        let length = XML.len();
        let (first, second) = XML.split_at(30);
        for answer in [
            format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{XML}"),
            format!("HTTP/1.0 200 OK\r\n\r\n{XML}"),
            format!(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                 1e\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n",
                length - 30
            ),
        ] {
            let summary = told(answer).await.unwrap();
            assert_eq!(summary.friendly_name.as_deref(), Some("Attic"));
        }
    }

    #[tokio::test]
    async fn what_is_no_description_is_said() {
        let long = "x".repeat(MOST + 1);
        for (answer, expected) in [
            (
                "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n".to_owned(),
                "status 302",
            ),
            ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(), "status 404"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi".to_owned(), "no description"),
            (format!("HTTP/1.0 200 OK\r\n\r\n{long}"), "more than 262144 bytes"),
            ("SSH-2.0-OpenSSH_9.2\r\n".to_owned(), "as a web server does"),
        ] {
            let error = told(answer).await.unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[tokio::test]
    async fn nobody_is_asked_but_the_host_that_answered() {
        for (source, location, expected) in [
            (
                "10.0.0.5",
                "http://10.0.0.6:80/x",
                "10.0.0.5 says that its description is on another",
            ),
            ("10.0.0.5", "http://127.0.0.1:80/x", "on another host"),
            ("fe80::1", "http://[fd00::1]:80/x", "on another host"),
            ("10.0.0.5", "https://10.0.0.5/x", "not at an http:// URL"),
            ("10.0.0.5", "http://router.lan/x", "not at an http:// URL"),
            ("10.0.0.5", "http://user@10.0.0.5/x", "not at an http:// URL"),
            ("10.0.0.5", "file:///etc/passwd", "not at an http:// URL"),
            ("10.0.0.5", "", "not at an http:// URL"),
        ] {
            let found = found(source, location);
            assert!(!found.has_summary());
            let error = found.summary().await.unwrap_err().to_string();
            assert!(error.contains(expected), "{location}: {error}");
        }
        let local = found("fe80::1", "http://[fe80::1]:8200/x");
        assert!(local.has_summary());
        let place = Place::of(&local.ways[0]).unwrap();
        assert_eq!(place.address, "[fe80::1%1]:8200".parse().unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_says_nothing_is_left() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let error = found("127.0.0.1", &format!("http://{address}/")).summary().await.unwrap_err();
        assert!(matches!(error, FetchError::Slow(to) if to == address), "{error}");
    }
}
