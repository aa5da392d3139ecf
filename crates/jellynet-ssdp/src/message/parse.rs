//! The lenient parser.

use super::{Details, FieldValue, Message, Notify, NotifyKind, Response, Search};

/// The longest datagram that is read, in bytes; longer ones are malformed.
pub const MAX_DATAGRAM: usize = 8192;

/// The most header lines of a message; one with more is malformed.
pub const MAX_HEADERS: usize = 64;

/// The least port that `SEARCHPORT.UPNP.ORG` may name (UPnP Device Architecture 2.0 § 1.2.2).
pub(crate) const FIRST_SEARCH_PORT: u16 = 49152;

/// Why bytes are no SSDP message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseMessageError {
    /// More than [`MAX_DATAGRAM`] bytes.
    #[error("the message has {len} bytes, {MAX_DATAGRAM} are allowed")]
    TooLong {
        /// How many bytes there are.
        len: usize,
    },
    /// Not one of the three start lines.
    #[error("the start line is none of NOTIFY, M-SEARCH and HTTP/1.1 200 OK")]
    StartLine,
    /// A line among the headers that has no colon or no name.
    #[error("line {line} is no header")]
    NotAHeader {
        /// Which line, the start line being 1.
        line: usize,
    },
    /// A header that this crate reads is continued on the next line.
    #[error("the header on line {line} is folded")]
    Folded {
        /// Which line, the start line being 1.
        line: usize,
    },
    /// A header that this crate reads has a control character or is too long.
    #[error("the value of {name} cannot be read")]
    Value {
        /// Which header.
        name: &'static str,
    },
    /// A header that the message must have is missing or empty.
    #[error("{name} is missing")]
    Missing {
        /// Which header.
        name: &'static str,
    },
    /// More than [`MAX_HEADERS`] lines.
    #[error("there are more than {MAX_HEADERS} headers")]
    TooManyHeaders,
}

impl<'a> Message<'a> {
    /// Reads one datagram.
    ///
    /// # Errors
    ///
    /// When it is no SSDP message; receivers discard it in silence (UPnP Device Architecture 2.0
    /// § 1.1.5).
    pub fn parse(datagram: &'a [u8]) -> Result<Self, ParseMessageError> {
        if datagram.len() > MAX_DATAGRAM {
            return Err(ParseMessageError::TooLong { len: datagram.len() });
        }
        let mut lines = Lines(Some(datagram));
        match lines.next().and_then(StartLine::read) {
            Some(StartLine::Search) => Fields::read(lines)?.search().map(Self::Search),
            Some(StartLine::Notify) => Fields::read(lines)?.notify().map(Self::Notify),
            Some(StartLine::Response) => Fields::read(lines)?.response().map(Self::Response),
            None => Err(ParseMessageError::StartLine),
        }
    }
}

/// Lines that end in CRLF or LF; the rest without an end is a line, too.
struct Lines<'a>(Option<&'a [u8]>);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.0?;
        let line = match find(rest, b'\n') {
            Some(end) => {
                let (line, tail) = rest.split_at(end);
                self.0 = tail.get(1..);
                line
            }
            None => {
                self.0 = None;
                rest
            }
        };
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }
}

/// Where the first such byte is. Blocks are looked at as a whole, for which processors have an
/// instruction.
fn find(bytes: &[u8], wanted: u8) -> Option<usize> {
    let (blocks, _) = bytes.as_chunks::<16>();
    let has = |block: &[u8; 16]| block.iter().fold(false, |has, byte| has | (*byte == wanted));
    let from = blocks.iter().take_while(|block| !has(block)).count().saturating_mul(16);
    let at = bytes.get(from..)?.iter().position(|byte| *byte == wanted)?;
    Some(from.saturating_add(at))
}

enum StartLine {
    Search,
    Notify,
    Response,
}

impl StartLine {
    fn read(line: &[u8]) -> Option<Self> {
        match line {
            b"M-SEARCH * HTTP/1.1" => Some(Self::Search),
            b"NOTIFY * HTTP/1.1" => Some(Self::Notify),
            b"HTTP/1.1 200 OK" => Some(Self::Response),
            _ => Self::read_leniently(line),
        }
    }

    fn read_leniently(line: &[u8]) -> Option<Self> {
        let mut words = line.split(|b| matches!(b, b' ' | b'\t')).filter(|w| !w.is_empty());
        let first = words.next()?;
        let second = words.next()?;
        if is_http_1(first) {
            return (second == b"200").then_some(Self::Response);
        }
        if second != b"*" || !is_http_1(words.next()?) || words.next().is_some() {
            return None;
        }
        if first.eq_ignore_ascii_case(b"M-SEARCH") {
            Some(Self::Search)
        } else if first.eq_ignore_ascii_case(b"NOTIFY") {
            Some(Self::Notify)
        } else {
            None
        }
    }
}

