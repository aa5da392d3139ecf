//! Distinguished names as text.

use crate::der::{Element, Malformed, Reader};
use crate::oid;

/// `C=DE, O=Example, CN=example.org`: in the order of the file, special characters escaped
/// (RFC 4514 § 2.4).
pub(super) fn text(mut name: Reader<'_>) -> Result<String, Malformed> {
    let mut parts = Vec::new();
    while !name.is_empty() {
        let mut set = name.expect(crate::der::SET)?.inside();
        let mut values = Vec::new();
        while !set.is_empty() {
            let mut attribute = set.sequence()?;
            let kind = oid::name(attribute.oid()?);
            values.push(format!("{kind}={}", escape(&value(attribute.any()?))));
        }
        parts.push(values.join("+"));
    }
    Ok(parts.join(", "))
}

/// The text of one of the string types (X.680 § 41).
fn value(element: Element<'_>) -> String {
    const T61: u8 = 0x14;
    const UNIVERSAL: u8 = 0x1c;
    const BMP: u8 = 0x1e;
    match element.tag {
        BMP => {
            let (units, _) = element.value.as_chunks::<2>();
            let units: Vec<u16> = units.iter().map(|unit| u16::from_be_bytes(*unit)).collect();
            String::from_utf16_lossy(&units)
        }
        UNIVERSAL => {
            let (units, _) = element.value.as_chunks::<4>();
            let character = |unit: &[u8; 4]| char::from_u32(u32::from_be_bytes(*unit));
            units
                .iter()
                .map(|unit| character(unit).unwrap_or(char::REPLACEMENT_CHARACTER))
                .collect()
        }
        T61 => element.value.iter().copied().map(char::from).collect(),
        _ => String::from_utf8_lossy(element.value).into_owned(),
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, ',' | '+' | '"' | '\\' | '<' | '>' | ';') {
            escaped.push('\\');
        }
        if character.is_control() {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::der::write::{element, oid as write_oid, sequence, wrap};

    #[test]
    fn every_string_type_is_read_and_nothing_can_break_a_line() {
        let attribute = |tag, value: &[u8]| {
            let pair = sequence(&[&write_oid(oid::COMMON_NAME), &element(tag, value)]);
            wrap(crate::der::SET, &[&pair])
        };
        let name = [
            attribute(0x0c, "Zoë, Inc".as_bytes()),
            attribute(0x1e, b"\x00Z\x00o\x00\xeb"),
            attribute(0x14, b"Zo\xeb"),
            attribute(0x13, b"a\nb"),
        ]
        .concat();
        let text = text(Reader::new(&name)).unwrap();
        assert_eq!(text, "CN=Zoë\\, Inc, CN=Zoë, CN=Zoë, CN=a\\nb");
    }
}
