//! One password in the forms in which makers hand it to their derivations.

use std::cell::Cell;

use zeroize::Zeroizing;

type Secret = Zeroizing<Vec<u8>>;

/// The forms of a password, the likely ones first.
pub(crate) struct Passwords {
    /// For the derivation of PKCS#12 itself: UTF-16 with a terminator.
    pub(super) wide: Forms,
    /// For PBKDF2 and scrypt: UTF-8.
    pub(super) narrow: Forms,
    /// The user gave one.
    pub(super) given: bool,
}

impl Passwords {
    /// Jellyfin takes an empty or blank password for none, and so do we, after the blanks.
    pub(crate) fn new(password: Option<&str>) -> Self {
        let text = password.unwrap_or_default();
        let mut wide = Vec::new();
        let mut narrow = Vec::new();
        if !text.is_empty() {
            push(&mut wide, utf16(text));
            push(&mut narrow, Zeroizing::new(text.as_bytes().to_vec()));
            // OpenSSL before 1.1.0 widened each octet of UTF-8 on its own.
            push(&mut wide, widened(text.as_bytes()));
            // Bouncy Castle gives PBKDF2 the low octet of each character.
            if let Some(latin1) = latin1(text) {
                push(&mut narrow, latin1);
            }
        }
        if text.trim().is_empty() {
            // OpenSSL writes the terminator alone; Windows, Java and node-forge write nothing.
            push(&mut wide, Zeroizing::new(vec![0, 0]));
            push(&mut wide, Zeroizing::default());
            push(&mut narrow, Zeroizing::default());
        }
        Self { wide: Forms::new(wide), narrow: Forms::new(narrow), given: !text.is_empty() }
    }

    /// The error for a password that does not fit.
    pub(super) const fn wrong(&self) -> crate::error::DecodeError {
        crate::error::DecodeError::WrongPassword { given: self.given, empty_opens: false }
    }
}

/// Forms to try; the one that worked last comes first.
pub(super) struct Forms {
    forms: Vec<Secret>,
    last: Cell<usize>,
}

impl Forms {
    const fn new(forms: Vec<Secret>) -> Self {
        Self { forms, last: Cell::new(0) }
    }

    /// The result of the first form that has one.
    pub(super) fn find<T, E>(
        &self,
        mut attempt: impl FnMut(&[u8]) -> Result<Option<T>, E>,
    ) -> Result<Option<T>, E> {
        let first = self.last.get();
        let others = (0..self.forms.len()).filter(|index| *index != first);
        for index in std::iter::once(first).chain(others) {
            if let Some(form) = self.forms.get(index)
                && let Some(result) = attempt(form)?
            {
                self.last.set(index);
                return Ok(Some(result));
            }
        }
        Ok(None)
    }
}

fn push(forms: &mut Vec<Secret>, form: Secret) {
    if !forms.contains(&form) {
        forms.push(form);
    }
}

/// Big-endian UTF-16 with surrogate pairs and two zero octets at the end (RFC 7292 appendix B.1).
pub(super) fn utf16(text: &str) -> Secret {
    let units = text.encode_utf16().chain([0]);
    let mut wide = Zeroizing::new(Vec::with_capacity(4 * text.len() + 2));
    for unit in units {
        wide.extend_from_slice(&unit.to_be_bytes());
    }
    wide
}

fn widened(octets: &[u8]) -> Secret {
    let mut wide = Zeroizing::new(Vec::with_capacity(2 * octets.len() + 2));
    for octet in octets.iter().chain([&0]) {
        wide.extend_from_slice(&[0, *octet]);
    }
    wide
}

fn latin1(text: &str) -> Option<Secret> {
    let mut narrow = Zeroizing::new(Vec::with_capacity(text.len()));
    for character in text.chars() {
        narrow.push(u8::try_from(character).ok()?);
    }
    Some(narrow)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_password_has_its_forms_and_no_more() {
        let count = |text| {
            let forms = Passwords::new(text);
            (forms.wide.forms.len(), forms.narrow.forms.len())
        };
        assert_eq!(count(None), (2, 1));
        assert_eq!(count(Some("")), (2, 1));
        assert_eq!(count(Some("  ")), (3, 2));
        assert_eq!(count(Some("ascii")), (1, 1));
        assert_eq!(count(Some("grün")), (2, 2));
        assert_eq!(count(Some("🔑")), (2, 1));
    }

    #[test]
    fn emoji_become_surrogate_pairs() {
        assert_eq!(**utf16("🔑"), [0xd8, 0x3d, 0xdd, 0x11, 0, 0]);
    }
}
