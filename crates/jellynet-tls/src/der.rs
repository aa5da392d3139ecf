//! Just enough ASN.1: a reader over slices, a writer, and the step from BER to DER.
//!
//! The reader never panics and never allocates. It reads definite lengths only: what may be BER
//! goes through [`ber::normalize`] first.

pub(crate) mod ber;
pub(crate) mod write;

use crate::oid::Oid;

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const NULL: u8 = 0x05;
pub(crate) const OID: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// `[n]` with something constructed in it.
pub(crate) const fn context(n: u8) -> u8 {
    0xa0 | n
}

/// `[n] IMPLICIT` of something primitive.
pub(crate) const fn context_primitive(n: u8) -> u8 {
    0x80 | n
}

/// The bytes are not what their headers say: what is wrong with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// One element: tag, length, value.
#[derive(Clone, Copy)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) value: &'a [u8],
    /// The whole element with its header.
    pub(crate) raw: &'a [u8],
}

impl<'a> Element<'a> {
    /// A reader over the elements inside.
    pub(crate) const fn inside(&self) -> Reader<'a> {
        Reader { rest: self.value }
    }
}

/// Reads elements one after another.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The tag that comes next.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The next element, whatever it is.
    pub(crate) fn any(&mut self) -> Result<Element<'a>, Malformed> {
        let header = Header::read(self.rest)?;
        let Length::Definite(length) = header.length else {
            return Err(Malformed("a length is indefinite"));
        };
        let end = header.size.checked_add(length).ok_or(OVERRUN)?;
        let (raw, rest) = self.rest.split_at_checked(end).ok_or(OVERRUN)?;
        let value = raw.get(header.size..).ok_or(OVERRUN)?;
        self.rest = rest;
        Ok(Element { tag: header.tag, value, raw })
    }

    /// The next element, if it has this tag.
    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, Malformed> {
        if self.peek() == Some(tag) { self.any().map(Some) } else { Ok(None) }
    }

    /// The next element, which must have this tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Result<Element<'a>, Malformed> {
        self.optional(tag)?.ok_or(match tag {
            SEQUENCE => Malformed("a SEQUENCE is missing"),
            INTEGER => Malformed("an INTEGER is missing"),
            OCTET_STRING => Malformed("an OCTET STRING is missing"),
            OID => Malformed("an OBJECT IDENTIFIER is missing"),
            _ => Malformed("an element is missing"),
        })
    }

    pub(crate) fn sequence(&mut self) -> Result<Self, Malformed> {
        Ok(self.expect(SEQUENCE)?.inside())
    }

    pub(crate) fn oid(&mut self) -> Result<&'a Oid, Malformed> {
        Ok(self.expect(OID)?.value)
    }

    pub(crate) fn octets(&mut self) -> Result<&'a [u8], Malformed> {
        Ok(self.expect(OCTET_STRING)?.value)
    }

    /// An INTEGER that counts something: not negative, and of at most 64 bits.
    pub(crate) fn count(&mut self) -> Result<u64, Malformed> {
        unsigned(self.expect(INTEGER)?.value)
    }

    /// The bits of a BIT STRING that is a whole number of octets.
    pub(crate) fn bits(&mut self) -> Result<&'a [u8], Malformed> {
        match self.expect(BIT_STRING)?.value.split_first() {
            Some((0, bits)) => Ok(bits),
            _ => Err(Malformed("a BIT STRING is not a whole number of octets")),
        }
    }
}

/// The value of an INTEGER that is not negative and has at most 64 bits.
pub(crate) fn unsigned(value: &[u8]) -> Result<u64, Malformed> {
    match value.first() {
        None => return Err(Malformed("an INTEGER is empty")),
        Some(first) if first & 0x80 != 0 => return Err(Malformed("a number is negative")),
        Some(_) => {}
    }
    let digits = strip_leading_zeros(value);
    if digits.len() > 8 {
        return Err(Malformed("a number has more than 64 bits"));
    }
    Ok(digits.iter().fold(0, |sum, octet| sum << 8 | u64::from(*octet)))
}

/// The magnitude without its leading zero octets.
pub(crate) fn strip_leading_zeros(value: &[u8]) -> &[u8] {
    let zeros = value.iter().take_while(|octet| **octet == 0).count();
    value.get(zeros..).unwrap_or_default()
}

/// What follows the header of the first element, even if the element is cut short or of
/// indefinite length.
pub(crate) fn inside_unchecked(bytes: &[u8]) -> Result<&[u8], Malformed> {
    bytes.get(Header::read(bytes)?.size..).ok_or(OVERRUN)
}

const OVERRUN: Malformed = Malformed("it ends in the middle of an element");

enum Length {
    Definite(usize),
    Indefinite,
}

/// A tag and a length. Tags above 30 do not occur in key and certificate files.
struct Header {
    tag: u8,
    length: Length,
    size: usize,
}

impl Header {
    fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let (&tag, rest) = bytes.split_first().ok_or(OVERRUN)?;
        if tag & 0x1f == 0x1f {
            return Err(Malformed("a tag has a number above 30"));
        }
        let (&first, rest) = rest.split_first().ok_or(OVERRUN)?;
        if first < 0x80 {
            return Ok(Self { tag, length: Length::Definite(first.into()), size: 2 });
        }
        if first == 0x80 {
            return Ok(Self { tag, length: Length::Indefinite, size: 2 });
        }
        let octets = usize::from(first & 0x7f);
        let digits = strip_leading_zeros(rest.get(..octets).ok_or(OVERRUN)?);
        if digits.len() > 4 {
            return Err(OVERRUN);
        }
        let length = digits.iter().fold(0, |sum, octet| sum << 8 | usize::from(*octet));
        Ok(Self { tag, length: Length::Definite(length), size: 2 + octets })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_neither_negative_nor_wider_than_64_bits() {
        assert_eq!(unsigned(&[0x08, 0x00]), Ok(2048));
        assert_eq!(unsigned(&[0; 20]), Ok(0));
        assert_eq!(unsigned(&[0xff]), Err(Malformed("a number is negative")));
        assert!(unsigned(&[1; 9]).is_err());
        assert!(unsigned(&[]).is_err());
    }

    #[test]
    fn a_length_that_runs_past_the_end_is_no_element() {
        for bytes in [&b"\x30"[..], b"\x30\x05\x00", b"\x30\x84\xff\xff\xff\xff", b"\x30\xff"] {
            assert!(Reader::new(bytes).any().is_err(), "{bytes:02x?}");
        }
    }
}
