//! As much JSON (RFC 8259) as an answer needs.

/// A member's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// A text, its escapes undone.
    Text(String),
    /// Anything else.
    Other,
}

/// How deep values may lie in one another.
const DEEPEST: u32 = 16;

/// Appends `text` with what needs an escape escaped (RFC 8259 § 7).
pub(crate) fn escape_into(out: &mut String, text: &str) {
    if !text.bytes().any(|byte| byte.is_ascii_control() || matches!(byte, b'"' | b'\\')) {
        out.push_str(text);
        return;
    }
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{0}'..='\u{1f}' | '\u{7f}' => {
                const DIGITS: [char; 16] = [
                    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
                ];
                let code = u32::from(character);
                out.push_str("\\u00");
                for shift in [4, 0] {
                    let digit = usize::try_from(code >> shift & 0xf).unwrap_or_default();
                    out.push(DIGITS.get(digit).copied().unwrap_or('0'));
                }
            }
            _ => out.push(character),
        }
    }
}

/// The members of the object that `text` is; the error is the byte where it is none. Blanks, a
/// byte order mark and NUL bytes around it do not count.
pub(crate) fn members(text: &str) -> Result<Vec<(String, Value)>, usize> {
    let mut reader = Reader { text, at: 0 };
    reader.blanks();
    let members = reader.object(0).ok_or(reader.at)?;
    reader.blanks();
    if reader.at == text.len() { Ok(members) } else { Err(reader.at) }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn blanks(&mut self) {
        let rest = self.rest();
        let blank = |c: char| c.is_ascii_whitespace() || matches!(c, '\u{feff}' | '\0');
        self.at += rest.len() - rest.trim_start_matches(blank).len();
    }

    fn next(&mut self) -> Option<char> {
        let character = self.rest().chars().next()?;
        self.at += character.len_utf8();
        Some(character)
    }

    /// Takes `wanted`, if it is next.
    fn takes(&mut self, wanted: char) -> bool {
        let there = self.rest().starts_with(wanted);
        if there {
            self.at += wanted.len_utf8();
        }
        there
    }

    fn object(&mut self, depth: u32) -> Option<Vec<(String, Value)>> {
        let mut members = Vec::new();
        self.takes('{').then_some(())?;
        self.blanks();
        if self.takes('}') {
            return Some(members);
        }
        loop {
            self.blanks();
            let name = self.string()?;
            self.blanks();
            self.takes(':').then_some(())?;
            members.push((name, self.value(depth)?));
            self.blanks();
            if self.takes('}') {
                return Some(members);
            }
            self.takes(',').then_some(())?;
        }
    }

    fn array(&mut self, depth: u32) -> Option<()> {
        self.takes('[').then_some(())?;
        self.blanks();
        if self.takes(']') {
            return Some(());
        }
        loop {
            self.value(depth)?;
            self.blanks();
            if self.takes(']') {
                return Some(());
            }
            self.takes(',').then_some(())?;
        }
    }

    fn value(&mut self, depth: u32) -> Option<Value> {
        self.blanks();
        match self.rest().chars().next()? {
            '"' => return self.string().map(Value::Text),
            '{' if depth < DEEPEST => drop(self.object(depth + 1)?),
            '[' if depth < DEEPEST => self.array(depth + 1)?,
            // A number, true, false or null: nobody asks which.
            _ => {
                let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
                let rest = self.rest();
                let length = rest.len() - rest.trim_start_matches(word).len();
                (length > 0).then_some(())?;
                self.at += length;
            }
        }
        Some(Value::Other)
    }

    fn string(&mut self) -> Option<String> {
        self.takes('"').then_some(())?;
        let mut text = String::new();
        loop {
            match self.next()? {
                '"' => return Some(text),
                '\\' => text.push(self.escape()?),
                character => text.push(character),
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        Some(match self.next()? {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => self.unicode()?,
            character @ ('"' | '\\' | '/') => character,
            _ => return None,
        })
    }

    /// Four digits, or a surrogate pair of twice four; half a pair is a replacement character.
    fn unicode(&mut self) -> Option<char> {
        let high = self.four_digits()?;
        if !(0xd800..0xdc00).contains(&high) {
            return Some(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let before = self.at;
        if self.takes('\\') && self.takes('u') {
            let low = self.four_digits()?;
            if (0xdc00..0xe000).contains(&low) {
                return char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
            }
        }
        self.at = before;
        Some(char::REPLACEMENT_CHARACTER)
    }

    fn four_digits(&mut self) -> Option<u32> {
        (0..4).try_fold(0, |code, _| Some(code << 4 | self.next()?.to_digit(16)?))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(json: &str) -> Option<String> {
        match members(&format!("{{\"a\":{json}}}")).ok()?.pop()? {
            (_, Value::Text(text)) => Some(text),
            (_, Value::Other) => None,
        }
    }

    #[test]
    fn escapes_are_undone() {
        for (json, expected) in [
            (r#""\"\\\/\b\f\n\r\t""#, Some("\"\\/\u{8}\u{c}\n\r\t")),
            (r#""\u00e9\uD83D\uDE00""#, Some("é😀")),
            (r#""\ud83dx""#, Some("\u{fffd}x")),
            (r#""\ud83d\u0041""#, Some("\u{fffd}A")),
            (r#""\udc00""#, Some("\u{fffd}")),
            (r#""\x41""#, None),
            (r#""\u12""#, None),
            ("null", None),
        ] {
            assert_eq!(text(json).as_deref(), expected, "{json}");
        }
    }

    proptest! {
        #[test]
        fn what_is_escaped_is_read(given in any::<String>()) {
            let mut json = String::from("\"");
            escape_into(&mut json, &given);
            json.push('"');
            prop_assert!(!json.contains(|c: char| c.is_ascii_control()));
            prop_assert_eq!(text(&json), Some(given));
        }
    }
}