const fn is_http_1(word: &[u8]) -> bool {
    matches!(word, [b'H' | b'h', b'T' | b't', b'T' | b't', b'P' | b'p', b'/', b'1', b'.', d]
        if d.is_ascii_digit())
}

/// The headers that are read, as the bytes that stood there.
#[derive(Default)]
struct Fields<'a> {
    values: [Option<&'a [u8]>; NAMES.len()],
}

const HOST: usize = 0;
const MAN: usize = 1;
const MX: usize = 2;
const ST: usize = 3;
const NT: usize = 4;
const NTS: usize = 5;
const USN: usize = 6;
const LOCATION: usize = 7;
const CACHE_CONTROL: usize = 8;
const SERVER: usize = 9;
const USER_AGENT: usize = 10;
const BOOT_ID: usize = 11;
const NEXT_BOOT_ID: usize = 12;
const CONFIG_ID: usize = 13;
const SEARCH_PORT: usize = 14;
const NLS: usize = 15;

const NAMES: [&str; 16] = [
    "HOST",
    "MAN",
    "MX",
    "ST",
    "NT",
    "NTS",
    "USN",
    "LOCATION",
    "CACHE-CONTROL",
    "SERVER",
    "USER-AGENT",
    "BOOTID.UPNP.ORG",
    "NEXTBOOTID.UPNP.ORG",
    "CONFIGID.UPNP.ORG",
    "SEARCHPORT.UPNP.ORG",
    "01-NLS",
];

/// Which of [`NAMES`] this is: length and first letter leave one to compare with.
fn known(name: &[u8]) -> Option<usize> {
    let index = match (name.len(), name.first()?.to_ascii_uppercase()) {
        (2, b'M') => MX,
        (2, b'N') => NT,
        (2, b'S') => ST,
        (3, b'M') => MAN,
        (3, b'N') => NTS,
        (3, b'U') => USN,
        (4, b'H') => HOST,
        (6, b'0') => NLS,
        (6, b'S') => SERVER,
        (8, b'L') => LOCATION,
        (10, b'U') => USER_AGENT,
        (13, b'C') => CACHE_CONTROL,
        (15, b'B') => BOOT_ID,
        (17, b'C') => CONFIG_ID,
        (19, b'N') => NEXT_BOOT_ID,
        (19, b'S') => SEARCH_PORT,
        _ => return None,
    };
    let known = NAMES.get(index)?;
    name.eq_ignore_ascii_case(known.as_bytes()).then_some(index)
}

impl<'a> Fields<'a> {
    fn read(lines: Lines<'a>) -> Result<Self, ParseMessageError> {
        let mut fields = Self::default();
        let mut known = false;
        for (at, line) in lines.enumerate() {
            if line.is_empty() {
                break;
            }
            if at >= MAX_HEADERS {
                return Err(ParseMessageError::TooManyHeaders);
            }
            known = fields.take(at.saturating_add(2), line, known)?;
        }
        Ok(fields)
    }

    /// Takes one line and says whether its header is a known one.
    fn take(
        &mut self,
        number: usize,
        line: &'a [u8],
        after_known: bool,
    ) -> Result<bool, ParseMessageError> {
        if matches!(line.first(), Some(b' ' | b'\t')) {
            let line = number;
            return if after_known { Err(ParseMessageError::Folded { line }) } else { Ok(false) };
        }
        let colon = line.iter().position(|b| *b == b':');
        let Some((name, value)) = colon.and_then(|at| line.split_at_checked(at)) else {
            return Err(ParseMessageError::NotAHeader { line: number });
        };
        let name = name.trim_ascii();
        if name.is_empty() {
            return Err(ParseMessageError::NotAHeader { line: number });
        }
        let index = known(name);
        if let Some(slot) = index.and_then(|index| self.values.get_mut(index)) {
            let value = value.get(1..).unwrap_or_default().trim_ascii();
            slot.get_or_insert(value);
        }
        Ok(index.is_some())
    }

