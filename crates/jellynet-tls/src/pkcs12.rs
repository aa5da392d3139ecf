//! Reads PKCS#12 files (RFC 7292, RFC 9579) of every maker, and writes them.
//!
//! 1. The file is BER; it is brought to DER first, and again at each layer that was opened.
//!    Trailing bytes are ignored.
//! 2. The integrity check covers the content octets as they stand in the file. A file without one
//!    is read as it is.
//! 3. What a file visibly asks for is added up before anything is hashed, and every derivation is
//!    checked against [`Limits`] again before it is made.
//! 4. The old schemes of PKCS#12 take the password as UTF-16, PBES2 and PBMAC1 as UTF-8; an empty
//!    password is tried as two zero octets and as none.
//! 5. What is neither a key nor an X.509 certificate is skipped.

mod digest;
mod forecast;
mod mac;
mod password;
mod pbe;
pub(crate) mod write;

use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

use crate::der::{self, Malformed, Reader, ber};
use crate::error::DecodeError;
use crate::limits::{Budget, Limits};
use crate::oid;

pub(crate) use digest::sha256;
pub(crate) use password::Passwords;
pub(crate) use pbe::{decrypt_legacy_pem, decrypt_pkcs8};

/// What was found in a file, in its order.
#[derive(Default)]
pub(crate) struct Contents {
    /// PKCS#8 keys.
    pub(crate) keys: Vec<Zeroizing<Vec<u8>>>,
    pub(crate) certificates: Vec<CertificateDer<'static>>,
}

/// Opens a PKCS#12 file.
pub(crate) fn read(
    bytes: &[u8],
    password: Option<&str>,
    limits: Limits,
) -> Result<Contents, DecodeError> {
    let budget = Budget::new(limits);
    let file = ber::normalize(bytes)?;
    let pfx = Pfx::parse(&file)?;
    let passwords = Passwords::new(password);
    match Opening::new(&passwords, &budget).run(&pfx) {
        Err(DecodeError::WrongPassword { given: true, .. }) => {
            // Only for the message, and only as far as the limits still reach.
            let empty_opens = Opening::new(&Passwords::new(None), &budget).run(&pfx).is_ok();
            Err(DecodeError::WrongPassword { given: true, empty_opens })
        }
        result => result,
    }
}

/// The outer layer.
struct Pfx<'a> {
    safe: &'a [u8],
    mac: Option<Reader<'a>>,
}

impl<'a> Pfx<'a> {
    fn parse(file: &'a [u8]) -> Result<Self, DecodeError> {
        let mut pfx = Reader::new(file).sequence()?;
        if pfx.count()? != 3 {
            return Err(Malformed("it is not of version 3").into());
        }
        let mut info = pfx.sequence()?;
        let kind = info.oid()?;
        if kind != oid::DATA {
            return Err(DecodeError::UnsupportedAlgorithm { name: oid::name(kind) });
        }
        let safe = info.expect(der::context(0))?.inside().octets()?;
        let mac = pfx.optional(der::SEQUENCE)?.map(|mac| mac.inside());
        Ok(Self { safe, mac })
    }
}

/// One attempt to open a file.
struct Opening<'a> {
    passwords: &'a Passwords,
    budget: &'a Budget,
    contents: Contents,
    /// Why a key could not be opened; it matters only when no other could.
    key_error: Option<DecodeError>,
}

impl<'a> Opening<'a> {
    fn new(passwords: &'a Passwords, budget: &'a Budget) -> Self {
        Self { passwords, budget, contents: Contents::default(), key_error: None }
    }

    fn run(mut self, pfx: &Pfx<'_>) -> Result<Contents, DecodeError> {
        let safe = ber::normalize(pfx.safe)?;
        self.budget.forecast(forecast::cost(pfx.mac, &safe))?;
        if let Some(mac) = pfx.mac {
            mac::verify(mac, pfx.safe, self.passwords, self.budget)?;
        }
        let mut infos = Reader::new(&safe).sequence()?;
        while !infos.is_empty() {
            self.content_info(infos.sequence()?)?;
        }
        match self.key_error {
            Some(error) if self.contents.keys.is_empty() => Err(error),
            _ => Ok(self.contents),
        }
    }

