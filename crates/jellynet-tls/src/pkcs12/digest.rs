//! Hash functions by object identifier, and what is made of them.

use hmac::digest::block_api::BlockSizeUser;
use hmac::digest::{Digest, KeyInit};
use hmac::{Hmac, Mac};
use zeroize::Zeroizing;

use crate::oid::{self, Oid};

/// SHA-256 of some bytes.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    sha2::Sha256::digest(bytes).into()
}

/// The hash functions that occur in PKCS#12 files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
    Sha512_224,
    Sha512_256,
}

/// Runs an expression with the type alias `$D` set to the hash function.
macro_rules! with_hash {
    ($hash:expr, $D:ident => $body:expr) => {
        match $hash {
            Hash::Md5 => {
                type $D = md5::Md5;
                $body
            }
            Hash::Sha1 => {
                type $D = sha1::Sha1;
                $body
            }
            Hash::Sha224 => {
                type $D = sha2::Sha224;
                $body
            }
            Hash::Sha256 => {
                type $D = sha2::Sha256;
                $body
            }
            Hash::Sha384 => {
                type $D = sha2::Sha384;
                $body
            }
            Hash::Sha512 => {
                type $D = sha2::Sha512;
                $body
            }
            Hash::Sha512_224 => {
                type $D = sha2::Sha512_224;
                $body
            }
            Hash::Sha512_256 => {
                type $D = sha2::Sha512_256;
                $body
            }
        }
    };
}

impl Hash {
    /// By the identifier of the hash function itself.
    pub(super) fn from_digest_oid(id: &Oid) -> Option<Self> {
        Some(match id {
            oid::MD5 => Self::Md5,
            oid::SHA1 => Self::Sha1,
            oid::SHA224 => Self::Sha224,
            oid::SHA256 => Self::Sha256,
            oid::SHA384 => Self::Sha384,
            oid::SHA512 => Self::Sha512,
            oid::SHA512_224 => Self::Sha512_224,
            oid::SHA512_256 => Self::Sha512_256,
            _ => return None,
        })
    }

    /// By the identifier of the HMAC with it.
    pub(super) fn from_hmac_oid(id: &Oid) -> Option<Self> {
        Some(match id {
            oid::HMAC_MD5 => Self::Md5,
            oid::HMAC_SHA1 => Self::Sha1,
            oid::HMAC_SHA224 => Self::Sha224,
            oid::HMAC_SHA256 => Self::Sha256,
            oid::HMAC_SHA384 => Self::Sha384,
            oid::HMAC_SHA512 => Self::Sha512,
            oid::HMAC_SHA512_224 => Self::Sha512_224,
            oid::HMAC_SHA512_256 => Self::Sha512_256,
            _ => return None,
        })
    }

    /// Octets of output.
    pub(super) fn output_size(self) -> usize {
        with_hash!(self, D => <D as Digest>::output_size())
    }

    /// How often a round counts against the limits: the 64-bit functions are slower, because
    /// processors have no instructions for them.
    pub(super) const fn weight(self) -> u64 {
        match self {
            Self::Md5 | Self::Sha1 | Self::Sha224 | Self::Sha256 => 1,
            Self::Sha384 | Self::Sha512 | Self::Sha512_224 | Self::Sha512_256 => 2,
        }
    }

    /// How many blocks of output `length` octets take.
    pub(super) fn blocks(self, length: usize) -> u64 {
        u64::try_from(length.div_ceil(self.output_size())).unwrap_or(u64::MAX)
    }

    /// HMAC over `message`; a key of any length is fine.
    pub(super) fn hmac(self, key: &[u8], message: &[u8]) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(with_hash!(self, D => hmac_with::<Hmac<D>>(key, message)))
    }

    /// PBKDF2 (RFC 8018 § 5.2).
    pub(super) fn pbkdf2(self, password: &[u8], salt: &[u8], rounds: u32, out: &mut [u8]) {
        with_hash!(self, D => pbkdf2::pbkdf2_hmac::<D>(password, salt, rounds, out));
    }

    /// The derivation of RFC 7292 appendix B.2.
    pub(super) fn pkcs12_kdf(
        self,
        purpose: Purpose,
        password: &[u8],
        salt: &[u8],
        rounds: u32,
        length: usize,
    ) -> Zeroizing<Vec<u8>> {
        with_hash!(self, D => pkcs12_kdf::<D>(purpose, password, salt, rounds, length))
    }
}

fn hmac_with<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length.
    <M as KeyInit>::new_from_slice(key).map_or_else(
        |_| Vec::new(),
        |mac| mac.chain_update(message).finalize().into_bytes().to_vec(),
    )
}

/// What the derived octets are for: the `ID` of RFC 7292 appendix B.3.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    Key = 1,
    Iv = 2,
    Mac = 3,
}

fn pkcs12_kdf<D: Digest + BlockSizeUser>(
    purpose: Purpose,
    password: &[u8],
    salt: &[u8],
    rounds: u32,
    length: usize,
) -> Zeroizing<Vec<u8>> {
    let block = D::block_size();
    let diversifier = vec![purpose as u8; block];
    let mut input = Zeroizing::new(fill(salt, block));
    input.extend_from_slice(&Zeroizing::new(fill(password, block)));
    let mut out = Zeroizing::new(Vec::with_capacity(length + block));
    loop {
        let mut a = D::new().chain_update(&diversifier).chain_update(&*input).finalize();
        for _ in 1..rounds {
            a = D::digest(&a);
        }
        out.extend_from_slice(&a);
        if out.len() >= length {
            out.truncate(length);
            return out;
        }
        let increment = fill_to(&a, block);
        for chunk in input.chunks_mut(block) {
            add_one_more(chunk, &increment);
        }
    }
}

/// Repeats `bytes` to the next multiple of a block; nothing stays nothing.
fn fill(bytes: &[u8], block: usize) -> Vec<u8> {
    fill_to(bytes, bytes.len().next_multiple_of(block))
}

fn fill_to(bytes: &[u8], length: usize) -> Vec<u8> {
    bytes.iter().copied().cycle().take(length).collect()
}

/// `chunk + increment + 1` as big-endian numbers, without the carry out of the top.
fn add_one_more(chunk: &mut [u8], increment: &[u8]) {
    let mut carry = 1_u16;
    for (octet, add) in chunk.iter_mut().zip(increment).rev() {
        let sum = u16::from(*octet) + u16::from(*add) + carry;
        let [high, low] = sum.to_be_bytes();
        carry = high.into();
        *octet = low;
    }
}
