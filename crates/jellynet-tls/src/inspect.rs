//! Explains a file: what is in it, what would be served, what is wrong.

use std::fmt;

use crate::error::{ErrorKind, LoadError};
use crate::identity::{CertificateInfo, Identity, hex};
use crate::source::{Loader, Source};
use crate::time::Timestamp;
use crate::warning::Warning;

/// Looks at the files of a certificate as a server would.
#[must_use]
pub fn inspect(source: &Source, loader: &Loader, now: Timestamp) -> Inspection {
    match loader.load(source, now) {
        Ok(identity) => Inspection::Usable(Report::new(&identity, now)),
        Err(error) => Inspection::Unusable { error: ErrorReport::new(&error) },
    }
}

/// What [`inspect`] found. With the feature `serde` it becomes the JSON object of
/// `jellynet cert inspect --format json`; `Display` is the same for people.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(untagged))]
#[non_exhaustive]
pub enum Inspection {
    /// It can be served.
    Usable(Report),
    /// It cannot.
    Unusable {
        /// Why not.
        error: ErrorReport,
    },
}

impl Inspection {
    /// 0 for what can be served, 3 for what cannot.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Usable(_) => 0,
            Self::Unusable { .. } => 3,
        }
    }
}

/// A certificate that can be served.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Report {
    /// `pkcs12`, `pem` or `der`.
    pub format: String,
    /// The certificate of the server itself.
    pub leaf: LeafReport,
    /// SHA-256 of each certificate that is sent, in hexadecimal, the leaf first.
    pub served_sha256: Vec<String>,
    /// The private key.
    pub key: KeyReport,
    /// What clients will, or soon will, refuse.
    pub warnings: Vec<Warning>,
}

/// The leaf of a [`Report`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LeafReport {
    /// Such as `CN=example.org`.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// DNS names and addresses.
    #[cfg_attr(feature = "serde", serde(rename = "sans"))]
    pub san: Vec<String>,
    /// RFC 3339 in UTC.
    pub not_before: Timestamp,
    /// RFC 3339 in UTC.
    pub not_after: Timestamp,
    /// SHA-256 of the DER, in hexadecimal.
    pub sha256: String,
}

/// The key of a [`Report`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct KeyReport {
    /// Such as `rsa-2048`, `ecdsa-p256`, `ed25519`.
    #[cfg_attr(feature = "serde", serde(rename = "type"))]
    pub kind: String,
    /// SHA-256 of the SubjectPublicKeyInfo, in hexadecimal.
    pub spki_sha256: String,
}

/// The error of an [`Inspection`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ErrorReport {
    /// Such as `wrong-password`.
    #[cfg_attr(feature = "serde", serde(serialize_with = "as_word"))]
    pub kind: ErrorKind,
    /// One line: path, cause, remedy.
    pub message: String,
}

#[cfg(feature = "serde")]
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn as_word<S: serde::Serializer>(kind: &ErrorKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.as_str())
}

impl Report {
    /// Describes an identity that is loaded already.
    #[must_use]
    pub fn new(identity: &Identity, now: Timestamp) -> Self {
        let info: &CertificateInfo = identity.info();
        Self {
            format: info.format.as_str().to_owned(),
            leaf: LeafReport {
                subject: info.subject.clone(),
                issuer: info.issuer.clone(),
                san: info.names.clone(),
                not_before: info.not_before,
                not_after: info.not_after,
                sha256: hex(&identity.fingerprint()),
            },
            served_sha256: info.served_sha256.iter().map(|digest| hex(digest)).collect(),
            key: KeyReport { kind: info.key.to_string(), spki_sha256: hex(&info.spki_sha256) },
            warnings: identity.warnings(now),
        }
    }
}

impl ErrorReport {
    /// Describes a failure to load.
    #[must_use]
    pub fn new(error: &LoadError) -> Self {
        Self { kind: error.kind(), message: error.message() }
    }
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usable(report) => report.fmt(f),
            Self::Unusable { error } => write!(f, "error ({}): {}", error.kind, error.message),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let leaf = &self.leaf;
        writeln!(f, "format:   {}", self.format)?;
        writeln!(f, "subject:  {}", leaf.subject)?;
        writeln!(f, "issuer:   {}", leaf.issuer)?;
        writeln!(f, "names:    {}", leaf.san.join(", "))?;
        writeln!(f, "valid:    {} to {}", leaf.not_before, leaf.not_after)?;
        writeln!(f, "key:      {}, SPKI sha256 {}", self.key.kind, self.key.spki_sha256)?;
        for (place, digest) in self.served_sha256.iter().enumerate() {
            let role = if place == 0 { "leaf:    " } else { "issuer:  " };
            writeln!(f, "{role} sha256 {digest}")?;
        }
        for warning in &self.warnings {
            writeln!(f, "warning:  {} ({})", warning.message, warning.kind)?;
        }
        Ok(())
    }
}
