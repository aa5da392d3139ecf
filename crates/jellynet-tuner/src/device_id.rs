//! A device's serial number, which checks itself.

use std::fmt;
use std::str::FromStr;

/// The substitution for every second nibble.
const TABLE: [u8; 16] =
    [0xA, 0x5, 0xF, 0x6, 0x7, 0xC, 0x1, 0xB, 0x9, 0x2, 0x8, 0xD, 0x4, 0x3, 0xE, 0x0];

/// The eight hexadecimal digits printed under each device.
///
/// Parsing checks the digits against one another, so that a typing error is told from a device
/// that is switched off. What a device says of itself is taken as it is: emulators are known to
/// make up ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(u32);

/// Why a text is no device id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseDeviceIdError {
    /// Not eight hexadecimal digits.
    #[error("a device id has eight hexadecimal digits: {text}")]
    Digits {
        /// What was given.
        text: String,
    },
    /// The digits do not belong together: one is wrong, or two are swapped.
    #[error("the digits do not add up, one must be mistyped: {text}")]
    Checksum {
        /// What was given.
        text: String,
    },
}

impl DeviceId {
    /// Every device, in a request.
    pub const ANY: Self = Self(u32::MAX);

    /// Takes the number as a device states it, whatever its check digit.
    #[must_use]
    pub const fn from_wire(id: u32) -> Self {
        Self(id)
    }

    /// The id whose first seven digits are those of `prefix`; the last is the check digit.
    #[must_use]
    pub fn mint(prefix: u32) -> Self {
        let open = prefix & !0xF;
        Self(open | u32::from(check(open)))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Whether the digits belong together.
    #[must_use]
    pub fn is_valid(self) -> bool {
        check(self.0) == 0
    }

    /// How many tuners a device has that does not say: old firmware.
    #[must_use]
    pub const fn default_tuner_count(self) -> u8 {
        match self.0 >> 20 {
            0x102 => 1,
            0x100 | 0x101 | 0x121 => 2,
            _ => 0,
        }
    }

    /// Whether the device is of a generation that streams over UDP only, not over HTTP.
    #[must_use]
    pub const fn is_legacy(self) -> bool {
        match self.0 >> 20 {
            0x101 | 0x102 | 0x103 | 0x111 | 0x121 | 0x122 => true,
            0x100 => self.0 < 0x1004_0000,
            0x120 => self.0 < 0x1203_0000,
            _ => false,
        }
    }
}

/// The exclusive or of all nibbles, the even ones substituted; 0 for a valid id.
fn check(id: u32) -> u8 {
    id.to_be_bytes().iter().fold(0, |sum, byte| {
        let high = TABLE.get(usize::from(byte >> 4)).copied().unwrap_or_default();
        sum ^ high ^ (byte & 0xF)
    })
}

impl FromStr for DeviceId {
    type Err = ParseDeviceIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.len() == 8 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let id = u32::from_str_radix(text, 16).ok().filter(|_| digits);
        let id = id.ok_or_else(|| ParseDeviceIdError::Digits { text: text.into() })?;
        if check(id) == 0 {
            Ok(Self(id))
        } else {
            Err(ParseDeviceIdError::Checksum { text: text.into() })
        }
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08X}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_real_devices_pass_and_a_mistyped_one_does_not() {
        for id in [
            "1012873A", "10612879", "10914695", "10314DDB", "1322F2F9", "1038A145", "10439EFD",
            "ffffffff",
        ] {
            assert!(id.parse::<DeviceId>().is_ok(), "{id}");
        }
        assert_eq!(
            "10A5B1C1".parse::<DeviceId>(),
            Err(ParseDeviceIdError::Checksum { text: "10A5B1C1".into() })
        );
        for id in ["", "1012873", "1012873A0", "+012873A", "1012873G"] {
            let parsed = id.parse::<DeviceId>();
            assert!(matches!(parsed, Err(ParseDeviceIdError::Digits { .. })), "{id}");
        }
    }

    #[test]
    fn a_minted_id_is_valid_and_prints_as_eight_digits() {
        assert_eq!(DeviceId::mint(0x10A5_B1C0).to_string(), "10A5B1C0");
        for prefix in (0..=u32::MAX).step_by(0x0101_3357) {
            let id = DeviceId::mint(prefix);
            assert_eq!(id.to_string().parse(), Ok(id));
        }
    }

    #[test]
    fn the_generation_tells_what_old_firmware_does_not() {
        for (id, tuners, legacy) in [
            (0x1012_873A, 2, true),
            (0x1020_0000, 1, true),
            (0x1003_FFFF, 2, true),
            (0x1004_0000, 2, false),
            (0x1202_FFFF, 0, true),
            (0x1203_0000, 0, false),
            (0x1322_F2F9, 0, false),
        ] {
            let id = DeviceId::from_wire(id);
            assert_eq!((id.default_tuner_count(), id.is_legacy()), (tuners, legacy), "{id}");
        }
    }
}
