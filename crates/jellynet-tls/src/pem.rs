//! PEM as people have it: byte-order marks, UTF-16, indentation, text in between, one long line.

pub(crate) mod base64;

use std::borrow::Cow;

use zeroize::Zeroizing;

use crate::der::Malformed;

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// One section between BEGIN and END.
pub(crate) struct Section<'a> {
    pub(crate) label: &'a str,
    /// The value of `DEK-Info`, where the body is encrypted in OpenSSL's first way.
    pub(crate) encryption: Option<&'a str>,
    pub(crate) body: Zeroizing<Vec<u8>>,
}

/// The file as text, if it may be PEM: without its byte-order mark, UTF-16 decoded.
pub(crate) fn text(bytes: &[u8]) -> Option<Cow<'_, str>> {
    match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        _ => {
            let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            Some(String::from_utf8_lossy(bytes)).filter(|text| !text.contains('\0'))
        }
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<Cow<'static, str>> {
    let (units, _) = bytes.as_chunks::<2>();
    let units = units.iter().map(|octets| unit(*octets));
    Some(char::decode_utf16(units).map(|unit| unit.unwrap_or('\u{fffd}')).collect())
}

/// Is there any section in this text?
pub(crate) fn is_pem(text: &str) -> bool {
    text.contains(BEGIN)
}

/// All sections, in their order.
pub(crate) fn sections(text: &str) -> Result<Vec<Section<'_>>, Malformed> {
    let mut sections = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(BEGIN) {
        let (label, after) =
            after.split_once(DASHES).ok_or(Malformed("a BEGIN line is cut short"))?;
        let (body, after) = after.split_once(END).ok_or(CUT_SHORT)?;
        if body.contains(BEGIN) {
            return Err(CUT_SHORT);
        }
        let Some(after) = after.strip_prefix(label) else {
            return Err(Malformed("a PEM section ends with the END line of another"));
        };
        sections.push(section(label, body)?);
        rest = after;
    }
    Ok(sections)
}

const CUT_SHORT: Malformed = Malformed("a PEM section has no END line: the file is cut short");

/// Takes the headers of RFC 1421 off a body.
fn section<'a>(label: &'a str, text: &'a str) -> Result<Section<'a>, Malformed> {
    let mut encryption = None;
    let mut body = text;
    while let Some((line, rest)) = body.trim_start().split_once(['\n', '\r']) {
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        if name.trim() == "DEK-Info" {
            encryption = Some(value.trim());
        }
        body = rest;
    }
    Ok(Section { label, encryption, body: base64::decode(body)? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bodies(text: &str) -> Vec<(String, Vec<u8>)> {
        let sections = sections(text).unwrap();
        sections.iter().map(|section| (section.label.to_owned(), section.body.to_vec())).collect()
    }

    #[test]
    fn what_people_do_to_pem_does_not_matter() {
        let expected = [("X".to_owned(), b"hello".to_vec())];
        for text in [
            "-----BEGIN X-----\naGVsbG8=\n-----END X-----\n",
            "-----BEGIN X-----\r\naGVs\r\nbG8=\r\n-----END X-----",
            "-----BEGIN X-----\raGVsbG8=\r-----END X-----\r",
            "Bag Attributes\n  key: 1\n-----BEGIN X-----\naGVsbG8=\n-----END X-----\n# end",
            "    -----BEGIN X-----\n    aGVs\n    bG8=\n    -----END X-----",
            "-----BEGIN X-----aGVsbG8=-----END X-----",
            "-----BEGIN X-----\\naGVsbG8=\\n-----END X-----\\n",
            "-----BEGIN X-----\nName: value\n\naGVsbG8=\n-----END X-----\n",
            "-----BEGIN X-----\naGVsbG8\n-----END X-----\n",
        ] {
            assert_eq!(bodies(text), expected, "{text:?}");
        }
    }

    #[test]
    fn marks_and_utf16_are_understood() {
        let plain = "-----BEGIN X-----\naGVsbG8=\n-----END X-----\n";
        let little: Vec<u8> = plain.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let marked = [b"\xff\xfe".to_vec(), little].concat();
        assert_eq!(text(&marked).unwrap(), plain);
        assert_eq!(text(format!("\u{feff}{plain}").as_bytes()).unwrap(), plain);
        assert!(text(b"\x30\x82\x00\x00").is_none());
    }

    #[test]
    fn a_cut_off_section_is_an_error_and_not_a_skip() {
        for text in [
            "-----BEGIN X-----\naGVsbG8=\n",
            "-----BEGIN X",
            "-----BEGIN X-----\naGVs\n-----BEGIN Y-----\naGVs\n-----END Y-----",
            "-----BEGIN X-----\naGVs\n-----END Y-----",
            "-----BEGIN X-----\naGV?sbG8=\n-----END X-----\n",
        ] {
            assert!(sections(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(-----BEGIN X-----|-----END X-----|[a-z=:\n]|.){0,40}") {
            let _ = sections(&text);
        }
    }
}
