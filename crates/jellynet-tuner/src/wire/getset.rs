//! Reading and writing a device's variables.

use bytes::Bytes;

use super::frame::{DecodeError, EncodeError, Frame, PacketType};
use super::tlv::{TlvWriter, Tlvs, tag};

/// A question for a variable, or an order to change it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetSetRequest {
    /// The variable, such as `/tuner0/status`.
    pub name: String,
    /// What to set it to; `None` reads it.
    pub value: Option<String>,
    /// The key that holds the tuner's lock, needed to set anything while a lock is held.
    pub lock_key: Option<u32>,
}

impl GetSetRequest {
    /// Reads a variable.
    #[must_use]
    pub fn get(name: impl Into<String>) -> Self {
        Self { name: name.into(), value: None, lock_key: None }
    }

    /// Writes a variable.
    #[must_use]
    pub fn set(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: Some(value.into()), lock_key: None }
    }

    /// The same request with the key of the lock.
    #[must_use]
    pub const fn with_lock_key(mut self, key: u32) -> Self {
        self.lock_key = Some(key);
        self
    }

    /// Writes the packet.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] when name and value do not fit one packet.
    pub fn encode(&self) -> Result<Bytes, EncodeError> {
        let mut payload = TlvWriter::new().c_text(tag::GETSET_NAME, &self.name);
        if let Some(value) = &self.value {
            payload = payload.c_text(tag::GETSET_VALUE, value);
        }
        if let Some(key) = self.lock_key {
            payload = payload.u32(tag::GETSET_LOCKKEY, key);
        }
        let frame = Frame { kind: PacketType::GETSET_REQUEST, payload: payload.finish()? };
        frame.encode()
    }

    /// Reads the packet's values; unknown tags are skipped.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when it is another packet, is malformed, or names no variable.
    pub fn decode(frame: &Frame) -> Result<Self, DecodeError> {
        frame.expect(PacketType::GETSET_REQUEST)?;
        let (mut name, mut value, mut lock_key) = (None, None, None);
        for tlv in Tlvs::new(&frame.payload) {
            let tlv = tlv?;
            match tlv.tag {
                tag::GETSET_NAME => name = Some(tlv.text()),
                tag::GETSET_VALUE => value = Some(tlv.text()),
                tag::GETSET_LOCKKEY => lock_key = Some(tlv.u32()?),
                _ => {}
            }
        }
        let missing = DecodeError::Missing { tag: tag::GETSET_NAME };
        Ok(Self { name: name.ok_or(missing)?, value, lock_key })
    }
}

/// The answer to a [`GetSetRequest`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GetSetReply {
    /// The variable.
    pub name: Option<String>,
    /// Its value, after a set the new one.
    pub value: Option<String>,
    /// Why the device refused, in its own words: `ERROR: …`.
    pub error: Option<String>,
}

impl GetSetReply {
    /// The answer with a value.
    #[must_use]
    pub fn value(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: Some(name.into()), value: Some(value.into()), error: None }
    }

    /// The refusal.
    #[must_use]
    pub fn error(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: Some(name.into()), value: None, error: Some(text.into()) }
    }

    /// Writes the packet.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] when the values do not fit one packet.
    pub fn encode(&self) -> Result<Bytes, EncodeError> {
        let texts = [
            (tag::GETSET_NAME, &self.name),
            (tag::GETSET_VALUE, &self.value),
            (tag::ERROR_MESSAGE, &self.error),
        ];
        let payload = texts.into_iter().fold(TlvWriter::new(), |out, (tag, text)| match text {
            Some(text) => out.c_text(tag, text),
            None => out,
        });
        let frame = Frame { kind: PacketType::GETSET_REPLY, payload: payload.finish()? };
        frame.encode()
    }

    /// Reads the packet's values; unknown tags are skipped, and nothing depends on their order.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when it is another packet or is malformed.
    pub fn decode(frame: &Frame) -> Result<Self, DecodeError> {
        frame.expect(PacketType::GETSET_REPLY)?;
        let mut reply = Self::default();
        for tlv in Tlvs::new(&frame.payload) {
            let tlv = tlv?;
            match tlv.tag {
                tag::GETSET_NAME => reply.name = Some(tlv.text()),
                tag::GETSET_VALUE => reply.value = Some(tlv.text()),
                tag::ERROR_MESSAGE => reply.error = Some(tlv.text()),
                _ => {}
            }
        }
        Ok(reply)
    }
}
