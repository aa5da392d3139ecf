//! Why a certificate did not load: the cause, and what to do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::der::Malformed;

/// Bytes that hold no identity that can be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Another kind of file.
    #[error("this {0}")]
    NotPkcs12(Foreign),
    /// The right kind of file, but damaged or cut short.
    #[error("the file is damaged: {what}")]
    Malformed {
        /// What is wrong in it.
        what: &'static str,
    },
    /// The password is wrong, or missing.
    #[error("{}", wrong_password(*.given, *.empty_opens))]
    WrongPassword {
        /// A password was configured.
        given: bool,
        /// The file opens with an empty password.
        empty_opens: bool,
    },
    /// Certificates, but no key.
    #[error(
        "{} but no private key; export again with the key (openssl pkcs12 -export -inkey \
         privkey.pem …) or name the key file", count(*.certificates)
    )]
    NoPrivateKey {
        /// How many certificates there are.
        certificates: usize,
    },
    /// No certificate.
    #[error("there is no certificate in it{}", instead(.found))]
    NoCertificate {
        /// What there is instead; empty for nothing at all.
        found: String,
    },
    /// The key belongs to no certificate.
    #[error(
        "the private key ({key}, SPKI sha256 {spki_sha256}) does not belong to any of the \
         {certificates} certificates ({names})"
    )]
    KeyMismatch {
        /// Type and size of the key.
        key: String,
        /// Hexadecimal SHA-256 of the key's SubjectPublicKeyInfo.
        spki_sha256: String,
        /// How many certificates there are.
        certificates: usize,
        /// Their subjects.
        names: String,
    },
    /// A key that no TLS server of this build can use.
    #[error("{what}")]
    UnsupportedKey {
        /// The key's type, and why it cannot be used.
        what: String,
    },
    /// An algorithm that this crate does not read.
    #[error(
        "the file is protected with {name}, which is not supported; re-create it with: openssl \
         pkcs12 -export -inkey privkey.pem -in fullchain.pem -out new.pfx"
    )]
    UnsupportedAlgorithm {
        /// The algorithm's name, or its object identifier.
        name: String,
    },
    /// The file asks for more work than is reasonable.
    #[error("the file asks for {asked} {what} (limit {limit})")]
    LimitExceeded {
        /// Of what.
        what: &'static str,
        /// How much it asks for.
        asked: u64,
        /// How much is allowed.
        limit: u64,
    },
}

impl DecodeError {
    /// The class of the error.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::NotPkcs12(_) => ErrorKind::NotPkcs12,
            Self::Malformed { .. } => ErrorKind::Malformed,
            Self::WrongPassword { .. } => ErrorKind::WrongPassword,
            Self::NoPrivateKey { .. } => ErrorKind::NoPrivateKey,
            Self::NoCertificate { .. } => ErrorKind::NoCertificate,
            Self::KeyMismatch { .. } => ErrorKind::KeyMismatch,
            Self::UnsupportedKey { .. } => ErrorKind::UnsupportedKey,
            Self::UnsupportedAlgorithm { .. } => ErrorKind::UnsupportedAlgorithm,
            Self::LimitExceeded { .. } => ErrorKind::LimitExceeded,
        }
    }
}

impl From<Malformed> for DecodeError {
    fn from(Malformed(what): Malformed) -> Self {
        Self::Malformed { what }
    }
}

fn wrong_password(given: bool, empty_opens: bool) -> &'static str {
    match (given, empty_opens) {
        (true, true) => "the file has an empty password; remove the configured one",
        (true, false) => "the password does not open this file (or the file is damaged)",
        (false, _) => "the file is protected by a password and none is configured",
    }
}

fn count(certificates: usize) -> String {
    match certificates {
        0 => "there is neither a certificate".to_owned(),
        1 => "there is 1 certificate".to_owned(),
        n => format!("there are {n} certificates"),
    }
}

fn instead(found: &str) -> String {
    if found.is_empty() { String::new() } else { format!(", only {found}") }
}

