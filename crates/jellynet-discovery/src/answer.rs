//! The answer that clients read.

use crate::json::{self, Value};

/// An answer to the question, as it stands on the wire.
///
/// Written as `{"Address":"…","Id":"…","Name":"…","EndpointAddress":null}`: in this order and
/// these letters, because some clients look for them, and with an endpoint address that is always
/// null, because some clients would replace the host of the address by it.
///
/// # Examples
///
/// ```
/// use jellynet_discovery::Answer;
///
/// let answer = Answer::new("http://10.0.0.5:8096", "0123456789abcdef0123456789abcdef", "Den");
/// let bytes = answer.encode().expect("it is short");
/// assert_eq!(Answer::decode(&bytes), Ok(answer));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Answer {
    /// The URL under which the server is reached, without a slash at its end.
    pub address: String,
    /// The server's id; Jellyfin's are 32 hexadecimal digits, other servers' need not be.
    pub id: String,
    /// The name to show.
    pub name: String,
}

/// The most bytes an answer has: some clients read 1024, and cut off what is more.
const LONGEST: usize = 1023;
/// The most bytes that are read as an answer.
const LONGEST_READ: usize = 4096;
/// The most bytes of an address or an id that is read.
const LONGEST_MEMBER: usize = 512;
/// The most characters of a name that are kept.
const LONGEST_NAME: usize = 256;

impl Answer {
    /// An answer of these parts.
    #[must_use]
    pub fn new(address: impl Into<String>, id: impl Into<String>, name: impl Into<String>) -> Self {
        Self { address: address.into(), id: id.into(), name: name.into() }
    }

    /// The bytes of the answer, less than 1024: a name that is too long for that is cut at a
    /// character. `None` if the address and the id alone are too long.
    #[must_use]
    pub fn encode(&self) -> Option<Vec<u8>> {
        encode(&self.address, &self.id, &self.name)
    }

    /// Reads an answer: a JSON object with these members, in any order and letter case, beside
    /// any others. Control characters are replaced, so that nobody's terminal is told anything, and
    /// of a name the first 256 characters are kept.
    ///
    /// # Errors
    ///
    /// When the bytes are too many, no JSON object, or lack an address or an id of at most 512
    /// bytes.
    pub fn decode(payload: &[u8]) -> Result<Self, DecodeAnswerError> {
        if payload.len() > LONGEST_READ {
            let found = payload.len();
            return Err(DecodeAnswerError::TooLong { found });
        }
        let text = std::str::from_utf8(payload)
            .map_err(|error| DecodeAnswerError::NotText { at: error.valid_up_to() })?;
        let members = json::members(text).map_err(|at| DecodeAnswerError::NotJson { at })?;
        // The last of several with one name counts, as for most readers.
        let member = |name: &'static str| {
            let named = |(found, _): &&(String, Value)| found.eq_ignore_ascii_case(name);
            match members.iter().rev().find(named) {
                Some((_, Value::Text(text))) => Some(printable(text)),
                Some((_, Value::Other)) | None => None,
            }
        };
        let needed = |name| {
            let text = member(name).filter(|text| !text.is_empty());
            let text = text.ok_or(DecodeAnswerError::Missing { name })?;
            if text.len() > LONGEST_MEMBER {
                return Err(DecodeAnswerError::MemberTooLong { name });
            }
            Ok(text)
        };
        let name = member("Name").unwrap_or_default();
        Ok(Self {
            address: needed("Address")?.trim_end_matches('/').to_owned(),
            id: needed("Id")?,
            name: name.chars().take(LONGEST_NAME).collect(),
        })
    }
}

/// Why a datagram is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeAnswerError {
    /// It has more than 4096 bytes.
    #[error("too long for an answer: {found} bytes")]
    TooLong {
        /// How many it has.
        found: usize,
    },
    /// It is not UTF-8.
    #[error("not text at byte {at}")]
    NotText {
        /// Where.
        at: usize,
    },
    /// It is not a JSON object.
    #[error("not a json object at byte {at}")]
    NotJson {
        /// Where.
        at: usize,
    },
    /// It lacks a member, or has something else than a text in it.
    #[error("no {name} in the answer")]
    Missing {
        /// Which.
        name: &'static str,
    },
    /// A member has more than 512 bytes.
    #[error("{name} is too long")]
    MemberTooLong {
        /// Which.
        name: &'static str,
    },
}

/// The bytes of an answer, see [`Answer::encode`].
pub(crate) fn encode(address: &str, id: &str, name: &str) -> Option<Vec<u8>> {
    const ADDRESS: &str = "{\"Address\":\"";
    const ID: &str = "\",\"Id\":\"";
    const NAME: &str = "\",\"Name\":\"";
    const END: &str = "\",\"EndpointAddress\":null}";
    const FIXED: usize = ADDRESS.len() + ID.len() + NAME.len() + END.len();
    let address = address.trim_end_matches('/');
    // Exact where nothing is escaped, so that the bytes need not be moved.
    let mut text = String::with_capacity(FIXED + address.len() + id.len() + name.len());
    text.push_str(ADDRESS);
    json::escape_into(&mut text, address);
    text.push_str(ID);
    json::escape_into(&mut text, id);
    text.push_str(NAME);
    let room = LONGEST.checked_sub(text.len() + END.len())?;
    let start = text.len();
    json::escape_into(&mut text, name);
    if text.len() - start > room {
        text.truncate(start);
        text.push_str(&shortened(name, room));
    }
    text.push_str(END);
    Some(text.into_bytes())
}