    fn text(&self, index: usize) -> Result<Option<FieldValue<'a>>, ParseMessageError> {
        let raw = self.values.get(index).copied().flatten();
        let Some(text) = raw.and_then(|raw| std::str::from_utf8(raw).ok()) else {
            return Ok(None);
        };
        // A value of Unicode spaces alone is as good as none.
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        let name = NAMES.get(index).copied().unwrap_or_default();
        FieldValue::new(text).map(Some).map_err(|_| ParseMessageError::Value { name })
    }

    fn required(&self, index: usize) -> Result<FieldValue<'a>, ParseMessageError> {
        let name = NAMES.get(index).copied().unwrap_or_default();
        self.text(index)?.ok_or(ParseMessageError::Missing { name })
    }

    /// An id that is not a number is as good as none. Leading zeros do not count (UPnP Device
    /// Architecture 2.0 § 1.2.2).
    fn number(&self, index: usize) -> Option<u32> {
        let raw = self.values.get(index).copied().flatten()?;
        if !raw.iter().all(u8::is_ascii_digit) {
            return None;
        }
        std::str::from_utf8(raw).ok()?.parse().ok()
    }

    fn search(&self) -> Result<Search<'a>, ParseMessageError> {
        let man = self.required(MAN)?.as_str();
        // UPnP Device Architecture 2.0 § 1.3.2 wants the quotes; old control points forget them.
        if !man.trim_matches('"').eq_ignore_ascii_case("ssdp:discover") {
            return Err(ParseMessageError::Value { name: "MAN" });
        }
        Ok(Search {
            host: self.text(HOST)?,
            mx: self.mx()?,
            target: self.required(ST)?,
            user_agent: self.text(USER_AGENT)?,
        })
    }

    fn mx(&self) -> Result<Option<u32>, ParseMessageError> {
        let Some(mx) = self.text(MX)? else {
            return Ok(None);
        };
        let digits = mx.as_str().bytes().all(|b| b.is_ascii_digit());
        match mx.as_str().parse() {
            Ok(seconds) if digits => Ok(Some(seconds)),
            _ => Err(ParseMessageError::Value { name: "MX" }),
        }
    }

    fn notify(&self) -> Result<Notify<'a>, ParseMessageError> {
        let nts = self.required(NTS)?.as_str();
        let kind = [NotifyKind::Alive, NotifyKind::Update, NotifyKind::ByeBye]
            .into_iter()
            .find(|kind| nts.eq_ignore_ascii_case(kind.as_str()))
            .ok_or(ParseMessageError::Value { name: "NTS" })?;
        Ok(Notify {
            host: self.text(HOST)?,
            kind,
            target: self.required(NT)?,
            usn: self.required(USN)?,
            details: self.details()?,
        })
    }

    fn response(&self) -> Result<Response<'a>, ParseMessageError> {
        Ok(Response {
            target: self.required(ST)?,
            usn: self.required(USN)?,
            details: self.details()?,
        })
    }

    fn details(&self) -> Result<Details<'a>, ParseMessageError> {
        Ok(Details {
            max_age: self.text(CACHE_CONTROL)?.and_then(max_age),
            location: self.text(LOCATION)?,
            server: self.text(SERVER)?,
            boot_id: self.number(BOOT_ID),
            next_boot_id: self.number(NEXT_BOOT_ID),
            config_id: self.number(CONFIG_ID),
            search_port: self
                .number(SEARCH_PORT)
                .and_then(|port| u16::try_from(port).ok())
                .filter(|port| *port >= FIRST_SEARCH_PORT),
            nls: self.number(NLS),
        })
    }
}

/// The seconds of `max-age`; spaces around the equals sign and quotes are let pass, other
/// directives are ignored (UPnP Device Architecture 2.0 § 1.2.2).
fn max_age(value: FieldValue<'_>) -> Option<u32> {
    value.as_str().split(',').find_map(|directive| {
        let (name, seconds) = directive.split_once('=')?;
        if !name.trim().eq_ignore_ascii_case("max-age") {
            return None;
        }
        let seconds = seconds.trim().trim_matches('"');
        if seconds.is_empty() || !seconds.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        Some(seconds.parse().unwrap_or(u32::MAX))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_known_in_either_case_and_no_other_is() {
        for (index, name) in NAMES.iter().enumerate() {
            assert_eq!(known(name.as_bytes()), Some(index));
            assert_eq!(known(name.to_ascii_lowercase().as_bytes()), Some(index));
            assert_eq!(known(format!("{name}X").as_bytes()), None);
            assert_eq!(known(name.as_bytes().get(1..).unwrap()), None);
        }
        assert_eq!(known(b""), None);
        assert_eq!(known(b"NOT"), None);
    }

    #[test]
    fn a_byte_is_found_wherever_it_is() {
        for len in 0..50 {
            for at in 0..=len {
                let mut bytes = vec![b'x'; len];
                bytes.splice(at..at, *b"\n");
                bytes.extend_from_slice(b"\nx");
                assert_eq!(find(&bytes, b'\n'), Some(at));
                assert_eq!(find(&bytes, b'y'), None);
            }
        }
    }
}
