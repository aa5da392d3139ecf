//! Comma lists, read from the right.
//!
//! A proxy appends to the list that it received, so only the right end is its own. Splitting from
//! the right makes that exact, byte for byte: whatever stands further left, an open quotation
//! mark included, cannot change where an element begins.

use crate::headers::{Field, Headers};

/// How many lines of one header are read, from the last. Each proxy adds one at most.
const MAX_LINES: usize = 64;

/// The elements of a list header from the last to the first, over all its lines; empty elements
/// are dropped (RFC 9110 § 5.6.1.2).
#[derive(Clone, Copy)]
pub(crate) struct Elements<'h> {
    rest: Option<&'h [u8]>,
    field: Field,
    /// How many lines were begun, while there are more.
    begun: Option<usize>,
}

impl<'h> Elements<'h> {
    /// Starts in the last line of the header; one line, the usual case, needs no second look at
    /// the headers.
    pub(crate) const fn new(field: Field, last: Option<&'h [u8]>, several: bool) -> Self {
        Self { rest: last, field, begun: if several { Some(1) } else { None } }
    }

    /// The next element to the left.
    #[inline]
    pub(crate) fn next<H: Headers + ?Sized>(&mut self, headers: &'h H) -> Option<&'h [u8]> {
        loop {
            while let Some(line) = self.rest {
                let (rest, element) = split_last(line);
                self.rest = rest;
                let element = trim(element);
                if !element.is_empty() {
                    return Some(element);
                }
            }
            self.rest = Some(self.next_line(headers)?);
        }
    }

    fn next_line<H: Headers + ?Sized>(&mut self, headers: &'h H) -> Option<&'h [u8]> {
        let begun = self.begun?;
        let line = headers.lines(self.field).nth(begun);
        self.begun = (line.is_some() && begun < MAX_LINES).then_some(begun + 1);
        line
    }

    /// Whether anything that is no separator is left in this line, or a line is left.
    pub(crate) fn has_more<H: Headers + ?Sized>(&self, headers: &'h H) -> bool {
        let separator = |byte: &u8| matches!(byte, b',' | b' ' | b'\t');
        let in_line = self.rest.is_some_and(|rest| !rest.iter().all(separator));
        let begun = self.begun;
        in_line || begun.is_some_and(|begun| headers.lines(self.field).nth(begun).is_some())
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

    fn all<'a>(lines: &[&'a str]) -> Vec<&'a str> {
        let headers: Vec<_> = lines.iter().map(|line| ("Forwarded", *line)).collect();
        let last = lines.last().map(|line| line.as_bytes());
        let mut elements = Elements::new(Field::Forwarded, last, lines.len() > 1);
        let mut found = Vec::new();
        while let Some(element) = elements.next(headers.as_slice()) {
            let element = std::str::from_utf8(element).unwrap();
            found.push(
                lines
                    .iter()
                    .find_map(|l| l.find(element).map(|at| &l[at..at + element.len()]))
                    .unwrap(),
            );
        }
        found
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
            (&[r#"x="a\",b", c"#], &["c", r#"x="a\",b""#], "an escaped quote"),
            (&[r#"x="a\\", c"#], &["c", r#"x="a\\""#], "an escaped backslash"),
            (&[r#""a, b"#], &["b", r#""a"#], "an open quote is the left one's trouble"),
            (&[r#"a", b"#], &["b", r#"a""#], "so is a closing one"),
            (&[], &[], "nothing"),
        ] {
            assert_eq!(all(lines), expected, "{why}");
        }
    }

    #[test]
    fn what_is_left_is_seen_without_reading_it() {
        let none: &[(&str, &str)] = &[];
        for (line, expected) in [("a, b", true), (", b", false), (" ,\t, b", false), ("b", false)] {
            let mut elements = Elements::new(Field::For, Some(line.as_bytes()), false);
            elements.next(none);
            assert_eq!(elements.has_more(none), expected, "{line}");
        }
    }
}
