//! What the fuzz targets read with; there with the feature `fuzzing` only.

use bytes::BytesMut;
use http::{HeaderMap, Method};

use crate::body::framing::{Framing, Step};
use crate::head::decode::decode;

/// What came of the bytes of a response.
#[derive(Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Read {
    /// Of the head, if there is one.
    pub status: Option<u16>,
    /// All fields that are passed on.
    pub headers: HeaderMap,
    /// As far as it came.
    pub body: Vec<u8>,
    /// Behind a body in chunks.
    pub trailers: Option<HeaderMap>,
    /// Whether the body has come to its end.
    pub ended: bool,
    /// Why it cannot be read on.
    pub error: Option<String>,
}

/// Reads a response to `method`, of which at most `piece` bytes come at a time.
#[must_use]
pub fn read_response(method: &str, upgrade: bool, bytes: &[u8], piece: usize) -> Read {
    let mut read = Read::default();
    let method = Method::from_bytes(method.as_bytes()).unwrap_or_default();
    let mut buffer = BytesMut::new();
    let mut framing = None;
    for piece in bytes.chunks(piece.clamp(1, bytes.len().max(1))) {
        buffer.extend_from_slice(piece);
        if framing.is_none() {
            match decode(&mut buffer, &method, upgrade) {
                Ok(Some(head)) => {
                    read.status = Some(head.status.as_u16());
                    read.headers = head.headers;
                    framing = Some(head.framing);
                }
                Ok(None) => {}
                Err(error) => {
                    read.error = Some(error.to_string());
                    return read;
                }
            }
        }
        if let Some(framing) = &mut framing
            && read_body(framing, &mut buffer, &mut read)
        {
            return read;
        }
    }
    read
}

/// Takes what is there of the body; whether that was its end.
fn read_body(framing: &mut Framing, buffer: &mut BytesMut, read: &mut Read) -> bool {
    loop {
        match framing.step(buffer) {
            Ok(Step::Data(data)) => read.body.extend_from_slice(&data),
            Ok(Step::Trailers(trailers)) => read.trailers = Some(trailers),
            Ok(Step::More) => return false,
            Ok(Step::End) => {
                read.ended = true;
                return true;
            }
            Err(error) => {
                read.error = Some(error.to_string());
                return true;
            }
        }
    }
}
