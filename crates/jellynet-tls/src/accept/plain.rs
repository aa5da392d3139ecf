//! Plain HTTP on the TLS port: the URL was typed with `http:`.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::AcceptError;
use crate::host;

/// More than any browser sends with its first request.
const MAX_HEAD: usize = 16 * 1024;

/// What is read of a body before the connection is closed, so that the answer is not lost to a
/// reset.
const MAX_DRAIN: usize = 64 * 1024;

/// Answers a request whose first octets are there, and closes.
pub(super) async fn answer<IO>(mut io: IO, mut head: Vec<u8>, limit: Duration) -> AcceptError
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    if !head.first().is_some_and(u8::is_ascii_uppercase) {
        return AcceptError::NotTls;
    }
    let reading = async {
        while !is_complete(&head) && head.len() < MAX_HEAD {
            if !matches!(io.read_buf(&mut head).await, Ok(1..)) {
                break;
            }
        }
    };
    let _ = timeout(limit, reading).await;
    let Some(request) = Request::parse(&head) else {
        return AcceptError::NotTls;
    };
    let location = request.location();
    let response = response(location.as_deref());
    let writing = async {
        io.write_all(response.as_bytes()).await?;
        io.shutdown().await?;
        let mut drained = 0;
        let mut scratch = [0; 4096];
        while drained < MAX_DRAIN {
            match io.read(&mut scratch).await? {
                0 => break,
                read => drained += read,
            }
        }
        Ok::<_, std::io::Error>(())
    };
    // Whoever does not read the answer does not get it.
    let _ = timeout(limit, writing).await;
    AcceptError::PlainHttp { location: location.unwrap_or_default() }
}

fn is_complete(head: &[u8]) -> bool {
    head.windows(4).any(|end| end == b"\r\n\r\n") || head.windows(2).any(|end| end == b"\n\n")
}

fn response(location: Option<&str>) -> String {
    let (status, header, text) = match location {
        Some(location) => (
            "308 Permanent Redirect",
            format!("location: {location}\r\n"),
            format!("This port speaks HTTPS. Use {location}\n"),
        ),
        None => ("400 Bad Request", String::new(), "This port speaks HTTPS.\n".to_owned()),
    };
    format!(
        "HTTP/1.1 {status}\r\n{header}content-type: text/plain; charset=utf-8\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{text}",
        text.len()
    )
}

/// As much of RFC 9112 as a redirect needs.
struct Request<'a> {
    target: &'a str,
    host: Option<&'a str>,
}

impl<'a> Request<'a> {
    fn parse(head: &'a [u8]) -> Option<Self> {
        let text = str::from_utf8(head).ok()?;
        let mut lines = text.split('\n').map(|line| line.trim_end_matches('\r'));
        let mut words = lines.next()?.split(' ');
        let (method, target, version) = (words.next()?, words.next()?, words.next()?);
        let is_method = !method.is_empty() && method.bytes().all(|c| c.is_ascii_uppercase());
        if !is_method || !version.starts_with("HTTP/1.") {
            return None;
        }
        let mut host = None;
        for line in lines.take_while(|line| !line.is_empty()) {
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("host")
            {
                host = Some(value.trim());
            }
        }
        Some(Self { target, host })
    }

    /// The same URL; the port stays, for this is the port that speaks HTTPS.
    fn location(&self) -> Option<String> {
        let host = self.host.filter(|host| host::is_authority(host))?;
        let target =
            self.target.bytes().all(|octet| octet.is_ascii_graphic()).then_some(self.target)?;
        let target = if target.starts_with('/') { target } else { "/" };
        Some(format!("https://{host}{target}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(request: &str) -> Option<String> {
        Request::parse(request.as_bytes())?.location()
    }

    #[test]
    fn the_url_stays_the_same_but_for_its_scheme() {
        let request = "GET /web/?a=b HTTP/1.1\r\nAccept: */*\r\nHost: tv.example.org:8920\r\n\r\n";
        assert_eq!(location(request).unwrap(), "https://tv.example.org:8920/web/?a=b");
        assert_eq!(location("GET / HTTP/1.1\nhost: [fe80::1]\n\n").unwrap(), "https://[fe80::1]/");
        assert_eq!(location("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").unwrap(), "https://a/");
    }

    #[test]
    fn nothing_from_the_request_can_forge_a_header() {
        assert_eq!(location("GET / HTTP/1.1\r\nHost: a\tb\r\n\r\n"), None);
        assert_eq!(location("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), None);
        assert_eq!(location("GET / HTTP/1.1\r\nHost: user@a\r\n\r\n"), None);
        assert_eq!(location("GET /\r HTTP/1.1\r\nHost: a\r\n\r\n"), None);
        assert_eq!(location("GET / HTTP/1.0\r\n\r\n"), None);
        assert!(Request::parse(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").is_none());
        assert!(Request::parse(b"SSH-2.0-x\r\n").is_none());
    }
}
