//! The encryption of OpenSSL's first PEM keys (`Proc-Type: 4,ENCRYPTED`, RFC 1421 § 4.6).

use md5::{Digest, Md5};
use zeroize::Zeroizing;

use super::{Cipher, Passwords};
use crate::error::DecodeError;

/// Opens the body of such a section; `info` is the value of its `DEK-Info` header.
pub(crate) fn decrypt_legacy_pem(
    info: &str,
    ciphertext: &[u8],
    passwords: &Passwords,
) -> Result<Zeroizing<Vec<u8>>, DecodeError> {
    let (name, iv) = info.split_once(',').unwrap_or((info, ""));
    let cipher = match name.trim() {
        "AES-128-CBC" => Cipher::Aes128,
        "AES-192-CBC" => Cipher::Aes192,
        "AES-256-CBC" => Cipher::Aes256,
        "DES-EDE3-CBC" => Cipher::TripleDes,
        other => {
            return Err(DecodeError::UnsupportedAlgorithm { name: other.to_owned() });
        }
    };
    let iv = hex(iv.trim())
        .filter(|iv| iv.len() == cipher.iv_size())
        .ok_or(DecodeError::Malformed { what: "the DEK-Info header is not readable" })?;
    let opened = passwords.narrow.find(|password| {
        let key = bytes_to_key(password, iv.get(..8).unwrap_or_default(), cipher.key_size());
        let plain = cipher.decrypt(&key, &iv, ciphertext);
        // Every key of this kind is a SEQUENCE.
        Ok::<_, DecodeError>(plain.filter(|plain| {
            let mut reader = crate::der::Reader::new(plain);
            reader.sequence().is_ok() && reader.is_empty()
        }))
    })?;
    opened.ok_or_else(|| passwords.wrong())
}

/// OpenSSL's `EVP_BytesToKey` with MD5 and one round.
fn bytes_to_key(password: &[u8], salt: &[u8], length: usize) -> Zeroizing<Vec<u8>> {
    let mut key = Zeroizing::new(Vec::with_capacity(length + 16));
    let mut last: Vec<u8> = Vec::new();
    while key.len() < length {
        let digest = Md5::new().chain_update(&last).chain_update(password).chain_update(salt);
        last = digest.finalize().to_vec();
        key.extend_from_slice(&last);
    }
    key.truncate(length);
    key
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|digit| digit.to_digit(16).and_then(|value| u8::try_from(value).ok()))
        .collect();
    let digits = digits?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}