/// The name with its escapes, cut at a character so that it has at most `room` bytes.
fn shortened(name: &str, room: usize) -> String {
    let mut escaped = String::with_capacity(name.len());
    let mut buffer = [0; 4];
    for character in name.chars() {
        let before = escaped.len();
        json::escape_into(&mut escaped, character.encode_utf8(&mut buffer));
        if escaped.len() > room {
            escaped.truncate(before);
            break;
        }
    }
    escaped
}

fn printable(text: &str) -> String {
    let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let printable: String = text.chars().map(shown).collect();
    printable.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn the_bytes_are_those_that_clients_look_for() {
        let answer = Answer::new("http://10.0.0.5:8096/base/", ID, "Wohnzimmer \"TV\" é");
        assert_eq!(
            String::from_utf8(answer.encode().unwrap()).unwrap(),
            r#"{"Address":"http://10.0.0.5:8096/base","Id":"0123456789abcdef0123456789abcdef","Name":"Wohnzimmer \"TV\" é","EndpointAddress":null}"#
        );
    }

    #[test]
    fn answers_of_other_servers_are_read() {
        for (payload, expected) in [
            (
                r#"{"Address":"http://192.168.1.9:8096","Id":"abc","Name":"\u0041\ud83d\ude00","EndpointAddress":null}"#,
                Answer::new("http://192.168.1.9:8096", "abc", "A😀"),
            ),
            (
                "\u{feff} { \"name\" : \"x\" , \"id\":\"1\",\"ADDRESS\":\"http://h/\", \"Port\": 8096, \"Deep\": [{}, [1e5, true]] }\r\n\0",
                Answer::new("http://h", "1", "x"),
            ),
            (
                "{\"Address\":\"http://h\",\"Id\":\"1\",\"Name\":\"\\u001b[31mred\"}",
                Answer::new("http://h", "1", "\u{fffd}[31mred"),
            ),
        ] {
            assert_eq!(Answer::decode(payload.as_bytes()), Ok(expected), "{payload}");
        }
    }

    #[test]
    fn what_is_no_answer_says_why() {
        for (payload, expected) in [
            ("", DecodeAnswerError::NotJson { at: 0 }),
            ("who is JellyfinServer?", DecodeAnswerError::NotJson { at: 0 }),
            ("[1]", DecodeAnswerError::NotJson { at: 0 }),
            ("{\"Id\":\"1\"", DecodeAnswerError::NotJson { at: 9 }),
            ("{\"Id\":\"1\"}", DecodeAnswerError::Missing { name: "Address" }),
            ("{\"Id\":1,\"Address\":\"x\"}", DecodeAnswerError::Missing { name: "Id" }),
        ] {
            assert_eq!(Answer::decode(payload.as_bytes()), Err(expected), "{payload}");
        }
        assert_eq!(Answer::decode(b"{\xff}"), Err(DecodeAnswerError::NotText { at: 1 }));
        assert_eq!(Answer::decode(&[b' '; 5000]), Err(DecodeAnswerError::TooLong { found: 5000 }));
        let deep = "{\"a\":".repeat(1000);
        assert!(Answer::decode(&deep.as_bytes()[..4000]).is_err());
    }

    #[test]
    fn an_address_that_leaves_no_room_is_no_answer() {
        let long = format!("http://{}", "x".repeat(1000));
        assert_eq!(Answer::new(long, ID, "n").encode(), None);
    }

    proptest! {
        #[test]
        fn answers_are_short_and_what_is_written_is_read(
            name in "\\PC{0,600}",
            host in "[a-z0-9.]{1,200}",
        ) {
            let answer = Answer::new(format!("http://{host}:8096"), ID, name.trim());
            let bytes = answer.encode().unwrap();
            prop_assert!(bytes.len() < 1024);
            let read = Answer::decode(&bytes).unwrap();
            prop_assert_eq!(&read.address, &answer.address);
            prop_assert!(answer.name.starts_with(read.name.trim()));
            if answer.name.chars().count() <= LONGEST_NAME && bytes.len() < 1000 {
                prop_assert_eq!(&read, &answer);
            }
        }

        #[test]
        fn hostile_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            drop(Answer::decode(&bytes));
        }

        #[test]
        fn broken_answers_never_panic(at in 0usize..130, byte: u8) {
            let mut bytes = Answer::new("http://h:1", ID, "\u{e9}\"\\").encode().unwrap();
            let at = at % bytes.len();
            bytes[at] = byte;
            if let Ok(answer) = Answer::decode(&bytes) {
                prop_assert_eq!(Answer::decode(&answer.encode().unwrap()), Ok(answer));
            }
        }
    }
}
