//! The prefix itself, as a validated value.

use std::fmt;
use std::str::FromStr;

use crate::percent::{Bytes, is_segment_byte, is_unreserved, push_escape};

/// Longest accepted base path, in bytes of its canonical form.
const MAX_LEN: usize = 1024;

/// A path under which a server lives: empty for the root, else `/a` or `/a/b`, never with a `/`
/// at its end.
///
/// Normalised once, when it is parsed: white space around it goes, a missing `/` in front comes,
/// one `/` at the end goes, percent-encoding becomes canonical (`%41` is `A`, a space is `%20`,
/// `ü` is `%C3%BC`). Letter case is kept for display and ignored, for ASCII letters, in
/// comparisons.
///
/// | written | means |
/// | --- | --- |
/// | nothing, `/` | the root |
/// | `jellyfin`, `/jellyfin`, `/jellyfin/` | `/jellyfin` |
/// | `/my tv` | `/my%20tv` |
/// | `//`, `/a//b`, `/a/../b`, `/a?b`, `http://tv.lan/a`, `/a%2Fb`, `/100%` | an error that says what to write |
///
/// # Examples
///
/// ```
/// use jellynet_base_url::BasePath;
///
/// let base: BasePath = "jellyfin/".parse()?;
/// assert_eq!(base.as_str(), "/jellyfin");
/// assert_eq!(base.strip("/Jellyfin/web/?a=1"), Some("/web/?a=1"));
/// assert_eq!(base.strip("/jellyfinx"), None);
///
/// let error = "/a//b".parse::<BasePath>().unwrap_err();
/// assert_eq!(error.to_string(), "base path `/a//b` has an empty segment: write `/a/b`");
/// # Ok::<(), jellynet_base_url::ParseBasePathError>(())
/// ```
#[derive(Clone, Default)]
pub struct BasePath {
    /// Canonical text.
    text: Box<str>,
    /// What `text` means, in lower case: what requests are compared with.
    key: Box<[u8]>,
}

impl BasePath {
    /// The root: no prefix.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// The canonical text; empty for the root.
    #[must_use]
    pub const fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether there is no prefix.
    #[must_use]
    pub const fn is_root(&self) -> bool {
        self.text.is_empty()
    }

    /// Takes the prefix off a raw request target and gives the rest as it was written: empty, or
    /// from the `/`, `?` or `#` behind the prefix. `None` where the target is not under the prefix.
    ///
    /// Compares whole segments, decoded, without regard to ASCII letter case; `%2F` is no `/`.
    /// This is a comparison of text: [`Router::route`](crate::Router::route) also refuses targets
    /// whose `..` would climb out again.
    #[must_use]
    pub fn strip<'t>(&self, target: &'t str) -> Option<&'t str> {
        let rest = match target.get(..self.text.len()) {
            Some(head) if head.eq_ignore_ascii_case(&self.text) => target.get(head.len()..)?,
            _ => self.strip_decoded(target)?,
        };
        matches!(rest.as_bytes().first(), None | Some(b'/' | b'?' | b'#')).then_some(rest)
    }

    /// Whether `target` begins with this text but goes on within the last segment: `/jellyfinx`.
    pub(crate) fn is_near_miss(&self, target: &str) -> bool {
        let begins =
            target.get(..self.text.len()).is_some_and(|head| head.eq_ignore_ascii_case(&self.text));
        begins && !self.is_root() && self.strip(target).is_none()
    }

    /// Puts the prefix in front of a path that begins with `/`; an empty path is the prefix itself.
    #[must_use]
    pub fn join(&self, path: &str) -> String {
        if self.is_root() && path.is_empty() {
            return "/".to_owned();
        }
        [self.as_str(), path].concat()
    }

    /// How many bytes of canonical text there are.
    pub(crate) const fn len(&self) -> usize {
        self.text.len()
    }

    fn strip_decoded<'t>(&self, target: &'t str) -> Option<&'t str> {
        // Without an escape in the target, the quick comparison has already said no.
        if !target.as_bytes().contains(&b'%') {
            return None;
        }
        let mut bytes = Bytes::new(target);
        let mut taken = 0;
        for &expected in &*self.key {
            let byte = bytes.next()?;
            let same = byte.value.to_ascii_lowercase() == expected
                && (expected != b'/' || byte.is_separator());
            if !same {
                return None;
            }
            taken += byte.len;
        }
        target.get(taken..)
    }
}

