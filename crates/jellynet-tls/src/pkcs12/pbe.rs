//! Password-based encryption: PKCS#12's own schemes (RFC 7292 appendix C) and PBES2 (RFC 8018).

mod cipher;
mod legacy_pem;

use zeroize::Zeroizing;

use super::Passwords;
use super::digest::{Hash, Purpose};
use super::mac::at_least_one;
use crate::der::{self, Malformed, Reader};
use crate::error::DecodeError;
use crate::limits::Budget;
use crate::oid::{self, Oid};

pub(super) use cipher::Cipher;
pub(crate) use legacy_pem::decrypt_legacy_pem;

/// Opens an EncryptedPrivateKeyInfo and returns the PKCS#8 key.
pub(crate) fn decrypt_pkcs8(
    der: &[u8],
    passwords: &Passwords,
    budget: &Budget,
) -> Result<Zeroizing<Vec<u8>>, DecodeError> {
    let mut info = Reader::new(der).sequence()?;
    let algorithm = info.sequence()?;
    let ciphertext = info.octets()?;
    decrypt(algorithm, ciphertext, passwords, budget, |plain| {
        let key = der::ber::normalize(plain).ok()?;
        let mut fields = Reader::new(&key).sequence().ok()?;
        fields.count().ok()?;
        fields.sequence().ok()?.oid().ok()?;
        fields.octets().ok()?;
        Some(key)
    })
}

/// Decrypts with the first form of the password of which `accept` makes something.
pub(super) fn decrypt<T>(
    mut algorithm: Reader<'_>,
    ciphertext: &[u8],
    passwords: &Passwords,
    budget: &Budget,
    accept: impl Fn(&[u8]) -> Option<T>,
) -> Result<T, DecodeError> {
    let id = algorithm.oid()?;
    let opened = if id == oid::PBES2 {
        let scheme = Pbes2::parse(algorithm)?;
        passwords.narrow.find(|password| {
            let plain = scheme.decrypt(password, ciphertext, budget)?;
            Ok::<_, DecodeError>(plain.and_then(|plain| accept(&plain)))
        })?
    } else {
        let scheme = Pbes1::parse(id, algorithm)?;
        passwords.wide.find(|password| {
            let plain = scheme.decrypt(password, ciphertext, budget)?;
            Ok::<_, DecodeError>(plain.and_then(|plain| accept(&plain)))
        })?
    };
    opened.ok_or_else(|| passwords.wrong())
}

/// The rounds that one attempt takes; nothing for what will be refused.
pub(super) fn cost(mut algorithm: Reader<'_>) -> u64 {
    let Ok(id) = algorithm.oid() else { return 0 };
    let cost = if id == oid::PBES2 {
        Pbes2::parse(algorithm).map(|scheme| scheme.kdf.cost(scheme.cipher.key_size()))
    } else {
        Pbes1::parse(id, algorithm).map(|scheme| scheme.cost())
    };
    cost.unwrap_or(0)
}

type Plaintext = Option<Zeroizing<Vec<u8>>>;

/// One of the six schemes of RFC 7292 appendix C.
struct Pbes1<'a> {
    cipher: Cipher,
    salt: &'a [u8],
    rounds: u64,
}

impl<'a> Pbes1<'a> {
    fn parse(id: &Oid, mut algorithm: Reader<'a>) -> Result<Self, DecodeError> {
        let cipher = match id {
            oid::PBE_SHA1_RC4_128 => Cipher::Rc4 { key: 16 },
            oid::PBE_SHA1_RC4_40 => Cipher::Rc4 { key: 5 },
            oid::PBE_SHA1_3DES => Cipher::TripleDes,
            oid::PBE_SHA1_2DES => Cipher::DoubleDes,
            oid::PBE_SHA1_RC2_128 => Cipher::Rc2 { key: 16, effective_bits: 128 },
            oid::PBE_SHA1_RC2_40 => Cipher::Rc2 { key: 5, effective_bits: 40 },
            _ => {
                return Err(DecodeError::UnsupportedAlgorithm { name: oid::name(id) });
            }
        };
        let mut params = algorithm.sequence()?;
        let salt = params.octets()?;
        let rounds = at_least_one(params.count()?)?;
        Ok(Self { cipher, salt, rounds })
    }

