//! Writes DER.

use super::{BIT_STRING, INTEGER, NULL, OCTET_STRING, OID, SEQUENCE, strip_leading_zeros};
use crate::oid::Oid;

/// Appends a tag and a length of the shortest form.
pub(crate) fn header(out: &mut Vec<u8>, tag: u8, length: usize) {
    out.push(tag);
    let octets = length.to_be_bytes();
    let digits = strip_leading_zeros(&octets);
    match digits {
        [] => out.push(0),
        [short] if *short < 0x80 => out.push(*short),
        // A length has at most eight digits.
        _ => {
            out.push(0x80 | u8::try_from(digits.len()).unwrap_or(8));
            out.extend_from_slice(digits);
        }
    }
}

/// One element around bytes that are DER, or a value, already.
pub(crate) fn element(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() + 6);
    header(&mut out, tag, value.len());
    out.extend_from_slice(value);
    out
}

/// One element around several.
pub(crate) fn wrap(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    element(tag, &parts.concat())
}

pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    wrap(SEQUENCE, parts)
}

pub(crate) fn oid(oid: &Oid) -> Vec<u8> {
    element(OID, oid)
}

pub(crate) fn octets(value: &[u8]) -> Vec<u8> {
    element(OCTET_STRING, value)
}

pub(crate) fn null() -> Vec<u8> {
    element(NULL, &[])
}

/// A BIT STRING of whole octets.
pub(crate) fn bits(value: &[u8]) -> Vec<u8> {
    wrap(BIT_STRING, &[&[0], value])
}

/// An INTEGER that is not negative.
pub(crate) fn unsigned(value: u64) -> Vec<u8> {
    let octets = value.to_be_bytes();
    let digits = strip_leading_zeros(&octets);
    match digits.first() {
        Some(first) if *first < 0x80 => element(INTEGER, digits),
        _ => wrap(INTEGER, &[&[0], digits]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::der::Reader;

    #[test]
    fn numbers_and_lengths_survive() {
        for number in [0, 1, 127, 128, 255, 256, 65_535, u64::MAX] {
            assert_eq!(Reader::new(&unsigned(number)).count(), Ok(number));
        }
        for length in [0, 127, 128, 255, 256, 70_000] {
            let written = octets(&vec![7; length]);
            assert_eq!(Reader::new(&written).octets().map(<[u8]>::len), Ok(length));
        }
    }
}
