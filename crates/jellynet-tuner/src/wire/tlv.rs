//! Tag, length, value.

use bytes::{BufMut, Bytes, BytesMut};

use super::frame::{DecodeError, EncodeError};

/// The tags in use; every other one is skipped.
pub mod tag {
    /// 4 bytes: 1 tuner, 5 storage, `FFFFFFFF` any.
    pub const DEVICE_TYPE: u8 = 0x01;
    /// 4 bytes: `FFFFFFFF` any.
    pub const DEVICE_ID: u8 = 0x02;
    /// Text with NUL: the name of a variable.
    pub const GETSET_NAME: u8 = 0x03;
    /// Text with NUL: its value; in a request it means "set".
    pub const GETSET_VALUE: u8 = 0x04;
    /// Text with NUL: why the device refused.
    pub const ERROR_MESSAGE: u8 = 0x05;
    /// 1 byte: how many tuners.
    pub const TUNER_COUNT: u8 = 0x10;
    /// 4 bytes: the key that holds the lock.
    pub const GETSET_LOCKKEY: u8 = 0x15;
    /// Text: where `lineup.json` is.
    pub const LINEUP_URL: u8 = 0x27;
    /// Text: where a recorder keeps its list.
    pub const STORAGE_URL: u8 = 0x28;
    /// 18 bytes: the deprecated binary form of [`DEVICE_AUTH_STR`].
    pub const DEVICE_AUTH_BIN: u8 = 0x29;
    /// Text: the root of the device's HTTP API.
    pub const BASE_URL: u8 = 0x2A;
    /// Text: a secret towards the vendor's service.
    pub const DEVICE_AUTH_STR: u8 = 0x2B;
    /// Text: the recorder's own id.
    pub const STORAGE_ID: u8 = 0x2C;
    /// 4 bytes per entry: several device types.
    pub const MULTI_TYPE: u8 = 0x2D;
}

/// The longest value that the two-byte length form can express.
const MAX_VALUE: usize = 0x7FFF;

/// One tagged value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tlv<'a> {
    /// What it is; see [`tag`].
    pub tag: u8,
    /// Its bytes.
    pub value: &'a [u8],
}

impl Tlv<'_> {
    /// The value as a big-endian number.
    ///
    /// # Errors
    ///
    /// [`DecodeError::ValueLength`] when it is not four bytes long.
    pub fn u32(&self) -> Result<u32, DecodeError> {
        let bytes = <[u8; 4]>::try_from(self.value)
            .map_err(|_| DecodeError::ValueLength { tag: self.tag, length: self.value.len() })?;
        Ok(u32::from_be_bytes(bytes))
    }

    /// The value as text up to its first NUL, which is customary but not relied on. Bytes that
    /// are no UTF-8 become U+FFFD.
    #[must_use]
    pub fn text(&self) -> String {
        let text = self.value.split(|b| *b == 0).next().unwrap_or_default();
        String::from_utf8_lossy(text).into_owned()
    }
}

/// The values of a payload, in order. After an error the iteration ends.
#[derive(Clone, Debug)]
pub struct Tlvs<'a> {
    rest: &'a [u8],
    length: usize,
}

impl<'a> Tlvs<'a> {
    /// Reads `payload` from its start.
    #[must_use]
    pub const fn new(payload: &'a [u8]) -> Self {
        Self { rest: payload, length: payload.len() }
    }

    fn first(&self) -> Option<(Tlv<'a>, &'a [u8])> {
        let (tag, rest) = self.rest.split_first()?;
        let (first, rest) = rest.split_first()?;
        let (length, rest) = if first & 0x80 == 0 {
            (usize::from(*first), rest)
        } else {
            let (second, rest) = rest.split_first()?;
            (usize::from(first & 0x7F) | usize::from(*second) << 7, rest)
        };
        let (value, rest) = rest.split_at_checked(length)?;
        Some((Tlv { tag: *tag, value }, rest))
    }
}