impl PartialEq for BasePath {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for BasePath {}

impl std::hash::Hash for BasePath {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

impl fmt::Debug for BasePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BasePath").field(&self.text).finish()
    }
}

impl fmt::Display for BasePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for BasePath {
    type Err = ParseBasePathError;

    fn from_str(written: &str) -> Result<Self, Self::Err> {
        let value = written.trim();
        let text = canonical(value)?;
        let key = Bytes::new(&text).map(|byte| byte.value.to_ascii_lowercase()).collect();
        Ok(Self { text: text.into(), key })
    }
}

impl TryFrom<&str> for BasePath {
    type Error = ParseBasePathError;

    fn try_from(written: &str) -> Result<Self, Self::Error> {
        written.parse()
    }
}

/// Why a text is no base path, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseBasePathError {
    /// A whole URL was written.
    #[error("base path `{value}` is a whole URL: write only its path, `{write}`")]
    WholeUrl {
        /// What was written.
        value: String,
        /// What to write.
        write: String,
    },
    /// A query or fragment was written.
    #[error("base path `{value}` has a query or fragment: write `{write}`")]
    Query {
        /// What was written.
        value: String,
        /// What to write.
        write: String,
    },
    /// Two slashes meet.
    #[error("base path `{value}` has an empty segment: write `{write}`")]
    EmptySegment {
        /// What was written.
        value: String,
        /// What to write.
        write: String,
    },
    /// A segment is `.` or `..`, plain or encoded.
    #[error("base path `{value}` has a `.` or `..` segment: write `{write}`")]
    DotSegment {
        /// What was written.
        value: String,
        /// What to write.
        write: String,
    },
    /// A `%` that begins no escape.
    #[error("base path `{value}` has a `%` without two hex digits: write `%25` for a percent sign")]
    BadEscape {
        /// What was written.
        value: String,
    },
    /// A character that proxies and servers read differently.
    #[error("base path `{value}` contains {character}: choose a name without it")]
    Forbidden {
        /// What was written.
        value: String,
        /// The character, as it would stand in source code.
        character: String,
    },
    /// Longer than 1024 bytes.
    #[error("base path is {len} bytes long: choose one of at most 1024")]
    TooLong {
        /// Its length.
        len: usize,
    },
}

fn canonical(value: &str) -> Result<String, ParseBasePathError> {
    if value.len() > MAX_LEN {
        return Err(ParseBasePathError::TooLong { len: value.len() });
    }
    if let Some((_, behind)) = value.split_once("://") {
        let path = behind.find('/').and_then(|at| behind.get(at..));
        return Err(ParseBasePathError::WholeUrl {
            value: value.to_owned(),
            write: path.unwrap_or("/").to_owned(),
        });
    }
    if let Some((path, _)) = value.split_once(['?', '#']) {
        return Err(ParseBasePathError::Query {
            value: value.to_owned(),
            write: rooted(path.split('/')),
        });
    }
    let inner = value.strip_prefix('/').unwrap_or(value);
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    if inner.is_empty() && value.len() < 2 {
        return Ok(String::new());
    }
    let mut text = String::with_capacity(value.len() + 1);
    for segment in inner.split('/') {
        text.push('/');
        push_segment(&mut text, segment, value)?;
    }
    match text.len() {
        len if len > MAX_LEN => Err(ParseBasePathError::TooLong { len }),
        _ => Ok(text),
    }
}

fn push_segment(text: &mut String, segment: &str, value: &str) -> Result<(), ParseBasePathError> {
    if segment.is_empty() {
        return Err(ParseBasePathError::EmptySegment {
            value: value.to_owned(),
            write: rooted(value.split('/')),
        });
    }
    if is_dots(segment) {
        return Err(ParseBasePathError::DotSegment {
            value: value.to_owned(),
            write: rooted(value.split('/').filter(|segment| !is_dots(segment))),
        });
    }
    for byte in Bytes::new(segment) {
        match byte.value {
            b'%' if !byte.encoded => {
                return Err(ParseBasePathError::BadEscape { value: value.to_owned() });
            }
            0..=0x1f | 0x7f | b'/' | b'\\' => {
                return Err(ParseBasePathError::Forbidden {
                    value: value.escape_debug().to_string(),
                    character: format!("{:?}", char::from(byte.value)),
                });
            }
            plain if is_unreserved(plain) || (!byte.encoded && is_segment_byte(plain)) => {
                text.push(char::from(plain));
            }
            other => push_escape(text, other),
        }
    }
    Ok(())
}

