//! Who a server is, for ever.

use std::fmt;
use std::str::FromStr;

/// The id of a server: 128 bits that stay the same for ever, whatever its name and address.
///
/// Clients recognise a server by it. It is written as 32 lower-case hexadecimal digits, and read
/// with dashes, white space and a byte order mark too, as some files have them.
///
/// # Examples
///
/// ```
/// use jellynet_discovery::ServerId;
///
/// let id: ServerId = "01234567-89AB-cdef-0123-456789abcdef\n".parse()?;
/// assert_eq!(id.to_string(), "0123456789abcdef0123456789abcdef");
/// # Ok::<(), jellynet_discovery::ParseServerIdError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerId([u8; 16]);

impl ServerId {
    /// The id of these 16 bytes, which should be random.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerId({self})")
    }
}

impl FromStr for ServerId {
    type Err = ParseServerIdError;

    fn from_str(text: &str) -> Result<Self, ParseServerIdError> {
        let text = text.trim_start_matches('\u{feff}').trim();
        let mut id = [0; 16];
        let mut digits = 0;
        for character in text.chars().filter(|c| *c != '-') {
            let digit = character
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
                .ok_or(ParseServerIdError::NotHexadecimal { found: character })?;
            if let Some(byte) = id.get_mut(digits / 2) {
                *byte = *byte << 4 | digit;
            }
            digits += 1;
        }
        match digits {
            32 => Ok(Self(id)),
            found => Err(ParseServerIdError::Length { found }),
        }
    }
}

/// Why a text is no server id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseServerIdError {
    /// It has something else in it than digits and dashes.
    #[error("a server id has hexadecimal digits only, found {found:?}")]
    NotHexadecimal {
        /// The first such character.
        found: char,
    },
    /// It has more or fewer digits.
    #[error("a server id has 32 hexadecimal digits, found {found}")]
    Length {
        /// How many it has.
        found: usize,
    },
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_id_says_why() {
        for (text, expected) in [
            ("", ParseServerIdError::Length { found: 0 }),
            ("abc", ParseServerIdError::Length { found: 3 }),
            ("0123456789abcdef0123456789abcdef0", ParseServerIdError::Length { found: 33 }),
            ("xyz", ParseServerIdError::NotHexadecimal { found: 'x' }),
        ] {
            assert_eq!(text.parse::<ServerId>(), Err(expected), "{text}");
        }
        assert!("\u{feff}0123456789ABCDEF0123456789abcdef\r\n".parse::<ServerId>().is_ok());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(bytes: [u8; 16]) {
            let id = ServerId::from_bytes(bytes);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
            prop_assert_eq!(id.to_string().len(), 32);
        }

        #[test]
        fn any_text_is_an_id_or_an_error(text in ".{0,64}") {
            drop(text.parse::<ServerId>());
        }
    }
}