    fn cost(&self) -> u64 {
        let blocks = |length| {
            if length == 0 { 0 } else { Hash::Sha1.blocks(length) }
        };
        let blocks = blocks(self.cipher.key_size()) + blocks(self.cipher.iv_size());
        self.rounds.saturating_mul(blocks)
    }

    fn decrypt(
        &self,
        password: &[u8],
        ciphertext: &[u8],
        budget: &Budget,
    ) -> Result<Plaintext, DecodeError> {
        let derive = |purpose, length| {
            let rounds = budget.derivation(self.rounds, Hash::Sha1.blocks(length), 1)?;
            Ok::<_, DecodeError>(
                Hash::Sha1.pkcs12_kdf(purpose, password, self.salt, rounds, length),
            )
        };
        let key = derive(Purpose::Key, self.cipher.key_size())?;
        let iv = match self.cipher.iv_size() {
            0 => Zeroizing::default(),
            size => derive(Purpose::Iv, size)?,
        };
        Ok(self.cipher.decrypt(&key, &iv, ciphertext))
    }
}

/// PBES2: a derivation and a cipher of its own choice.
struct Pbes2<'a> {
    kdf: Kdf<'a>,
    cipher: Cipher,
    iv: &'a [u8],
}

impl<'a> Pbes2<'a> {
    fn parse(mut algorithm: Reader<'a>) -> Result<Self, DecodeError> {
        let mut params = algorithm.sequence()?;
        let kdf = Kdf::parse(params.sequence()?)?;
        let mut encryption = params.sequence()?;
        let id = encryption.oid()?;
        let (cipher, iv) = match id {
            oid::AES128_CBC => (Cipher::Aes128, encryption.octets()?),
            oid::AES192_CBC => (Cipher::Aes192, encryption.octets()?),
            oid::AES256_CBC => (Cipher::Aes256, encryption.octets()?),
            oid::DES_EDE3_CBC => (Cipher::TripleDes, encryption.octets()?),
            oid::RC2_CBC => rc2_parameters(encryption, kdf.key_length())?,
            _ => {
                return Err(DecodeError::UnsupportedAlgorithm { name: oid::name(id) });
            }
        };
        if kdf.key_length().is_some_and(|length| length != cipher.key_size()) {
            return Err(Malformed("the key length does not fit the cipher").into());
        }
        if iv.len() != cipher.iv_size() {
            return Err(Malformed("the initialisation vector does not fit the cipher").into());
        }
        Ok(Self { kdf, cipher, iv })
    }

    fn decrypt(
        &self,
        password: &[u8],
        ciphertext: &[u8],
        budget: &Budget,
    ) -> Result<Plaintext, DecodeError> {
        let mut key = Zeroizing::new(vec![0; self.cipher.key_size()]);
        self.kdf.derive(password, &mut key, budget)?;
        Ok(self.cipher.decrypt(&key, self.iv, ciphertext))
    }
}

/// RFC 8018 appendix B.2.3: the version encodes the effective bits.
fn rc2_parameters(
    mut encryption: Reader<'_>,
    key_length: Option<usize>,
) -> Result<(Cipher, &[u8]), DecodeError> {
    let mut params = encryption.sequence()?;
    let effective_bits = match params.optional(der::INTEGER)? {
        None => 32,
        Some(version) => match der::unsigned(version.value)? {
            160 => 40,
            120 => 64,
            58 => 128,
            bits @ 256..=1024 => usize::try_from(bits).unwrap_or(1024),
            _ => return Err(Malformed("the version of RC2 is unknown").into()),
        },
    };
    let key = key_length.unwrap_or(effective_bits / 8);
    if !(1..=128).contains(&key) {
        return Err(Malformed("the key length does not fit the cipher").into());
    }
    Ok((Cipher::Rc2 { key, effective_bits }, params.octets()?))
}

