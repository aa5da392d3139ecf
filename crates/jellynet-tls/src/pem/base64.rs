//! Base64 (RFC 4648 § 4), tolerant of what stands between the characters.

use zeroize::Zeroizing;

use crate::der::Malformed;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Decodes; white space and a literal `\n` (from environment variables) are skipped, padding may
/// be missing.
pub(crate) fn decode(text: &str) -> Result<Zeroizing<Vec<u8>>, Malformed> {
    let mut out = Zeroizing::new(Vec::with_capacity(text.len() / 4 * 3 + 3));
    let mut bits = 0_u32;
    let mut held = 0_u8;
    let mut padded = false;
    let mut characters = text.bytes();
    while let Some(character) = characters.next() {
        let value = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                padded = true;
                continue;
            }
            b'\\' if matches!(characters.next(), Some(b'n' | b'r')) => continue,
            space if space.is_ascii_whitespace() => continue,
            _ => return Err(Malformed("it is not base64")),
        };
        if padded {
            return Err(Malformed("base64 goes on after its end"));
        }
        bits = (bits << 6 | u32::from(value)) & 0xffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            let [.., octet] = (bits >> held).to_be_bytes();
            out.push(octet);
        }
    }
    // One character alone carries no octet.
    if held == 6 { Err(Malformed("base64 is cut short")) } else { Ok(out) }
}

/// One line without end.
pub(crate) fn encode(bytes: &[u8]) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(bytes.len().div_ceil(3) * 4));
    for chunk in bytes.chunks(3) {
        let octet = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = octet(0) << 16 | octet(1) << 8 | octet(2);
        for (place, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let index = usize::try_from(bits >> shift & 0x3f).unwrap_or(0);
            let character = ALPHABET.get(index).copied().map_or('=', char::from);
            out.push(if place <= chunk.len() { character } else { '=' });
        }
    }
    out
}

/// A PEM section with lines of 64 characters.
pub(crate) fn armor(label: &str, bytes: &[u8]) -> Zeroizing<String> {
    let body = encode(bytes);
    let mut out = Zeroizing::new(format!("-----BEGIN {label}-----\n"));
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at_checked(64).unwrap_or((rest, ""));
        out.push_str(line);
        out.push('\n');
        rest = after;
    }
    out.push_str("-----END ");
    out.push_str(label);
    out.push_str("-----\n");
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_vectors_of_rfc_4648_section_10() {
        for (plain, encoded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(*encode(plain.as_bytes()), *encoded);
            assert_eq!(**decode(encoded).unwrap(), *plain.as_bytes());
        }
    }

    proptest! {
        #[test]
        fn what_is_armored_is_read(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let text = armor("THING", &bytes);
            let sections = crate::pem::sections(&text).unwrap();
            prop_assert_eq!(&*sections[0].body, &bytes);
        }
    }
}
