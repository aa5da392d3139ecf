//! Where a body ends (RFC 9112 § 6.3), and the bytes in it.

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Longest line of a chunk size with its extensions.
const MAX_SIZE_LINE: usize = 4 * 1024;
/// Longest trailer section, and most fields in it.
const MAX_TRAILERS: usize = 16 * 1024;
const MAX_TRAILER_FIELDS: usize = 32;

/// How a body is delimited, and how far it was read.
#[derive(Debug)]
pub(crate) enum Framing {
    /// This many bytes are left.
    Length(u64),
    Chunked(Chunk),
    /// Until the connection ends.
    Close,
}

/// Where within the chunked coding (RFC 9112 § 7.1) the reader stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chunk {
    Size,
    Data(u64),
    DataEnd,
    Trailers,
}

/// What the bytes so far give.
#[derive(Debug)]
pub(crate) enum Step {
    Data(Bytes),
    Trailers(HeaderMap),
    /// Read more.
    More,
    End,
}

/// Why a body cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum FramingError {
    #[error("the chunk size is malformed")]
    ChunkSize,
    #[error("a chunk is longer than it says")]
    ChunkEnd,
    #[error("the trailers are malformed")]
    Trailers,
}

impl Framing {
    /// A body without a byte.
    pub(crate) const EMPTY: Self = Self::Length(0);

    /// Takes what is there of the body from the front of `buffer`.
    pub(crate) fn step(&mut self, buffer: &mut BytesMut) -> Result<Step, FramingError> {
        match self {
            Self::Length(0) => Ok(Step::End),
            Self::Length(left) => Ok(take(buffer, left).map_or(Step::More, Step::Data)),
            Self::Close if buffer.is_empty() => Ok(Step::More),
            Self::Close => Ok(Step::Data(buffer.split().freeze())),
            Self::Chunked(chunk) => loop {
                match chunk {
                    Chunk::Size => match chunk_size(buffer)? {
                        None => return Ok(Step::More),
                        Some(0) => *chunk = Chunk::Trailers,
                        Some(size) => *chunk = Chunk::Data(size),
                    },
                    Chunk::Data(0) => *chunk = Chunk::DataEnd,
                    Chunk::Data(left) => {
                        return Ok(take(buffer, left).map_or(Step::More, Step::Data));
                    }
                    Chunk::DataEnd => match *buffer.as_ref() {
                        [b'\r', b'\n', ..] => {
                            buffer.advance(2);
                            *chunk = Chunk::Size;
                        }
                        [] | [b'\r'] => return Ok(Step::More),
                        _ => return Err(FramingError::ChunkEnd),
                    },
                    Chunk::Trailers => {
                        let Some(trailers) = trailers(buffer)? else {
                            return Ok(Step::More);
                        };
                        *self = Self::EMPTY;
                        if trailers.is_empty() {
                            return Ok(Step::End);
                        }
                        return Ok(Step::Trailers(trailers));
                    }
                }
            },
        }
    }
}

fn take(buffer: &mut BytesMut, left: &mut u64) -> Option<Bytes> {
    if buffer.is_empty() {
        return None;
    }
    let here = usize::try_from(*left).map_or(buffer.len(), |left| left.min(buffer.len()));
    *left -= u64::try_from(here).unwrap_or(*left);
    Some(buffer.split_to(here).freeze())
}

/// Reads `size [; extension] CRLF`: hexadecimal digits only, at most 16, no bare LF, no bare CR.
fn chunk_size(buffer: &mut BytesMut) -> Result<Option<u64>, FramingError> {
    let Some(end) = buffer.iter().position(|&byte| byte == b'\n') else {
        if buffer.len() > MAX_SIZE_LINE + 1 {
            return Err(FramingError::ChunkSize);
        }
        return Ok(None);
    };
    let line = buffer.get(..end).and_then(|line| line.strip_suffix(b"\r"));
    let line = line.filter(|line| line.len() <= MAX_SIZE_LINE);
    let size = line.and_then(parse_size).ok_or(FramingError::ChunkSize)?;
    buffer.advance(end + 1);
    Ok(Some(size))
}

fn parse_size(line: &[u8]) -> Option<u64> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (digits, extension) = line.split_at_checked(digits)?;
    if digits.is_empty() || digits.len() > 16 || extension.contains(&b'\r') {
        return None;
    }
    // Space before the semicolon is "bad white space" (RFC 9110 § 5.6.3), which is to be read.
    let extension = extension.trim_ascii_start();
    if !(extension.is_empty() || extension.starts_with(b";")) {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn trailers(buffer: &mut BytesMut) -> Result<Option<HeaderMap>, FramingError> {
    if buffer.starts_with(b"\r\n") {
        buffer.advance(2);
        return Ok(Some(HeaderMap::new()));
    }
    let mut fields = [httparse::EMPTY_HEADER; MAX_TRAILER_FIELDS];
    let (len, fields) = match httparse::parse_headers(buffer, &mut fields) {
        Ok(httparse::Status::Complete(complete)) if complete.0 <= MAX_TRAILERS => complete,
        Ok(httparse::Status::Partial) if buffer.len() <= MAX_TRAILERS => return Ok(None),
        Ok(_) | Err(_) => return Err(FramingError::Trailers),
    };
    let mut map = HeaderMap::with_capacity(fields.len());
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes());
        let value = HeaderValue::from_bytes(field.value);
        let (Ok(name), Ok(value)) = (name, value) else {
            return Err(FramingError::Trailers);
        };
        if may_trail(&name) {
            map.append(name, value);
        }
    }
    buffer.advance(len);
    Ok(Some(map))
}

