//! One element of `Forwarded` (RFC 7239 § 4).

use crate::list::trim;

/// More parameters than this make an element malformed; RFC 7239 registers four.
const MAX_PARAMETERS: usize = 8;

/// The longest value that is unescaped: more than any address or scheme needs.
const MAX_ESCAPED: usize = 64;

/// The parameters of an element that the walk reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Element<'h> {
    pub(crate) node: Option<Value<'h>>,
    pub(crate) proto: Option<Value<'h>>,
    pub(crate) host: Option<Value<'h>>,
}

impl<'h> Element<'h> {
    /// Reads `name=value` pairs apart by `;`. White space around a `;` is taken, as most parsers
    /// do; an unquoted value may have `:`, `[` and `]`, which real proxies write. A parameter
    /// that occurs twice makes the element malformed.
    pub(crate) fn parse(mut text: &'h [u8]) -> Option<Self> {
        let mut element = Self::default();
        let mut seen: [&[u8]; MAX_PARAMETERS] = [&[]; MAX_PARAMETERS];
        loop {
            text = trim(text);
            if let Some(after) = text.strip_prefix(b";") {
                text = after;
                continue;
            }
            if text.is_empty() {
                return Some(element);
            }
            let (name, after) = token(text, is_token)?;
            let (value, after) = Value::parse(after.strip_prefix(b"=")?)?;
            if seen.iter().any(|other| name.eq_ignore_ascii_case(other)) {
                return None;
            }
            *seen.iter_mut().find(|slot| slot.is_empty())? = name;
            element.put(name, value);
            text = trim(after);
            if !text.is_empty() && !text.starts_with(b";") {
                return None;
            }
        }
    }

    fn put(&mut self, name: &[u8], value: Value<'h>) {
        let slot = match name.len() {
            3 if name.eq_ignore_ascii_case(b"for") => &mut self.node,
            4 if name.eq_ignore_ascii_case(b"host") => &mut self.host,
            5 if name.eq_ignore_ascii_case(b"proto") => &mut self.proto,
            // `by` and extensions name nothing that we ask.
            _ => return,
        };
        *slot = Some(value);
    }
}

/// The value of a parameter, still with its escapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Value<'h> {
    raw: &'h [u8],
    escaped: bool,
}

impl<'h> Value<'h> {
    fn parse(text: &'h [u8]) -> Option<(Self, &'h [u8])> {
        match text.strip_prefix(b"\"") {
            Some(text) => Self::quoted(text),
            None => {
                let (raw, after) =
                    token(text, |byte| is_token(byte) || matches!(byte, b':' | b'[' | b']'))?;
                let value = Self { raw, escaped: false };
                Some((value, after))
            }
        }
    }

    /// Reads up to the closing mark, which an odd number of backslashes before it would escape.
    fn quoted(text: &'h [u8]) -> Option<(Self, &'h [u8])> {
        let (mut escape, mut escaped) = (false, false);
        let end = text.iter().position(|byte| {
            let closes = !escape && *byte == b'"';
            escape = !escape && *byte == b'\\';
            escaped |= escape;
            closes
        })?;
        let (raw, after) = text.split_at_checked(end)?;
        Some((Self { raw, escaped }, after.strip_prefix(b"\"")?))
    }

    /// The value as it stands between the marks; what needs no escape to be written has none.
    pub(crate) const fn raw(self) -> &'h [u8] {
        self.raw
    }

    /// Hands the value without its escapes to `read`; `None` if it is too long to be unescaped.
    pub(crate) fn read<T>(self, read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        if !self.escaped {
            return Some(read(self.raw));
        }
        let mut buffer = [0; MAX_ESCAPED];
        let mut length = 0;
        let mut bytes = self.raw.iter();
        while let Some(byte) = bytes.next() {
            let byte = if *byte == b'\\' { bytes.next()? } else { byte };
            *buffer.get_mut(length)? = *byte;
            length += 1;
        }
        buffer.get(..length).map(read)
    }
}

/// Cuts the bytes off that `belongs`; at least one.
fn token(text: &[u8], belongs: impl Fn(u8) -> bool) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(|byte| !belongs(*byte));
    text.split_at_checked(end.unwrap_or(text.len())).filter(|(token, _)| !token.is_empty())
}

/// Whether the byte may stand in a token (RFC 9110 § 5.6.2).
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: Option<Value<'_>>) -> Option<String> {
        value?.read(|text| String::from_utf8_lossy(text).into_owned())
    }

    #[test]
    fn an_element_is_pairs_of_token_and_value() {
        for (text, expected, why) in [
            ("for=192.0.2.1;proto=https;host=a", Some(("192.0.2.1", "https", "a")), "plain"),
            (
                r#"For="[2001:db8::1]:80"; PROTO=http ;Host="a:81""#,
                Some(("[2001:db8::1]:80", "http", "a:81")),
                "quoted, with blanks, in any case",
            ),
            (
                "for=[::1]:80;host=a:81",
                Some(("[::1]:80", "", "a:81")),
                "unquoted, as a real recipe writes it",
            ),
            (
                r#"for="1.2.3.\4";by="\"";secret="a;b,c=d""#,
                Some(("1.2.3.4", "", "")),
                "escapes, and separators in quotes",
            ),
            (";;for=a;;", Some(("a", "", "")), "empty pairs are allowed"),
            ("for=", None, "no value"),
            ("for", None, "no equals sign"),
            ("=a", None, "no name"),
            ("for =a", None, "white space before the equals sign"),
            ("for= a", None, "and after it"),
            ("for=a b", None, "no semicolon"),
            (r#"for="a"b"#, None, "more after the closing mark"),
            (r#"for="a"#, None, "no closing mark"),
            (r#"for="a\""#, None, "an escaped closing mark"),
            (r#"for=a"b""#, None, "a mark inside a token"),
            ("for=a;for=a", None, "the same parameter twice"),
            ("for=a;x=1;FOR=b", None, "twice in another case"),
            ("x=1;X=2", None, "an extension twice"),
            ("a=1;b=1;c=1;d=1;e=1;f=1;g=1;h=1;i=1", None, "too many"),
            ("for=a/b", None, "no token"),
        ] {
            let found = Element::parse(text.as_bytes()).map(|e| {
                let text = |value| shown(value).unwrap_or_default();
                (text(e.node), text(e.proto), text(e.host))
            });
            let expected = expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned()));
            assert_eq!(found, expected, "{why}");
        }
    }

    #[test]
    fn an_escaped_value_is_bounded() {
        let long = format!(r#"for="\a{}""#, "b".repeat(MAX_ESCAPED));
        let element = Element::parse(long.as_bytes()).unwrap();
        assert_eq!(shown(element.node), None);
    }
}
