//! From any kind of file to any other.

use std::io;
use std::path::{Path, PathBuf};

use rustls::crypto::CryptoProvider;
use zeroize::Zeroizing;

use crate::chain;
use crate::error::LoadError;
use crate::identity::{Identity, readable};
use crate::key::PrivateKey;
use crate::material::Material;
use crate::pem::base64::armor;
use crate::pkcs12::write::{self, Contents, Encryption};
use crate::private_file;
use crate::source::{Files, Loader, Source};
use crate::time::Timestamp;

/// What to write.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Output<'a> {
    /// Key and certificates in one PEM file, the key first.
    Pem,
    /// The certificates alone, the leaf first.
    PemCertificates,
    /// The key alone, in PKCS#8.
    PemKey,
    /// The leaf alone.
    DerCertificate,
    /// The key alone, in PKCS#8.
    DerKey,
    /// Key and certificates, protected by a password, which may be empty.
    Pkcs12 {
        /// The password.
        password: &'a str,
        /// For which readers.
        encryption: Encryption,
    },
}

impl std::fmt::Debug for Output<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Pem => "Pem",
            Self::PemCertificates => "PemCertificates",
            Self::PemKey => "PemKey",
            Self::DerCertificate => "DerCertificate",
            Self::DerKey => "DerKey",
            Self::Pkcs12 { .. } => "Pkcs12(password hidden)",
        })
    }
}

/// A certificate that was not converted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConvertError {
    /// It did not load.
    #[error("there is nothing to convert")]
    Load(#[from] LoadError),
    /// The provider has no random octets.
    #[error("the system gives no random numbers")]
    Random,
    /// The result cannot be written.
    #[error("cannot write {}", .path.display())]
    Write {
        /// Where to.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
}

impl Identity {
    /// The identity as a file's content.
    ///
    /// # Errors
    ///
    /// Only when the provider has no random octets for a PKCS#12 file.
    pub fn export(
        &self,
        output: Output<'_>,
        provider: &CryptoProvider,
    ) -> Result<Zeroizing<Vec<u8>>, ConvertError> {
        let certificates = || -> String {
            self.chain().iter().map(|der| armor("CERTIFICATE", der).to_string()).collect()
        };
        let key = || armor("PRIVATE KEY", self.pkcs8());
        Ok(Zeroizing::new(match output {
            Output::Pem => [key().as_bytes(), certificates().as_bytes()].concat(),
            Output::PemCertificates => certificates().into_bytes(),
            Output::PemKey => key().as_bytes().to_vec(),
            Output::DerCertificate => {
                self.chain().first().map(|leaf| leaf.to_vec()).unwrap_or_default()
            }
            Output::DerKey => self.pkcs8().to_vec(),
            Output::Pkcs12 { password, encryption } => {
                return self.export_pkcs12(password, encryption, provider);
            }
        }))
    }

    /// The identity as a PKCS#12 file, which Jellyfin, Kodi, Java and Windows read.
    ///
    /// # Errors
    ///
    /// Only when the provider has no random octets.
    pub fn export_pkcs12(
        &self,
        password: &str,
        encryption: Encryption,
        provider: &CryptoProvider,
    ) -> Result<Zeroizing<Vec<u8>>, ConvertError> {
        let info = self.info();
        let contents = Contents {
            pkcs8: self.pkcs8(),
            chain: self.chain(),
            friendly_name: info.names.first().unwrap_or(&info.subject),
        };
        write::write(&contents, password, encryption, provider).ok_or(ConvertError::Random)
    }
}

/// Loads a certificate and writes it in another notation, readable by its owner alone.
///
/// What is written without a key needs none: of certificates alone, that of a server and its
/// issuers come first, then whatever else there is. A key alone needs no certificate.
///
/// # Errors
///
/// What did not load, or why the result cannot be written.
pub fn convert(
    source: &Source,
    loader: &Loader,
    output: Output<'_>,
    target: &Path,
    now: Timestamp,
) -> Result<(), ConvertError> {
    let files = Files::read(source, loader.limits())?;
    let (material, skipped) = loader.material(&files)?;
    let bytes = match Identity::assemble(&material, loader.provider(), now) {
        Ok(identity) => identity.export(output, loader.provider())?,
        Err(error) => match of_parts(&material, output, now) {
            Some(bytes) => bytes,
            None => return Err(skipped.unwrap_or_else(|| files.content(error)).into()),
        },
    };
    private_file::write(target, &bytes)
        .map_err(|source| ConvertError::Write { path: target.to_owned(), source })
}

/// An output that needs only what is there; `None` if there is more, which has to fit, or less.
fn of_parts(material: &Material, output: Output<'_>, now: Timestamp) -> Option<Zeroizing<Vec<u8>>> {
    if let Output::PemKey | Output::DerKey = output {
        let [key] = material.keys.as_slice() else { return None };
        let pkcs8 = PrivateKey::parse(key).ok().filter(|_| material.certificates.is_empty())?.pkcs8;
        return Some(match output {
            Output::DerKey => pkcs8,
            _ => Zeroizing::new(armor("PRIVATE KEY", &pkcs8).as_bytes().to_vec()),
        });
    }
    let certificates = readable(material).ok().filter(|_| material.keys.is_empty())?;
    let leaf = chain::likely_leaf(&certificates, now)?;
    match output {
        Output::DerCertificate => Some(Zeroizing::new(leaf.der.to_vec())),
        Output::PemCertificates => {
            let mut ordered = chain::path(leaf, &certificates, now).served;
            for one in certificates {
                if ordered.iter().all(|seen| seen.der != one.der) {
                    ordered.push(one);
                }
            }
            let text: String =
                ordered.iter().map(|one| armor("CERTIFICATE", &one.der).to_string()).collect();
            Some(Zeroizing::new(text.into_bytes()))
        }
        _ => None,
    }
}
