//! What a file is, found out from its content, and the keys and certificates in it.

use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

use crate::der::{self, Malformed, Reader};
use crate::error::{DecodeError, Foreign};
use crate::limits::{Budget, Limits, limit_exceeded};
use crate::oid;
use crate::pem::{self, Section, base64};
use crate::pkcs12::{self, Passwords};
use crate::x509::Certificate;

/// The notation of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// PKCS#12, also called PFX.
    Pkcs12,
    /// Text with BEGIN and END lines.
    Pem,
    /// Bare DER.
    Der,
}

impl Format {
    /// The word that stands in reports: `pkcs12`, `pem` or `der`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pkcs12 => "pkcs12",
            Self::Pem => "pem",
            Self::Der => "der",
        }
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Keys and certificates from one or more files.
#[derive(Default)]
pub(crate) struct Material {
    /// Of the first file that held something.
    pub(crate) format: Option<Format>,
    /// PKCS#8, PKCS#1 or SEC 1.
    pub(crate) keys: Vec<Zeroizing<Vec<u8>>>,
    pub(crate) certificates: Vec<CertificateDer<'static>>,
    /// What a file without a key is, when that says more than that there is no key.
    pub(crate) foreign: Option<Foreign>,
    /// Sections that are neither, for the message.
    pub(crate) others: Vec<&'static str>,
}

impl Material {
    /// Adds what one file holds.
    pub(crate) fn add(
        &mut self,
        bytes: &[u8],
        password: Option<&str>,
        limits: Limits,
    ) -> Result<(), DecodeError> {
        if bytes.len() > limits.file_bytes {
            return Err(limit_exceeded("bytes", bytes.len(), limits.file_bytes));
        }
        if bytes.is_empty() {
            return Err(DecodeError::NotPkcs12(Foreign::Empty));
        }
        if let Some(text) = pem::text(bytes) {
            if pem::is_pem(&text) {
                return self.add_pem(&text, password, limits);
            }
            if bytes.first() != Some(&der::SEQUENCE) {
                return self.add_text(&text, password, limits);
            }
        }
        self.add_der(bytes, password, limits)
    }

    fn found(&mut self, format: Format) {
        self.format.get_or_insert(format);
    }

    /// Text without sections: bare base64, or nothing of ours.
    fn add_text(
        &mut self,
        text: &str,
        password: Option<&str>,
        limits: Limits,
    ) -> Result<(), DecodeError> {
        if let Ok(bytes) = base64::decode(text)
            && bytes.first() == Some(&der::SEQUENCE)
        {
            return self.add_der(&bytes, password, limits);
        }
        Err(DecodeError::NotPkcs12(match text.trim_start() {
            "" => Foreign::Empty,
            text if text.starts_with('<') => Foreign::WebPage,
            text if text.contains('\u{fffd}') => Foreign::Unknown,
            _ => Foreign::Text,
        }))
    }

    fn add_pem(
        &mut self,
        text: &str,
        password: Option<&str>,
        limits: Limits,
    ) -> Result<(), DecodeError> {
        let passwords = Passwords::new(password);
        let budget = Budget::new(limits);
        for section in pem::sections(text)? {
            budget.bag()?;
            self.section(&section, password, &passwords, &budget)?;
        }
        self.found(Format::Pem);
        Ok(())
    }

