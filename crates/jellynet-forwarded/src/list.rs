//! Comma lists, read from the right.
//!
//! A proxy appends to the list that it received, so only the right end is its own. Splitting from
//! the right makes that exact, byte for byte: whatever stands further left, an open quotation
//! mark included, cannot change where an element begins.

/// The elements of a list header from the last to the first, over all its lines; empty elements
/// are dropped (RFC 9110 § 5.6.1.2).
pub(crate) struct Elements<'h, L> {
    rest: Option<&'h [u8]>,
    /// The lines before the one that `rest` is in, last to first.
    lines: Option<L>,
}

impl<'h, L: Iterator<Item = &'h [u8]>> Elements<'h, L> {
    pub(crate) const fn new(last: Option<&'h [u8]>, lines: Option<L>) -> Self {
        Self { rest: last, lines }
    }

    /// Whether anything that is no separator is left in this line, or a line is left.
    pub(crate) fn has_more(&self) -> bool {
        let separator = |byte: &u8| matches!(byte, b',' | b' ' | b'\t');
        self.lines.is_some() || self.rest.is_some_and(|rest| !rest.iter().all(separator))
    }
}

impl<'h, L: Iterator<Item = &'h [u8]>> Iterator for Elements<'h, L> {
    type Item = &'h [u8];

    #[inline]
    fn next(&mut self) -> Option<&'h [u8]> {
        loop {
            let Some(line) = self.rest else {
                self.rest = self.lines.as_mut()?.next();
                if self.rest.is_none() {
                    self.lines = None;
                }
                self.rest?;
                continue;
            };
            let (rest, element) = split_last(line);
            self.rest = rest;
            let element = trim(element);
            if !element.is_empty() {
                return Some(element);
            }
        }
    }
}

/// Cuts the last element off: what is left of its comma, and the element.
#[inline]
fn split_last(line: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let mut unread = line;
    while let Some((byte, before)) = unread.split_last() {
        match byte {
            b',' => return (Some(before), line.get(unread.len()..).unwrap_or_default()),
            b'"' => unread = before_opening_quote(before),
            _ => unread = before,
        }
    }
    (None, line)
}

/// What stands left of the quotation mark that opens the string that ends here.
///
/// Inside, a mark is escaped by an odd number of backslashes (RFC 9110 § 5.6.4); the opening one
/// follows a `=`, a comma, a blank or nothing. Without an opening one, nothing is left.
fn before_opening_quote(mut inside: &[u8]) -> &[u8] {
    while let Some(at) = inside.iter().rposition(|byte| *byte == b'"') {
        inside = inside.get(..at).unwrap_or_default();
        let backslashes = inside.iter().rev().take_while(|byte| **byte == b'\\');
        if backslashes.count() % 2 == 0 {
            return inside;
        }
    }
    &[]
}

/// Takes optional white space off both ends: blanks and tabs (RFC 9110 § 5.6.3).
#[inline]
pub(crate) fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

/// Takes a pair of quotation marks off; what they hold must need no escape.
pub(crate) fn unquoted(element: &[u8]) -> &[u8] {
    match element {
        [b'"', inside @ .., b'"'] => inside,
        _ => element,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elements<'a>(lines: &[&'a str]) -> Vec<&'a str> {
        let mut lines = lines.iter().rev().map(|line| line.as_bytes());
        let elements = Elements::new(lines.next(), Some(lines));
        elements.map(|e| std::str::from_utf8(e).unwrap()).collect()
    }

    #[test]
    fn lists_are_read_from_the_right() {
        for (lines, expected, why) in [
            (&["a, b,c"][..], &["c", "b", "a"][..], "one line"),
            (&["a", "b, c"], &["c", "b", "a"], "two lines"),
            (&["a", ""], &["a"], "an empty last line"),
            (&["", ", ,", "a"], &["a"], "empty elements and lines"),
            (&["a\t,\tb "], &["b", "a"], "tabs are white space"),
            (&[r#"a, "b, c""#], &[r#""b, c""#, "a"], "a quoted comma"),
            (
                &[r#"x="a\",b", c"#],
                &["c", r#"x="a\",b""#],
                "an escaped quote",
            ),
            (
                &[r#"x="a\\", c"#],
                &["c", r#"x="a\\""#],
                "an escaped backslash",
            ),
            (
                &[r#""a, b"#],
                &["b", r#""a"#],
                "an open quote is the left one's trouble",
            ),
            (&[r#"a", b"#], &["b", r#"a""#], "so is a closing one"),
            (&[], &[], "nothing"),
        ] {
            assert_eq!(elements(lines), expected, "{why}");
        }
    }

    #[test]
    fn what_is_left_is_seen_without_reading_it() {
        for (line, expected) in [
            ("a, b", true),
            (", b", false),
            (" ,\t, b", false),
            ("b", false),
        ] {
            let mut elements = Elements::new(Some(line.as_bytes()), None::<std::iter::Empty<_>>);
            elements.next();
            assert_eq!(elements.has_more(), expected, "{line}");
        }
    }
}
