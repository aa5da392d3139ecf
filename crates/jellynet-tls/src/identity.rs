//! A key, its certificate, and what is sent with it.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

use crate::chain;
use crate::error::DecodeError;
use crate::key::{KeyKind, LoadedKey, PrivateKey};
use crate::material::{Format, Material};
use crate::pkcs12::sha256;
use crate::time::Timestamp;
use crate::warning::{Facts, Warning};
use crate::x509::{Certificate, San};

/// A private key with its certificate and intermediates, ready to be served.
///
/// A clone shares everything. The key never shows in `Debug`.
#[derive(Clone)]
pub struct Identity(Arc<Inner>);

struct Inner {
    certified: Arc<CertifiedKey>,
    pkcs8: Zeroizing<Vec<u8>>,
    info: CertificateInfo,
    names: Vec<San>,
    facts: Facts,
}

/// What is in an [`Identity`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificateInfo {
    /// Notation of the file it came from.
    pub format: Format,
    /// Subject of the certificate, such as `CN=example.org`.
    pub subject: String,
    /// Issuer of the certificate.
    pub issuer: String,
    /// Its DNS names and addresses.
    pub names: Vec<String>,
    /// Valid from.
    pub not_before: Timestamp,
    /// Valid to.
    pub not_after: Timestamp,
    /// SHA-256 of each certificate that is sent, the leaf first.
    pub served_sha256: Vec<[u8; 32]>,
    /// Type and size of the key.
    pub key: KeyKind,
    /// SHA-256 of the SubjectPublicKeyInfo.
    pub spki_sha256: [u8; 32],
    /// The certificate was issued by itself: no client trusts it unasked.
    pub self_signed: bool,
}

impl Identity {
    /// Puts together what was found in one or more files.
    pub(crate) fn assemble(
        material: &Material,
        provider: &CryptoProvider,
        now: Timestamp,
    ) -> Result<Self, DecodeError> {
        let certificates = certificates(material)?;
        let mut first_error = None;
        let mut best: Option<Match<'_>> = None;
        for bytes in &material.keys {
            match Match::find(bytes, &certificates, provider, now) {
                Ok(found) if best.as_ref().is_none_or(|best| found.better_than(best, now)) => {
                    best = Some(found);
                }
                Ok(_) => {}
                Err(error) => {
                    first_error.get_or_insert(error);
                }
            }
        }
        let Some(best) = best else {
            return Err(first_error
                .unwrap_or(DecodeError::NoPrivateKey { certificates: certificates.len() }));
        };
        let format = material.format.unwrap_or(Format::Pem);
        Ok(best.into_identity(&certificates, format, now))
    }

    /// Key and chain as rustls takes them.
    #[must_use]
    pub fn certified_key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0.certified)
    }

    /// The certificates that are sent, the leaf first.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.0.certified.cert
    }

    /// Subject, names, dates, fingerprints.
    #[must_use]
    pub fn info(&self) -> &CertificateInfo {
        &self.0.info
    }

    /// What clients will, or soon will, refuse.
    #[must_use]
    pub fn warnings(&self, now: Timestamp) -> Vec<Warning> {
        self.0.facts.warnings(now)
    }

    /// SHA-256 of the leaf.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        self.0.info.served_sha256.first().copied().unwrap_or_default()
    }

    /// Is this one of the certificate's names? A wildcard stands for one label (RFC 6125 § 6.4.3).
    #[must_use]
    pub fn covers(&self, host: &str) -> bool {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(ip) = host.parse::<IpAddr>() {
            return self.0.names.contains(&San::Ip(ip));
        }
        let host = host.trim_end_matches('.');
        self.0.names.iter().any(|name| match name {
            San::Dns(name) => name.eq_ignore_ascii_case(host) || wildcard_covers(name, host),
            San::Ip(_) => false,
        })
    }

    /// The DNS names of the certificate, in lower case; wildcards as `*.example.org`.
    pub(crate) fn dns_names(&self) -> impl Iterator<Item = String> {
        self.0.names.iter().filter_map(|name| match name {
            San::Dns(name) => Some(name.to_ascii_lowercase()),
            San::Ip(_) => None,
        })
    }

    /// The private key in PKCS#8.
    pub(crate) fn pkcs8(&self) -> &[u8] {
        &self.0.pkcs8
    }
}

impl CertificateInfo {
    /// Issued by a [`LocalAuthority`](crate::LocalAuthority).
    pub(crate) fn is_locally_issued(&self) -> bool {
        self.issuer.starts_with(LOCAL_AUTHORITY)
    }
}

/// How the subject of every local authority begins.
pub(crate) const LOCAL_AUTHORITY: &str = "CN=jellynet local authority";

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("info", self.info()).finish_non_exhaustive()
    }
}

fn wildcard_covers(name: &str, host: &str) -> bool {
    match (name.strip_prefix("*."), host.split_once('.')) {
        (Some(parent), Some((label, rest))) => {
            !label.is_empty() && parent.eq_ignore_ascii_case(rest)
        }
        _ => false,
    }
}

