//! Text that may stand in a header.

use std::fmt;

/// The longest header value that is read or written, in bytes.
pub const MAX_FIELD_VALUE: usize = 1024;

/// Text that may stand in a header: not empty, no control characters, no white space at either
/// end, at most [`MAX_FIELD_VALUE`] bytes.
///
/// A name given by a user becomes one of these before it is sent, so a line break in it is an
/// error value and not a header.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldValue<'a>(&'a str);

impl<'a> FieldValue<'a> {
    /// Checks `text`.
    ///
    /// # Errors
    ///
    /// When it is empty, too long, has a control character or white space at an end.
    pub fn new(text: &'a str) -> Result<Self, FieldValueError> {
        if is_plain(text.as_bytes()) {
            return Ok(Self(text));
        }
        if text.is_empty() {
            return Err(FieldValueError::Empty);
        }
        if text.len() > MAX_FIELD_VALUE {
            return Err(FieldValueError::TooLong { len: text.len() });
        }
        if let Some(at) = text.find(char::is_control) {
            return Err(FieldValueError::Control { at });
        }
        if text.trim().len() != text.len() {
            return Err(FieldValueError::Space);
        }
        Ok(Self(text))
    }

    /// The text.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// For text that this crate itself has checked or made.
    pub(crate) const fn trusted(text: &'a str) -> Self {
        Self(text)
    }
}

/// Whether it is good at a glance, as almost all text is: printable ASCII, no space at an end.
/// Looking at all bytes without stopping is the quickest way for a processor.
fn is_plain(text: &[u8]) -> bool {
    let printable = |all, byte: &u8| all & matches!(byte, b' '..=b'~');
    (1..=MAX_FIELD_VALUE).contains(&text.len())
        && text.iter().fold(true, printable)
        && text.first() != Some(&b' ')
        && text.last() != Some(&b' ')
}

impl fmt::Debug for FieldValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for FieldValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Why text may not stand in a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldValueError {
    /// There is no text.
    #[error("a header value is empty")]
    Empty,
    /// There is more text than [`MAX_FIELD_VALUE`].
    #[error("a header value has {len} bytes, {MAX_FIELD_VALUE} are allowed")]
    TooLong {
        /// How many bytes there are.
        len: usize,
    },
    /// A control character, such as a line break.
    #[error("a header value has a control character at byte {at}")]
    Control {
        /// Where it stands.
        at: usize,
    },
    /// White space at the start or the end, which no reader keeps.
    #[error("a header value starts or ends with white space")]
    Space,
}
