//! Certificates that this host makes itself: self-signed, or by an authority of its own.
//!
//! | | trusted by | for how long |
//! |---|---|---|
//! | self-signed | whoever accepts it by hand, on each device and again after each renewal | 397 days |
//! | by [`LocalAuthority`] | devices on which its root was installed, once | 397 days; the root 10 years |
//!
//! 397 days because Apple's systems refuse more from a server's certificate.

mod authority;
mod params;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

use crate::error::LoadError;
use crate::export::{ConvertError, Output};
use crate::identity::Identity;
use crate::material::{Format, Material};
use crate::private_file;
use crate::source::{Loader, Source};
use crate::time::Timestamp;

pub use authority::LocalAuthority;

const DAY: Duration = Duration::from_secs(86_400);

/// The certificate that this host should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalCertificate {
    names: Vec<String>,
    lifetime: Duration,
}

/// A certificate that could not be made or kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocalError {
    /// A name is no DNS name and no address.
    #[error("{name:?} is neither a host name nor an address")]
    Name {
        /// The name.
        name: String,
    },
    /// The authority is not allowed to vouch for a name.
    #[error("the local authority must not issue for {name:?}; it was made for other names")]
    Forbidden {
        /// The name.
        name: String,
    },
    /// Making keys or signing failed.
    #[error("cannot make the certificate: {reason}")]
    Generate {
        /// What the cryptography library says.
        reason: String,
    },
    /// The file is there and cannot be used.
    #[error("cannot use the certificate that was made before")]
    Existing(#[source] LoadError),
    /// The file is there and is none of ours.
    #[error("{} holds a certificate of {issuer}, which is not replaced by a local one", .path.display())]
    Foreign {
        /// Which file.
        path: PathBuf,
        /// Who issued it.
        issuer: String,
    },
    /// The file cannot be written.
    #[error("cannot write {}", .path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
}

/// What [`LocalCertificate::ensure`] did.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Ensured {
    /// The certificate, old or new.
    pub identity: Identity,
    /// Why it was made anew; `None` for one that was there.
    pub made: Option<Reason>,
}

/// Why a certificate was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// There was none.
    Missing,
    /// Two thirds of its life were over.
    Age,
    /// It lacks a name or an address that this host has now.
    Names,
    /// Another authority issues now.
    Issuer,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Missing => "there was none",
            Self::Age => "two thirds of its life were over",
            Self::Names => "names or addresses of this host changed",
            Self::Issuer => "its issuer changed",
        })
    }
}

impl LocalCertificate {
    /// For these host names and addresses, and always for `localhost`, 127.0.0.1 and ::1. The
    /// first becomes the common name.
    pub fn new<T: Into<String>>(names: impl IntoIterator<Item = T>) -> Self {
        let mut all: Vec<String> = Vec::new();
        let always = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        for name in names.into_iter().map(Into::into).chain(always) {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            if !name.is_empty() && !all.contains(&name) {
                all.push(name);
            }
        }
        Self { names: all, lifetime: 397 * DAY }
    }

    /// Valid for another time than 397 days.
    #[must_use]
    pub const fn with_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// All names and addresses.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Makes a P-256 key and a certificate; without an authority it signs itself.
    ///
    /// # Errors
    ///
    /// For what is no name, or not one that the authority may vouch for.
    pub fn make(
        &self,
        authority: Option<&LocalAuthority>,
        loader: &Loader,
        now: Timestamp,
    ) -> Result<Identity, LocalError> {
        let key = generate_key()?;
        let params = params::leaf(&self.names, self.lifetime, now)?;
        let certificate = match authority {
            Some(authority) => authority.sign(&self.names, &params, &key)?,
            None => params.self_signed(&key).map_err(generate)?,
        };
        identity(&key, certificate.into(), loader, now)
    }

    /// Sees to it that `path` holds such a certificate with its key, readable by its owner alone:
    /// makes it if it is missing, two thirds of its life are over, or names changed.
    ///
    /// Watch the same path with an [`IdentityStore`](crate::IdentityStore), and call this whenever
    /// addresses change, and once a day.
    ///
    /// # Errors
    ///
    /// A file that is there and holds anything but a local certificate is left alone.
    pub fn ensure(
        &self,
        path: &Path,
        authority: Option<&LocalAuthority>,
        loader: &Loader,
        now: Timestamp,
    ) -> Result<Ensured, LocalError> {
        let existing = match loader.load(&Source::new(path), now) {
            Ok(identity) => Some(identity),
            Err(LoadError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(LocalError::Existing(error)),
        };
        let reason = match &existing {
            None => Reason::Missing,
            Some(identity) => match self.renewal(path, identity, authority, now)? {
                None => {
                    return Ok(Ensured { identity: identity.clone(), made: None });
                }
                Some(reason) => reason,
            },
        };
        let identity = self.make(authority, loader, now)?;
        let pem = identity.export(Output::Pem, loader.provider()).map_err(|error| match error {
            ConvertError::Write { path, source } => LocalError::Write { path, source },
            other => generate(other),
        })?;
        private_file::write(path, &pem)
            .map_err(|source| LocalError::Write { path: path.to_owned(), source })?;
        Ok(Ensured { identity, made: Some(reason) })
    }

    /// Why an existing certificate has to be replaced.
    fn renewal(
        &self,
        path: &Path,
        identity: &Identity,
        authority: Option<&LocalAuthority>,
        now: Timestamp,
    ) -> Result<Option<Reason>, LocalError> {
        let info = identity.info();
        if !info.self_signed && !info.is_locally_issued() {
            let issuer = info.issuer.clone();
            return Err(LocalError::Foreign { path: path.to_owned(), issuer });
        }
        let wanted = authority.map(LocalAuthority::subject);
        let issuer_differs = match wanted {
            None => !info.self_signed,
            Some(subject) => info.issuer != subject,
        };
        let life = info.not_after.since(info.not_before);
        Ok(if issuer_differs {
            Some(Reason::Issuer)
        } else if now < info.not_before || now.since(info.not_before) >= life * 2 / 3 {
            Some(Reason::Age)
        } else if !self.names.iter().all(|name| identity.covers(name)) {
            Some(Reason::Names)
        } else {
            None
        })
    }
}

fn generate_key() -> Result<KeyPair, LocalError> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(generate)
}

fn generate(error: impl std::fmt::Display) -> LocalError {
    LocalError::Generate { reason: error.to_string() }
}

fn identity(
    key: &KeyPair,
    certificate: CertificateDer<'static>,
    loader: &Loader,
    now: Timestamp,
) -> Result<Identity, LocalError> {
    let material = Material {
        format: Some(Format::Pem),
        keys: vec![Zeroizing::new(key.serialize_der())],
        certificates: vec![certificate],
        ..Material::default()
    };
    Identity::assemble(&material, loader.provider(), now).map_err(generate)
}
