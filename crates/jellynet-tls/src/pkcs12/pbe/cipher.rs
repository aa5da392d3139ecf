//! The ciphers of key files.

use aes::{Aes128, Aes192, Aes256};
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{
    BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, InnerIvInit,
    KeyInit,
};
use des::{TdesEde2, TdesEde3};
use rc2::Rc2;
use rc4::{Rc4, StreamCipher};
use zeroize::Zeroizing;

/// A cipher with its key size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cipher {
    Aes128,
    Aes192,
    Aes256,
    TripleDes,
    DoubleDes,
    Rc2 { key: usize, effective_bits: usize },
    Rc4 { key: usize },
}

impl Cipher {
    /// Octets of key.
    pub(crate) const fn key_size(self) -> usize {
        match self {
            Self::Aes128 | Self::DoubleDes => 16,
            Self::Aes192 | Self::TripleDes => 24,
            Self::Aes256 => 32,
            Self::Rc2 { key, .. } | Self::Rc4 { key } => key,
        }
    }

    /// Octets of initialisation vector.
    pub(crate) const fn iv_size(self) -> usize {
        match self {
            Self::Aes128 | Self::Aes192 | Self::Aes256 => 16,
            Self::TripleDes | Self::DoubleDes | Self::Rc2 { .. } => 8,
            Self::Rc4 { .. } => 0,
        }
    }

    /// The plaintext without its padding; `None` where the padding shows that the key is wrong.
    pub(crate) fn decrypt(self, key: &[u8], iv: &[u8], text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        match self {
            Self::Aes128 => open(Aes128::new_from_slice(key).ok()?, iv, text),
            Self::Aes192 => open(Aes192::new_from_slice(key).ok()?, iv, text),
            Self::Aes256 => open(Aes256::new_from_slice(key).ok()?, iv, text),
            Self::TripleDes => open(TdesEde3::new_from_slice(key).ok()?, iv, text),
            Self::DoubleDes => open(TdesEde2::new_from_slice(key).ok()?, iv, text),
            Self::Rc2 { effective_bits, .. } => {
                open(Rc2::new_with_eff_key_len(key, effective_bits), iv, text)
            }
            Self::Rc4 { .. } => {
                let mut plain = Zeroizing::new(text.to_vec());
                Rc4::new_from_slice(key).ok()?.apply_keystream(&mut plain);
                Some(plain)
            }
        }
    }

    /// The ciphertext with padding. Only what the writer uses: AES-256 and triple DES.
    pub(crate) fn encrypt(self, key: &[u8], iv: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Aes256 => seal(Aes256::new_from_slice(key).ok()?, iv, plain),
            Self::TripleDes => seal(TdesEde3::new_from_slice(key).ok()?, iv, plain),
            _ => None,
        }
    }
}

fn open<C: BlockCipherDecrypt>(cipher: C, iv: &[u8], text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    cbc::Decryptor::inner_iv_slice_init(cipher, iv)
        .ok()?
        .decrypt_padded_vec::<Pkcs7>(text)
        .ok()
        .map(Zeroizing::new)
}

fn seal<C: BlockCipherEncrypt>(cipher: C, iv: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
    let encryptor = cbc::Encryptor::inner_iv_slice_init(cipher, iv).ok()?;
    Some(encryptor.encrypt_padded_vec::<Pkcs7>(plain))
}