/// A derivation of PBES2.
enum Kdf<'a> {
    Pbkdf2(Pbkdf2<'a>),
    Scrypt(Scrypt<'a>),
}

impl<'a> Kdf<'a> {
    fn parse(mut algorithm: Reader<'a>) -> Result<Self, DecodeError> {
        let id = algorithm.oid()?;
        match id {
            oid::PBKDF2 => Pbkdf2::parse(algorithm).map(Self::Pbkdf2),
            oid::SCRYPT => Ok(Scrypt::parse(algorithm).map(Self::Scrypt)?),
            _ => Err(DecodeError::UnsupportedAlgorithm { name: oid::name(id) }),
        }
    }

    const fn key_length(&self) -> Option<usize> {
        match self {
            Self::Pbkdf2(kdf) => kdf.key_length,
            Self::Scrypt(kdf) => kdf.key_length,
        }
    }

    fn cost(&self, length: usize) -> u64 {
        match self {
            Self::Pbkdf2(kdf) => kdf.cost(length),
            Self::Scrypt(kdf) => Budget::scrypt_cost(kdf.cost, kdf.block, kdf.lanes),
        }
    }

    fn derive(&self, password: &[u8], out: &mut [u8], budget: &Budget) -> Result<(), DecodeError> {
        match self {
            Self::Pbkdf2(kdf) => kdf.derive(password, out, budget),
            Self::Scrypt(kdf) => kdf.derive(password, out, budget),
        }
    }
}

/// The parameters of PBKDF2 (RFC 8018 appendix A.2).
pub(super) struct Pbkdf2<'a> {
    salt: &'a [u8],
    rounds: u64,
    pub(super) key_length: Option<usize>,
    hash: Hash,
}

impl<'a> Pbkdf2<'a> {
    pub(super) fn parse(mut algorithm: Reader<'a>) -> Result<Self, DecodeError> {
        let mut params = algorithm.sequence()?;
        let salt = params.octets()?;
        let rounds = at_least_one(params.count()?)?;
        let key_length = key_length(&mut params)?;
        let hash = match params.optional(der::SEQUENCE)? {
            None => Hash::Sha1,
            Some(prf) => {
                let id = prf.inside().oid()?;
                Hash::from_hmac_oid(id)
                    .ok_or_else(|| DecodeError::UnsupportedAlgorithm { name: oid::name(id) })?
            }
        };
        Ok(Self { salt, rounds, key_length, hash })
    }

    /// The rounds for this many octets of key.
    pub(super) fn cost(&self, length: usize) -> u64 {
        self.rounds.saturating_mul(self.hash.blocks(length)).saturating_mul(self.hash.weight())
    }

    pub(super) fn derive(
        &self,
        password: &[u8],
        out: &mut [u8],
        budget: &Budget,
    ) -> Result<(), DecodeError> {
        let blocks = self.hash.blocks(out.len());
        let rounds = budget.derivation(self.rounds, blocks, self.hash.weight())?;
        self.hash.pbkdf2(password, self.salt, rounds, out);
        Ok(())
    }
}

fn key_length(params: &mut Reader<'_>) -> Result<Option<usize>, Malformed> {
    params
        .optional(der::INTEGER)?
        .map(|length| {
            usize::try_from(der::unsigned(length.value)?)
                .map_err(|_| Malformed("a key length is absurd"))
        })
        .transpose()
}

/// The parameters of scrypt (RFC 7914 § 7).
struct Scrypt<'a> {
    salt: &'a [u8],
    cost: u64,
    block: u64,
    lanes: u64,
    key_length: Option<usize>,
}

impl<'a> Scrypt<'a> {
    fn parse(mut algorithm: Reader<'a>) -> Result<Self, Malformed> {
        let mut params = algorithm.sequence()?;
        Ok(Self {
            salt: params.octets()?,
            cost: params.count()?,
            block: params.count()?,
            lanes: params.count()?,
            key_length: key_length(&mut params)?,
        })
    }

    fn derive(&self, password: &[u8], out: &mut [u8], budget: &Budget) -> Result<(), DecodeError> {
        budget.scrypt(self.cost, self.block, self.lanes)?;
        let absurd = Malformed("the parameters of scrypt are absurd");
        if !self.cost.is_power_of_two() {
            return Err(absurd.into());
        }
        let narrow = |number: u64| u32::try_from(number).map_err(|_| absurd);
        let log_cost = u8::try_from(self.cost.ilog2()).map_err(|_| absurd)?;
        let params = scrypt::Params::new(log_cost, narrow(self.block)?, narrow(self.lanes)?)
            .map_err(|_| absurd)?;
        scrypt::scrypt(password, self.salt, &params, out).map_err(|_| absurd.into())
    }
}
