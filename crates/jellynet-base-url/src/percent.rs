//! Percent-encoding (RFC 3986 § 2.1), byte by byte and without allocation.

/// One byte of a path, as it is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Byte {
    /// The byte itself, decoded.
    pub(crate) value: u8,
    /// Whether it was written as `%XX`.
    pub(crate) encoded: bool,
    /// How many bytes of the text it took.
    pub(crate) len: usize,
}

impl Byte {
    /// Whether this separates segments: only a slash that is written as one.
    pub(crate) const fn is_separator(self) -> bool {
        self.value == b'/' && !self.encoded
    }
}

/// The bytes of a path as they are meant; an escape that is none stays a plain `%`.
#[derive(Clone, Debug)]
pub(crate) struct Bytes<'a> {
    rest: &'a [u8],
}

impl<'a> Bytes<'a> {
    pub(crate) const fn new(text: &'a str) -> Self {
        Self { rest: text.as_bytes() }
    }
}

impl Iterator for Bytes<'_> {
    type Item = Byte;

    fn next(&mut self) -> Option<Byte> {
        let byte = match *self.rest {
            [] => return None,
            [b'%', high, low, ..] => match (hex(high), hex(low)) {
                (Some(high), Some(low)) => Byte { value: high << 4 | low, encoded: true, len: 3 },
                _ => plain(b'%'),
            },
            [value, ..] => plain(value),
        };
        self.rest = self.rest.get(byte.len..).unwrap_or_default();
        Some(byte)
    }
}

const fn plain(value: u8) -> Byte {
    Byte { value, encoded: false, len: 1 }
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// `unreserved` of RFC 3986 § 2.3: means the same encoded and plain.
pub(crate) const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// `pchar` of RFC 3986 § 3.3 without the escapes: what a segment may hold as it is.
pub(crate) const fn is_segment_byte(byte: u8) -> bool {
    is_unreserved(byte)
        || matches!(
            byte,
            b'!' | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
                | b':'
                | b'@'
        )
}

/// Appends one byte as `%XX`, with upper-case digits (RFC 3986 § 6.2.2.1).
pub(crate) fn push_escape(out: &mut String, byte: u8) {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    out.push('%');
    for digit in [byte >> 4, byte & 15] {
        out.extend(DIGITS.get(usize::from(digit)));
    }
}

/// Appends a path or query as it may stand in a `Location`: what is no URI character is escaped
/// (so no control character splits a header and no `\` turns into a `/`), escapes stay.
pub(crate) fn push_reference(out: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'/' | b'?' | b'%' => out.push(char::from(byte)),
            _ if is_segment_byte(byte) => out.push(char::from(byte)),
            _ => push_escape(out, byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_that_is_none_stays_a_percent_sign() {
        let values: Vec<u8> = Bytes::new("%41%zz%4").map(|byte| byte.value).collect();
        assert_eq!(values, b"A%zz%4");
    }

    #[test]
    fn an_encoded_slash_separates_nothing() {
        assert!(Bytes::new("/").all(Byte::is_separator));
        assert!(!Bytes::new("%2F").any(Byte::is_separator));
    }

    #[test]
    fn a_reference_cannot_split_a_header_or_hide_a_slash() {
        let mut out = String::new();
        push_reference(&mut out, "/a\r\nX: y\\z?q=%20&r=\u{e9}#f");
        assert_eq!(out, "/a%0D%0AX:%20y%5Cz?q=%20&r=%C3%A9%23f");
    }
}