/// What a file is that was taken for a certificate with its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Foreign {
    /// No byte at all.
    Empty,
    /// A keystore of Java's own format.
    Jks,
    /// A keystore of Java's own format with stronger encryption.
    Jceks,
    /// One certificate in DER.
    Certificate,
    /// A certificate request in DER.
    Request,
    /// Certificates in a PKCS#7 message.
    Pkcs7,
    /// A web page, perhaps an error page that was downloaded in its place.
    WebPage,
    /// Text that holds nothing known.
    Text,
    /// Something compressed or archived.
    Archive,
    /// Anything else.
    Unknown,
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "file is empty (0 bytes)",
            Self::Jks => {
                "is a Java JKS keystore; convert with: keytool -importkeystore -srckeystore \
                 old.jks -destkeystore new.p12 -deststoretype PKCS12"
            }
            Self::Jceks => {
                "is a Java JCEKS keystore; convert with: keytool -importkeystore -srcstoretype \
                 JCEKS -srckeystore old.jceks -destkeystore new.p12 -deststoretype PKCS12"
            }
            Self::Certificate => {
                "is a certificate without a key (DER); name the key file as well, or export both \
                 as PKCS#12"
            }
            Self::Request => "is a certificate request, which still has to be signed",
            Self::Pkcs7 => {
                "is a PKCS#7 chain without a key; name the key file as well, or export both as \
                 PKCS#12"
            }
            Self::WebPage => "is a web page, not a certificate; download the file again",
            Self::Text => "is text without any certificate or key",
            Self::Archive => "is a compressed archive; unpack it first",
            Self::Unknown => "is neither PKCS#12 nor PEM nor DER",
        })
    }
}

/// The class of an error, as machines read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The file could not be read.
    Io,
    /// Another kind of file.
    NotPkcs12,
    /// Damaged or cut short.
    Malformed,
    /// Wrong or missing password.
    WrongPassword,
    /// No private key.
    NoPrivateKey,
    /// No certificate.
    NoCertificate,
    /// The key belongs to none of the certificates.
    KeyMismatch,
    /// The key is of a type or size that cannot be used.
    UnsupportedKey,
    /// An algorithm that is not read.
    UnsupportedAlgorithm,
    /// More work or memory than is allowed.
    LimitExceeded,
}

impl ErrorKind {
    /// The word that stands in reports, such as `wrong-password`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Io => "io",
            Self::NotPkcs12 => "not-pkcs12",
            Self::Malformed => "malformed",
            Self::WrongPassword => "wrong-password",
            Self::NoPrivateKey => "no-private-key",
            Self::NoCertificate => "no-certificate",
            Self::KeyMismatch => "key-mismatch",
            Self::UnsupportedKey => "unsupported-key",
            Self::UnsupportedAlgorithm => "unsupported-algorithm",
            Self::LimitExceeded => "limit-exceeded",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A certificate of this host that did not load.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read {}{hint}", .path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Whose file it is and who reads it, where that is the cause; else empty.
        hint: String,
        /// What the operating system says.
        source: io::Error,
    },
    /// The file was read and cannot be used.
    #[error("cannot load {}", .path.display())]
    Content {
        /// Which file, or the folder that was looked through.
        path: PathBuf,
        /// Why not.
        source: DecodeError,
    },
}

impl LoadError {
    /// The class of the error.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Read { .. } => ErrorKind::Io,
            Self::Content { source, .. } => source.kind(),
        }
    }

    /// The whole message in one line: path, cause, remedy.
    #[must_use]
    pub fn message(&self) -> String {
        chain(self)
    }

    pub(crate) fn read(path: &Path, source: io::Error) -> Self {
        let hint = if source.kind() == io::ErrorKind::PermissionDenied {
            permissions(path)
        } else {
            String::new()
        };
        Self::Read { path: path.to_owned(), hint, source }
    }
}

/// The messages of an error and its causes, joined by colons.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Who may read the file and who tries to: the two facts that a denied permission comes down to.
#[cfg(unix)]
fn permissions(path: &Path) -> String {
    use std::os::unix::fs::MetadataExt;

    let me = std::fs::metadata("/proc/self").map(|own| format!("running as uid {}", own.uid()));
    let file = std::fs::metadata(path)
        .map(|file| format!("the file is {:04o} of uid {}", file.mode() & 0o7777, file.uid()));
    let facts: Vec<String> = [me, file].into_iter().filter_map(Result::ok).collect();
    if facts.is_empty() { String::new() } else { format!(" ({})", facts.join("; ")) }
}

#[cfg(not(unix))]
fn permissions(_path: &Path) -> String {
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_of_path_cause_and_remedy() {
        let error = LoadError::Content {
            path: "/etc/jellynet/cert.pfx".into(),
            source: DecodeError::WrongPassword { given: true, empty_opens: true },
        };
        assert_eq!(
            error.message(),
            "cannot load /etc/jellynet/cert.pfx: the file has an empty password; remove the \
             configured one"
        );
        let error = LoadError::read(Path::new("/none"), io::Error::other("gone"));
        assert_eq!(error.message(), "cannot read /none: gone");
        assert_eq!(
            DecodeError::NoPrivateKey { certificates: 2 }.to_string(),
            "there are 2 certificates but no private key; export again with the key (openssl \
             pkcs12 -export -inkey privkey.pem …) or name the key file"
        );
    }
}