    fn content_info(&mut self, mut info: Reader<'_>) -> Result<(), DecodeError> {
        let kind = info.oid()?;
        match kind {
            oid::DATA => {
                let contents = info.expect(der::context(0))?.inside().octets()?;
                let contents = ber::normalize(contents)?;
                self.safe_contents(&contents, 0)
            }
            oid::ENCRYPTED_DATA => {
                let encrypted = info.expect(der::context(0))?.inside().sequence()?;
                let contents = self.decrypt(encrypted)?;
                self.safe_contents(&contents, 0)
            }
            _ => Err(DecodeError::UnsupportedAlgorithm { name: oid::name(kind) }),
        }
    }

    /// Opens an EncryptedData (RFC 5652 § 8) and returns its SafeContents as DER.
    fn decrypt(&self, mut encrypted: Reader<'_>) -> Result<Zeroizing<Vec<u8>>, DecodeError> {
        encrypted.count()?;
        let mut info = encrypted.sequence()?;
        info.oid()?;
        let algorithm = info.sequence()?;
        let content = info.any()?;
        let joined;
        let ciphertext = if content.tag == der::context_primitive(0) {
            content.value
        } else if content.tag == der::context(0) {
            joined = ber::join(content.value)?;
            &joined
        } else {
            return Err(Malformed("the encrypted content is missing").into());
        };
        pbe::decrypt(algorithm, ciphertext, self.passwords, self.budget, |plain| {
            let contents = ber::normalize(plain).ok()?;
            let mut bags = Reader::new(&contents).sequence().ok()?;
            while !bags.is_empty() {
                bags.sequence().ok()?.oid().ok()?;
            }
            Some(contents)
        })
    }

    fn safe_contents(&mut self, contents: &[u8], depth: usize) -> Result<(), DecodeError> {
        self.budget.nesting(depth)?;
        let mut bags = Reader::new(contents).sequence()?;
        while !bags.is_empty() {
            self.budget.bag()?;
            self.bag(bags.sequence()?, depth)?;
        }
        Ok(())
    }

    fn bag(&mut self, mut bag: Reader<'_>, depth: usize) -> Result<(), DecodeError> {
        let kind = bag.oid()?;
        let mut value = bag.expect(der::context(0))?.inside();
        match kind {
            oid::KEY_BAG => self.contents.keys.push(Zeroizing::new(value.any()?.raw.to_vec())),
            oid::SHROUDED_KEY_BAG => self.shrouded_key(value)?,
            oid::CERT_BAG => self.certificate(value)?,
            oid::SAFE_CONTENTS_BAG => self.safe_contents(value.any()?.raw, depth + 1)?,
            _ => {}
        }
        Ok(())
    }

    fn shrouded_key(&mut self, mut value: Reader<'_>) -> Result<(), DecodeError> {
        match decrypt_pkcs8(value.any()?.raw, self.passwords, self.budget) {
            Ok(key) => self.contents.keys.push(key),
            Err(error @ (DecodeError::LimitExceeded { .. } | DecodeError::Malformed { .. })) => {
                return Err(error);
            }
            Err(error) => {
                self.key_error.get_or_insert(error);
            }
        }
        Ok(())
    }

    fn certificate(&mut self, mut value: Reader<'_>) -> Result<(), DecodeError> {
        let mut bag = value.sequence()?;
        if bag.oid()? == oid::X509_CERTIFICATE {
            let der = bag.expect(der::context(0))?.inside().octets()?;
            self.contents.certificates.push(CertificateDer::from(der.to_vec()));
        }
        Ok(())
    }
}