/// The certificates that can be read; errors for material that cannot become an identity.
fn certificates(material: &Material) -> Result<Vec<Certificate>, DecodeError> {
    let openssh = material.others.contains(&"an OpenSSH private key");
    if material.keys.is_empty() && openssh {
        let what = "an OpenSSH private key cannot be used; convert a copy of it with: ssh-keygen \
                    -p -m PKCS8 -f key";
        return Err(DecodeError::UnsupportedKey { what: what.to_owned() });
    }
    if material.certificates.is_empty() {
        let mut found = material.others.clone();
        if !material.keys.is_empty() {
            found.push("a private key");
        }
        return Err(DecodeError::NoCertificate { found: found.join(" and ") });
    }
    if material.keys.is_empty() {
        return Err(match material.foreign {
            Some(foreign) => DecodeError::NotPkcs12(foreign),
            None => DecodeError::NoPrivateKey { certificates: material.certificates.len() },
        });
    }
    readable(material)
}

/// Each certificate once, those left out that cannot be read unless there is no other.
pub(crate) fn readable(material: &Material) -> Result<Vec<Certificate>, DecodeError> {
    let mut certificates: Vec<Certificate> = Vec::new();
    let mut error = None;
    for der in &material.certificates {
        match Certificate::parse(der) {
            Ok(certificate) if certificates.iter().any(|seen| seen.der == certificate.der) => {}
            Ok(certificate) => certificates.push(certificate),
            Err(cause) => error = Some(cause),
        }
    }
    match error {
        Some(error) if certificates.is_empty() => Err(error.into()),
        _ => Ok(certificates),
    }
}

/// A key that the provider takes, with its certificate.
struct Match<'a> {
    key: PrivateKey,
    loaded: LoadedKey,
    leaf: &'a Certificate,
}

impl<'a> Match<'a> {
    fn find(
        bytes: &[u8],
        certificates: &'a [Certificate],
        provider: &CryptoProvider,
        now: Timestamp,
    ) -> Result<Self, DecodeError> {
        let key = PrivateKey::parse(bytes)?;
        let loaded = key.load(provider, certificates)?;
        let Some(leaf) = chain::leaf(&loaded.public_key, certificates, now) else {
            return Err(mismatch(&key, &loaded, certificates));
        };
        Ok(Self { key, loaded, leaf })
    }

    /// The first pair of a file wins, unless another is valid now and it is not. Of two that are
    /// equally valid the newer wins: a folder may hold those of last year as well.
    fn better_than(&self, other: &Self, now: Timestamp) -> bool {
        let rank = |found: &Self| (found.leaf.is_valid_at(now), found.leaf.not_before);
        rank(self) > rank(other)
    }

    fn into_identity(
        self,
        certificates: &[Certificate],
        format: Format,
        now: Timestamp,
    ) -> Identity {
        let leaf = self.leaf;
        let path = chain::path(leaf, certificates, now);
        let served: Vec<_> = path.served.iter().map(|one| one.der.clone()).collect();
        let info = CertificateInfo {
            format,
            subject: leaf.subject.text.clone(),
            issuer: leaf.issuer.text.clone(),
            names: leaf.extensions.names.iter().map(ToString::to_string).collect(),
            not_before: leaf.not_before,
            not_after: leaf.not_after,
            served_sha256: served.iter().map(|der| sha256(der)).collect(),
            key: self.key.kind,
            spki_sha256: sha256(&leaf.spki),
            self_signed: leaf.is_self_issued(),
        };
        let facts = Facts {
            not_before: leaf.not_before,
            not_after: leaf.not_after,
            has_names: !leaf.extensions.names.is_empty(),
            // Whoever trusts a local authority has its root.
            incomplete: path.incomplete && !info.is_locally_issued(),
            not_for_servers: leaf.extensions.not_for_servers,
            weakly_signed: leaf.weakly_signed && !leaf.is_self_issued(),
        };
        Identity(Arc::new(Inner {
            certified: Arc::new(CertifiedKey::new(served, self.loaded.signing)),
            pkcs8: self.key.pkcs8,
            info,
            names: leaf.extensions.names.clone(),
            facts,
        }))
    }
}

fn mismatch(key: &PrivateKey, loaded: &LoadedKey, certificates: &[Certificate]) -> DecodeError {
    let names: Vec<&str> =
        certificates.iter().take(4).map(|one| one.subject.text.as_str()).collect();
    DecodeError::KeyMismatch {
        key: key.kind.to_string(),
        spki_sha256: hex(&sha256(&loaded.spki)),
        certificates: certificates.len(),
        names: names.join("; "),
    }
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use fmt::Write;

    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_stands_for_one_label() {
        assert!(wildcard_covers("*.example.org", "tv.example.org"));
        assert!(wildcard_covers("*.example.org", "TV.EXAMPLE.ORG"));
        assert!(!wildcard_covers("*.example.org", "example.org"));
        assert!(!wildcard_covers("*.example.org", "a.tv.example.org"));
        assert!(!wildcard_covers("example.org", "example.org"));
    }
}
