//! From BER to DER: definite lengths of the shortest form, strings in one piece.
//!
//! NSS, Firefox, Windows and Bouncy Castle write indefinite lengths and strings in pieces
//! (X.690 § 8.1.3.6, § 8.7.3); every reader after this one is spared them.

use zeroize::Zeroizing;

use super::write::header;
use super::{Header, Length, Malformed, OCTET_STRING, OVERRUN};

/// Deeper than any real file, and far from the end of a stack.
const MAX_DEPTH: usize = 32;

const CONSTRUCTED: u8 = 0x20;
const END_OF_CONTENTS: [u8; 2] = [0, 0];

/// The first element of `input` as DER. What follows it is ignored: files made by Windows carry
/// trailing zeros.
pub(crate) fn normalize(input: &[u8]) -> Result<Zeroizing<Vec<u8>>, Malformed> {
    let mut out = Zeroizing::new(Vec::with_capacity(input.len() + 16));
    element(input, &mut out, 0)?;
    Ok(out)
}

/// Writes the first element of `input` to `out` and returns what follows it.
fn element<'a>(input: &'a [u8], out: &mut Vec<u8>, depth: usize) -> Result<&'a [u8], Malformed> {
    if depth > MAX_DEPTH {
        return Err(Malformed("elements are nested more than 32 deep"));
    }
    let head = Header::read(input)?;
    let body = input.get(head.size..).ok_or(OVERRUN)?;
    if head.tag & CONSTRUCTED == 0 {
        let Length::Definite(length) = head.length else {
            return Err(Malformed("a plain value has an indefinite length"));
        };
        let (value, rest) = body.split_at_checked(length).ok_or(OVERRUN)?;
        header(out, head.tag, value.len());
        out.extend_from_slice(value);
        return Ok(rest);
    }
    let mut inside = Zeroizing::new(Vec::new());
    let rest = match head.length {
        Length::Definite(length) => {
            let (mut children, rest) = body.split_at_checked(length).ok_or(OVERRUN)?;
            while !children.is_empty() {
                children = element(children, &mut inside, depth + 1)?;
            }
            rest
        }
        Length::Indefinite => until_end(body, &mut inside, depth + 1)?,
    };
    if head.tag == OCTET_STRING | CONSTRUCTED {
        let whole = join(&inside)?;
        header(out, OCTET_STRING, whole.len());
        out.extend_from_slice(&whole);
    } else {
        header(out, head.tag, inside.len());
        out.extend_from_slice(&inside);
    }
    Ok(rest)
}

/// Writes elements up to the end-of-contents octets and returns what follows those.
fn until_end<'a>(
    mut input: &'a [u8],
    out: &mut Vec<u8>,
    depth: usize,
) -> Result<&'a [u8], Malformed> {
    loop {
        if let Some(rest) = input.strip_prefix(&END_OF_CONTENTS) {
            return Ok(rest);
        }
        input = element(input, out, depth)?;
    }
}

/// The octets of a string that came in pieces, which are normalised already.
pub(crate) fn join(pieces: &[u8]) -> Result<Zeroizing<Vec<u8>>, Malformed> {
    let mut whole = Zeroizing::new(Vec::with_capacity(pieces.len()));
    let mut reader = super::Reader::new(pieces);
    while !reader.is_empty() {
        whole.extend_from_slice(reader.octets()?);
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn strings_in_pieces_become_one() {
        let pieces = b"\x24\x80\x04\x02ab\x24\x05\x04\x01c\x04\x00\x00\x00\xde\xad";
        assert_eq!(**normalize(pieces).unwrap(), *b"\x04\x03abc");
    }

    #[test]
    fn long_forms_become_short() {
        assert_eq!(**normalize(b"\x30\x83\x00\x00\x02\x05\x00").unwrap(), *b"\x30\x02\x05\x00");
        assert_eq!(**normalize(b"\x30\x80\x05\x00\x00\x00").unwrap(), *b"\x30\x02\x05\x00");
    }

    #[test]
    fn depth_is_bounded() {
        let deep = [0x30, 0x80].repeat(100_000);
        assert_eq!(
            normalize(&deep).unwrap_err(),
            Malformed("elements are nested more than 32 deep")
        );
    }

    proptest! {
        #[test]
        fn what_is_normal_stays_as_it_is(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(once) = normalize(&bytes) {
                prop_assert_eq!(&normalize(&once).unwrap(), &once);
            }
        }
    }
}
