//! Device identifiers.

use std::fmt;
use std::str::FromStr;

/// A 128-bit device identifier, written as `2fac1234-31f8-11b4-a222-08002b34c003`
/// (UPnP Device Architecture 2.0 § 1.1.4).
///
/// It is the same device after each restart, so it has to be kept: a Jellyfin server uses its
/// server id.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uuid([u8; 16]);

impl Uuid {
    /// The identifier with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes, the first written first.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uuid({self})")
    }
}

impl FromStr for Uuid {
    type Err = ParseUuidError;

    /// Reads 32 hexadecimal digits of either case, with or without hyphens between them and
    /// `uuid:` before them.
    fn from_str(text: &str) -> Result<Self, ParseUuidError> {
        let digits = match text.split_at_checked(5) {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("uuid:") => rest,
            _ => text,
        };
        let mut bytes = [0_u8; 16];
        let mut count = 0_usize;
        for byte in digits.bytes().filter(|b| *b != b'-') {
            let digit = char::from(byte).to_digit(16).ok_or(ParseUuidError)?;
            let slot = bytes.get_mut(count / 2).ok_or(ParseUuidError)?;
            *slot = (*slot << 4) | u8::try_from(digit).map_err(|_| ParseUuidError)?;
            count = count.saturating_add(1);
        }
        if count == 32 { Ok(Self(bytes)) } else { Err(ParseUuidError) }
    }
}

/// The text is no device identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a device identifier has 32 hexadecimal digits")]
pub struct ParseUuidError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_the_same_device() {
        let expected = "2fac1234-31f8-11b4-a222-08002b34c003";
        for given in [
            expected,
            "uuid:2fac1234-31f8-11b4-a222-08002b34c003",
            "UUID:2FAC1234-31F8-11B4-A222-08002B34C003",
            "2fac123431f811b4a22208002b34c003",
        ] {
            assert_eq!(given.parse::<Uuid>().unwrap().to_string(), expected);
        }
        for given in ["", "uuid:", "2fac1234", "g", "é", &"0".repeat(33)] {
            assert_eq!(given.parse::<Uuid>(), Err(ParseUuidError), "{given}");
        }
    }
}
