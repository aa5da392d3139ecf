//! The integrity check of a PKCS#12 file: RFC 7292 § 4 and PBMAC1 (RFC 9579).

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::Passwords;
use super::digest::{Hash, Purpose};
use super::pbe::Pbkdf2;
use crate::der::{self, Malformed, Reader};
use crate::error::DecodeError;
use crate::limits::Budget;
use crate::oid;

/// Checks `content` with the first form of the password that fits.
pub(super) fn verify(
    mut mac: Reader<'_>,
    content: &[u8],
    passwords: &Passwords,
    budget: &Budget,
) -> Result<(), DecodeError> {
    let mut info = mac.sequence()?;
    let mut algorithm = info.sequence()?;
    let id = algorithm.oid()?;
    let expected = info.octets()?;
    let verified = if id == oid::PBMAC1 {
        let check = Pbmac1::parse(algorithm)?;
        passwords.narrow.find(|password| check.verify(password, content, expected, budget))?
    } else {
        let check = Classic::parse(id, mac)?;
        passwords.wide.find(|password| check.verify(password, content, expected, budget))?
    };
    verified.ok_or_else(|| passwords.wrong())
}

/// The rounds that one attempt takes.
pub(super) fn cost(mut mac: Reader<'_>) -> Result<u64, DecodeError> {
    let mut info = mac.sequence()?;
    let mut algorithm = info.sequence()?;
    let id = algorithm.oid()?;
    if id == oid::PBMAC1 {
        let check = Pbmac1::parse(algorithm)?;
        return Ok(check.kdf.cost(check.key_length));
    }
    let check = Classic::parse(id, mac)?;
    Ok(check.rounds.saturating_mul(check.hash.weight()))
}

/// The check of RFC 7292 appendix A: HMAC under a key from the PKCS#12 derivation.
struct Classic<'a> {
    hash: Hash,
    salt: &'a [u8],
    rounds: u64,
}

impl<'a> Classic<'a> {
    fn parse(id: &oid::Oid, mut mac: Reader<'a>) -> Result<Self, DecodeError> {
        let hash = Hash::from_digest_oid(id)
            .ok_or_else(|| DecodeError::UnsupportedAlgorithm { name: oid::name(id) })?;
        let salt = mac.octets()?;
        let rounds = match mac.optional(der::INTEGER)? {
            Some(rounds) => at_least_one(der::unsigned(rounds.value)?)?,
            None => 1,
        };
        Ok(Self { hash, salt, rounds })
    }

    fn verify(
        &self,
        password: &[u8],
        content: &[u8],
        expected: &[u8],
        budget: &Budget,
    ) -> Result<Option<()>, DecodeError> {
        let rounds = budget.derivation(self.rounds, 1, self.hash.weight())?;
        let length = self.hash.output_size();
        let key = self.hash.pkcs12_kdf(Purpose::Mac, password, self.salt, rounds, length);
        Ok(equal(&self.hash.hmac(&key, content), expected))
    }
}

/// PBMAC1 (RFC 8018 § 7.1, RFC 9579).
struct Pbmac1<'a> {
    kdf: Pbkdf2<'a>,
    key_length: usize,
    hash: Hash,
}

impl<'a> Pbmac1<'a> {
    fn parse(mut algorithm: Reader<'a>) -> Result<Self, DecodeError> {
        let mut params = algorithm.sequence()?;
        let mut kdf = params.sequence()?;
        let id = kdf.oid()?;
        if id != oid::PBKDF2 {
            return Err(DecodeError::UnsupportedAlgorithm { name: oid::name(id) });
        }
        let kdf = Pbkdf2::parse(kdf)?;
        let scheme = params.sequence()?.oid()?;
        let hash = Hash::from_hmac_oid(scheme)
            .ok_or_else(|| DecodeError::UnsupportedAlgorithm { name: oid::name(scheme) })?;
        // RFC 9579 § 5 and § 9: without it, or with a short one, the check could be forged.
        let key_length = kdf
            .key_length
            .filter(|length| (20..=512).contains(length))
            .ok_or(Malformed("the key length of its integrity check is missing or too small"))?;
        Ok(Self { kdf, key_length, hash })
    }

    fn verify(
        &self,
        password: &[u8],
        content: &[u8],
        expected: &[u8],
        budget: &Budget,
    ) -> Result<Option<()>, DecodeError> {
        let mut key = Zeroizing::new(vec![0; self.key_length]);
        self.kdf.derive(password, &mut key, budget)?;
        Ok(equal(&self.hash.hmac(&key, content), expected))
    }
}

/// Both are of the same length, and equal, found out in constant time.
fn equal(computed: &[u8], expected: &[u8]) -> Option<()> {
    bool::from(computed.ct_eq(expected)).then_some(())
}

/// A derivation has at least one round.
pub(super) const fn at_least_one(rounds: u64) -> Result<u64, Malformed> {
    if rounds == 0 { Err(Malformed("it asks for no round of key derivation")) } else { Ok(rounds) }
}