    fn section(
        &mut self,
        section: &Section<'_>,
        password: Option<&str>,
        passwords: &Passwords,
        budget: &Budget,
    ) -> Result<(), DecodeError> {
        match section.label {
            "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => {
                self.certificate(&section.body)?;
            }
            "PKCS7" | "CMS" | "PKCS #7 SIGNED DATA" => self.add_pkcs7(&section.body)?,
            "PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY" | "DSA PRIVATE KEY" => {
                self.keys.push(match section.encryption {
                    Some(info) => pkcs12::decrypt_legacy_pem(info, &section.body, passwords)?,
                    None => section.body.clone(),
                });
            }
            "ENCRYPTED PRIVATE KEY" => {
                let der = der::ber::normalize(&section.body)?;
                self.keys.push(pkcs12::decrypt_pkcs8(&der, passwords, budget)?);
            }
            "PKCS12" => self.add_pkcs12(&section.body, password, budget.limits)?,
            "OPENSSH PRIVATE KEY" => self.others.push("an OpenSSH private key"),
            "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => {
                self.others.push("a certificate request");
            }
            "PUBLIC KEY" | "RSA PUBLIC KEY" => self.others.push("a public key"),
            "PGP PRIVATE KEY BLOCK" | "PGP PUBLIC KEY BLOCK" => self.others.push("a PGP key"),
            _ => {}
        }
        Ok(())
    }

    /// The first element; OpenSSL's TRUSTED CERTIFICATE has more behind it.
    fn certificate(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        let der = Reader::new(bytes).expect(der::SEQUENCE)?.raw.to_vec();
        self.certificates.push(CertificateDer::from(der));
        Ok(())
    }

    fn add_pkcs12(
        &mut self,
        bytes: &[u8],
        password: Option<&str>,
        limits: Limits,
    ) -> Result<(), DecodeError> {
        let contents = pkcs12::read(bytes, password, limits)?;
        self.keys.extend(contents.keys);
        self.certificates.extend(contents.certificates);
        self.found(Format::Pkcs12);
        Ok(())
    }

    /// The certificates of a SignedData (RFC 5652 § 5.1).
    fn add_pkcs7(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        let message = der::ber::normalize(bytes)?;
        let mut info = Reader::new(&message).sequence()?;
        let kind = info.oid()?;
        if kind != oid::SIGNED_DATA {
            return Err(DecodeError::UnsupportedAlgorithm { name: oid::name(kind) });
        }
        let mut signed = info.expect(der::context(0))?.inside().sequence()?;
        signed.count()?;
        signed.expect(der::SET)?;
        signed.sequence()?;
        if let Some(list) = signed.optional(der::context(0))? {
            let mut list = list.inside();
            while !list.is_empty() {
                let certificate = list.any()?;
                if certificate.tag == der::SEQUENCE {
                    self.certificate(certificate.raw)?;
                }
            }
        }
        self.foreign.get_or_insert(Foreign::Pkcs7);
        Ok(())
    }

    fn add_der(
        &mut self,
        bytes: &[u8],
        password: Option<&str>,
        limits: Limits,
    ) -> Result<(), DecodeError> {
        match sniff(bytes)? {
            Der::Pkcs12 => return self.add_pkcs12(bytes, password, limits),
            Der::Pkcs7 => self.add_pkcs7(bytes)?,
            Der::PrivateKey => self.keys.push(Zeroizing::new(bytes.to_vec())),
            Der::EncryptedKey => {
                let der = der::ber::normalize(bytes)?;
                let budget = Budget::new(limits);
                let passwords = Passwords::new(password);
                self.keys.push(pkcs12::decrypt_pkcs8(&der, &passwords, &budget)?);
            }
            Der::Certificate => {
                self.certificate(bytes)?;
                self.foreign.get_or_insert(Foreign::Certificate);
            }
            Der::PublicKey => self.others.push("a public key"),
            Der::Foreign(foreign) => return Err(DecodeError::NotPkcs12(foreign)),
        }
        self.found(Format::Der);
        Ok(())
    }
}

/// What bare bytes are.
enum Der {
    Pkcs12,
    Pkcs7,
    PrivateKey,
    EncryptedKey,
    Certificate,
    PublicKey,
    Foreign(Foreign),
}

/// Tells by the first elements; the whole may still be cut short.
fn sniff(bytes: &[u8]) -> Result<Der, Malformed> {
    let foreign = match bytes {
        [0xfe, 0xed, 0xfe, 0xed, ..] => Foreign::Jks,
        [0xce, 0xce, 0xce, 0xce, ..] => Foreign::Jceks,
        [b'P', b'K', 3, 4, ..] | [0x1f, 0x8b, ..] | [b'7', b'z', 0xbc, ..] => Foreign::Archive,
        [der::SEQUENCE, ..] => return sniff_sequence(bytes),
        _ => Foreign::Unknown,
    };
    Ok(Der::Foreign(foreign))
}

fn sniff_sequence(bytes: &[u8]) -> Result<Der, Malformed> {
    let mut inside = Reader::new(der::inside_unchecked(bytes)?);
    match inside.peek() {
        Some(der::INTEGER) => {
            let version = der::unsigned(inside.any()?.value)?;
            match (version, inside.peek()) {
                (0 | 1, Some(der::SEQUENCE)) | (0, Some(der::INTEGER)) => Ok(Der::PrivateKey),
                (1, Some(der::OCTET_STRING)) => Ok(Der::PrivateKey),
                _ => Ok(Der::Pkcs12),
            }
        }
        Some(der::OID) => Ok(Der::Pkcs7),
        Some(der::SEQUENCE) => {
            if Certificate::parse(bytes).is_ok() {
                return Ok(Der::Certificate);
            }
            let first = inside.any()?.inside().peek();
            match (first, inside.peek()) {
                (Some(der::OID), Some(der::OCTET_STRING)) => Ok(Der::EncryptedKey),
                (Some(der::OID), Some(der::BIT_STRING)) => Ok(Der::PublicKey),
                (Some(der::INTEGER), Some(der::SEQUENCE)) => Ok(Der::Foreign(Foreign::Request)),
                _ => Err(Malformed("it looks like DER and is none of the known files")),
            }
        }
        None => Err(Malformed("it ends in the middle of an element")),
        Some(_) => Err(Malformed("it looks like DER and is none of the known files")),
    }
}
