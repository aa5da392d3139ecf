//! Packets out of a byte stream that cuts them anywhere.

use bytes::{Bytes, BytesMut};

use super::frame::{DecodeError, Frame, take};

/// Puts packets together from a TCP stream: a packet may come in pieces, and two may come at
/// once.
///
/// The buffer never holds more than one unfinished packet beyond what one
/// [`push`](Self::push) brought, because [`next_frame`](Self::next_frame) is drained in between
/// and an overlong packet is an error. After an error the stream is out of step and has to be
/// closed; the decoder repeats the error.
#[derive(Debug, Default)]
pub struct FrameDecoder {
    buffer: BytesMut,
}

impl FrameDecoder {
    /// An empty decoder.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete packet; `None` when more bytes are needed.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when the stream cannot be HDHomeRun packets any more.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, DecodeError> {
        let Some(taken) = take(&self.buffer)? else {
            return Ok(None);
        };
        let frame = Frame { kind: taken.kind, payload: Bytes::copy_from_slice(taken.payload) };
        let length = taken.length;
        drop(self.buffer.split_to(length));
        Ok(Some(frame))
    }

    /// How many bytes wait for the rest of their packet.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.buffer.len()
    }
}