impl<'a> Iterator for Tlvs<'a> {
    type Item = Result<Tlv<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let at = self.length - self.rest.len();
        match self.first() {
            Some((tlv, rest)) => {
                self.rest = rest;
                Some(Ok(tlv))
            }
            None => {
                self.rest = &[];
                Some(Err(DecodeError::Truncated { at }))
            }
        }
    }
}

/// Writes tagged values one after the other.
#[derive(Debug, Default)]
pub struct TlvWriter {
    out: BytesMut,
    too_long: Option<usize>,
}

impl TlvWriter {
    /// An empty payload.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a value.
    #[must_use]
    pub fn bytes(mut self, tag: u8, value: &[u8]) -> Self {
        if value.len() > MAX_VALUE {
            self.too_long = Some(value.len());
            return self;
        }
        self.out.put_u8(tag);
        let [low, high, ..] = value.len().to_le_bytes();
        if value.len() <= 127 {
            self.out.put_u8(low);
        } else {
            self.out.put_u8(low | 0x80);
            // value.len() is at most 15 bits long, so this is its bits 7 to 14.
            self.out.put_u8((high << 1) | (low >> 7));
        }
        self.out.put_slice(value);
        self
    }

    /// Appends a big-endian number.
    #[must_use]
    pub fn u32(self, tag: u8, value: u32) -> Self {
        self.bytes(tag, &value.to_be_bytes())
    }

    /// Appends text with the NUL that control values end in.
    #[must_use]
    pub fn c_text(self, tag: u8, text: &str) -> Self {
        let mut value = Vec::with_capacity(text.len() + 1);
        value.extend_from_slice(text.as_bytes());
        value.push(0);
        self.bytes(tag, &value)
    }

    /// The payload.
    ///
    /// # Errors
    ///
    /// [`EncodeError::ValueTooLong`] when a value does not fit its length field.
    pub fn finish(self) -> Result<Bytes, EncodeError> {
        match self.too_long {
            Some(length) => Err(EncodeError::ValueTooLong { length }),
            None => Ok(self.out.freeze()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(length: usize) -> Bytes {
        TlvWriter::new().bytes(9, &vec![7; length]).finish().unwrap()
    }

    #[test]
    fn a_length_takes_one_byte_up_to_127_and_two_beyond() {
        for (length, head) in [
            (0, vec![9, 0]),
            (127, vec![9, 0x7F]),
            (128, vec![9, 0x80, 0x01]),
            (300, vec![9, 0xAC, 0x02]),
            (MAX_VALUE, vec![9, 0xFF, 0xFF]),
        ] {
            let payload = written(length);
            assert!(payload.starts_with(&head), "{length}");
            let read = Tlvs::new(&payload).next().unwrap().unwrap();
            assert_eq!(read.value.len(), length);
        }
        let too_long = TlvWriter::new().bytes(9, &vec![0; MAX_VALUE + 1]).finish();
        assert!(matches!(too_long, Err(EncodeError::ValueTooLong { length: 32768 })));
    }

    #[test]
    fn a_value_that_ends_too_early_is_an_error_and_the_last_item() {
        // The second: a two-byte length of which only one byte is there. SiliconDust's reader
        // lets its position wrap around here.
        for payload in [&[9, 5, 1, 2][..], &[9, 0x80], &[9]] {
            let mut tlvs = Tlvs::new(payload);
            assert!(matches!(tlvs.next(), Some(Err(DecodeError::Truncated { at: 0 }))));
            assert!(tlvs.next().is_none());
        }
    }

    #[test]
    fn text_ends_at_its_nul_or_at_its_end() {
        for value in [&b"none\0"[..], b"none", b"none\0junk"] {
            assert_eq!(Tlv { tag: 4, value }.text(), "none");
        }
        assert_eq!(Tlv { tag: 4, value: b"" }.text(), "");
    }
}