/// Whether a segment means `.` or `..`.
fn is_dots(segment: &str) -> bool {
    let count = Bytes::new(segment).take(3).count();
    (1..3).contains(&count) && Bytes::new(segment).all(|byte| byte.value == b'.')
}

/// The non-empty segments as a path: what the operator probably meant.
fn rooted<'a>(segments: impl Iterator<Item = &'a str>) -> String {
    let mut path = String::new();
    for segment in segments.filter(|segment| !segment.is_empty()) {
        path.push('/');
        path.push_str(segment);
    }
    if path.is_empty() { "/".to_owned() } else { path }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_path_is_normalised_once() {
        for (written, text) in [
            ("", ""),
            ("  ", ""),
            ("/", ""),
            ("jellyfin", "/jellyfin"),
            ("/jellyfin", "/jellyfin"),
            (" /jellyfin/ ", "/jellyfin"),
            ("/Jellyfin", "/Jellyfin"),
            ("/a/b", "/a/b"),
            ("/my tv", "/my%20tv"),
            ("/my%20tv", "/my%20tv"),
            ("/%6Dy", "/my"),
            ("/%c3%bc", "/%C3%BC"),
            ("/\u{fc}", "/%C3%BC"),
            ("/a+b;c=d,e@f:g", "/a+b;c=d,e@f:g"),
            ("/.well-known", "/.well-known"),
            ("/...", "/..."),
            ("/a\"b", "/a%22b"),
        ] {
            let base: BasePath = written.parse().unwrap();
            assert_eq!(base.as_str(), text, "{written:?}");
            assert_eq!(base.as_str().parse::<BasePath>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn what_others_choke_on_is_an_error_that_says_what_to_write() {
        for (written, message) in [
            ("//", "base path `//` has an empty segment: write `/`"),
            ("//a", "base path `//a` has an empty segment: write `/a`"),
            ("/a//", "base path `/a//` has an empty segment: write `/a`"),
            ("/a/%2e%2E/b", "base path `/a/%2e%2E/b` has a `.` or `..` segment: write `/a/b`"),
            ("./a", "base path `./a` has a `.` or `..` segment: write `/a`"),
            ("/a?b=c", "base path `/a?b=c` has a query or fragment: write `/a`"),
            ("/a#b", "base path `/a#b` has a query or fragment: write `/a`"),
            (
                "https://tv.lan/jellyfin",
                "base path `https://tv.lan/jellyfin` is a whole URL: write only its path, `/jellyfin`",
            ),
            (
                "/100%",
                "base path `/100%` has a `%` without two hex digits: write `%25` for a percent sign",
            ),
            ("/a%2Fb", "base path `/a%2Fb` contains '/': choose a name without it"),
            ("/a\\b", "base path `/a\\\\b` contains '\\\\': choose a name without it"),
            ("/a\tb", "base path `/a\\tb` contains '\\t': choose a name without it"),
            ("/a%00", "base path `/a%00` contains '\\0': choose a name without it"),
        ] {
            assert_eq!(written.parse::<BasePath>().unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn only_whole_segments_match_in_any_ascii_case_and_encoding() {
        let base: BasePath = "/my tv/\u{fc}".parse().unwrap();
        for (target, rest) in [
            ("/my%20tv/%C3%BC", Some("")),
            ("/MY%20tv/%c3%bc/x", Some("/x")),
            ("/m%79%20tv/%C3%BC?q", Some("?q")),
            ("/my%20tv%2F%C3%BC/x", None),
            ("/my%20tv/%C3%BCx", None),
            ("/my%20tv", None),
            ("/", None),
            ("", None),
        ] {
            assert_eq!(base.strip(target), rest, "{target}");
        }
    }

    #[test]
    fn letter_case_and_encoding_make_no_other_base_path() {
        let base: BasePath = "/Jelly%66in".parse().unwrap();
        assert_eq!(base, "/jellyfin".parse().unwrap());
        assert_ne!(base, "/jellyfinn".parse().unwrap());
    }
}