/// Fields that frame or route a message are dropped from trailers (RFC 9110 § 6.5.1).
pub(crate) fn may_trail(name: &HeaderName) -> bool {
    !matches!(
        name.as_str(),
        "transfer-encoding"
            | "content-length"
            | "content-encoding"
            | "content-range"
            | "content-type"
            | "host"
            | "connection"
            | "keep-alive"
            | "te"
            | "trailer"
            | "upgrade"
            | "set-cookie"
            | "location"
            | "authorization"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `text` byte by byte; gives the data, the trailers and what is left behind the end.
    fn read(mut framing: Framing, text: &[u8]) -> Result<(Vec<u8>, HeaderMap, bool), FramingError> {
        let (mut data, mut map) = (Vec::new(), HeaderMap::new());
        let mut buffer = BytesMut::new();
        for &byte in text {
            buffer.extend_from_slice(&[byte]);
            loop {
                match framing.step(&mut buffer)? {
                    Step::Data(bytes) => data.extend_from_slice(&bytes),
                    Step::Trailers(trailers) => map = trailers,
                    Step::More => break,
                    Step::End => return Ok((data, map, true)),
                }
            }
        }
        Ok((data, map, false))
    }

    fn chunked(text: &[u8]) -> Result<(Vec<u8>, HeaderMap, bool), FramingError> {
        read(Framing::Chunked(Chunk::Size), text)
    }

    #[test]
    fn chunks_extensions_and_trailers_are_read_byte_by_byte() {
        let text = b"3\r\nabc\r\n0A ;x=\"y\"\r\n0123456789\r\n0\r\nX-Sum: 1\r\nHost: evil\r\n\r\n";
        let (data, trailers, ended) = chunked(text).unwrap();
        assert_eq!(data, b"abc0123456789");
        assert_eq!(trailers.len(), 1);
        assert_eq!(trailers["x-sum"], "1");
        assert!(ended);
    }

    #[test]
    fn an_unclear_chunk_is_refused() {
        for (text, error) in [
            (&b"3\nabc"[..], FramingError::ChunkSize),
            (b"+3\r\nabc\r\n", FramingError::ChunkSize),
            (b"0x3\r\nabc\r\n", FramingError::ChunkSize),
            (b" 3\r\nabc\r\n", FramingError::ChunkSize),
            (b"\r\n", FramingError::ChunkSize),
            (b"-1\r\n", FramingError::ChunkSize),
            (b"3;a\rb\r\nabc\r\n", FramingError::ChunkSize),
            (b"11111111111111111\r\n", FramingError::ChunkSize),
            (b"3\r\nabcd\r\n", FramingError::ChunkEnd),
            (b"3\r\nabc\n0\r\n", FramingError::ChunkEnd),
            (b"0\r\nX Y: 1\r\n\r\n", FramingError::Trailers),
            (b"0\r\nX: 1\r\n folded\r\n\r\n", FramingError::Trailers),
        ] {
            let shown = String::from_utf8_lossy(text);
            assert_eq!(chunked(text).map(|_| ()), Err(error), "{shown:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_chunked_is_read_however_it_is_cut(
            pieces in proptest::collection::vec("[a-z\\r\\n]{1,20}", 0..8), rest in "[ -~]{0,9}",
        ) {
            let mut text: String = pieces
                .iter()
                .map(|piece| format!("{:x}\r\n{piece}\r\n", piece.len()))
                .collect();
            text.push_str("0\r\n\r\n");
            text.push_str(&rest);
            let (data, _, ended) = chunked(text.as_bytes()).unwrap();
            proptest::prop_assert_eq!(data, pieces.concat().into_bytes());
            proptest::prop_assert!(ended || rest.is_empty());
        }

        #[test]
        fn hostile_bytes_never_panic(bytes in proptest::prelude::any::<Vec<u8>>(), text in "[0-9a-f;\\r\\n ]{0,40}") {
            let _ = chunked(&bytes);
            let _ = chunked(text.as_bytes());
        }
    }

    #[test]
    fn a_length_takes_no_byte_more() {
        let mut buffer = BytesMut::from(&b"abcdef"[..]);
        let mut framing = Framing::Length(3);
        assert!(matches!(framing.step(&mut buffer), Ok(Step::Data(data)) if data == "abc"));
        assert!(matches!(framing.step(&mut buffer), Ok(Step::End)));
        assert_eq!(buffer, "def");
    }
}
