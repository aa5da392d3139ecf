//! What a server needs to know of a certificate.
//!
//! Nothing is verified here: these are the administrator's own files.

mod name;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rustls_pki_types::CertificateDer;

use crate::der::{self, Malformed, Reader};
use crate::key::KeyKind;
use crate::oid::{self, Oid};
use crate::time::Timestamp;

/// A certificate with the fields that matter read out.
#[derive(Clone)]
pub(crate) struct Certificate {
    pub(crate) der: CertificateDer<'static>,
    pub(crate) subject: Name,
    pub(crate) issuer: Name,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    /// The SubjectPublicKeyInfo, whole.
    pub(crate) spki: Vec<u8>,
    /// The bits of the public key alone.
    pub(crate) public_key: Vec<u8>,
    pub(crate) key: KeyKind,
    /// SHA-1 or MD5: no client accepts it.
    pub(crate) weakly_signed: bool,
    pub(crate) extensions: Extensions,
}

/// A distinguished name: as text, and as the bytes that comparison goes by.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Name {
    raw: Vec<u8>,
    pub(crate) text: String,
}

impl Name {
    fn parse(element: der::Element<'_>) -> Result<Self, Malformed> {
        Ok(Self { raw: element.raw.to_vec(), text: name::text(element.inside())? })
    }

    /// The same name; makers re-encode strings between issuer and subject.
    pub(crate) fn same(&self, other: &Self) -> bool {
        self.raw == other.raw || self.text.eq_ignore_ascii_case(&other.text)
    }
}

/// The extensions that are looked at.
#[derive(Clone, Default)]
pub(crate) struct Extensions {
    pub(crate) names: Vec<San>,
    pub(crate) subject_key_id: Option<Vec<u8>>,
    pub(crate) authority_key_id: Option<Vec<u8>>,
    pub(crate) is_ca: bool,
    /// There is an extended key usage, and servers are not in it.
    pub(crate) not_for_servers: bool,
    /// The domains that an authority may vouch for (RFC 5280 § 4.2.1.10).
    pub(crate) permitted_domains: Vec<String>,
}

/// A name that a client may have asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum San {
    Dns(String),
    Ip(IpAddr),
}

impl std::fmt::Display for San {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Dns(name) => name.fmt(f),
            Self::Ip(ip) => ip.fmt(f),
        }
    }
}

impl Certificate {
    /// Reads RFC 5280 § 4.1; what follows the certificate is dropped.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let whole = Reader::new(bytes).expect(der::SEQUENCE)?;
        let mut tbs = whole.inside().sequence()?;
        tbs.optional(der::context(0))?;
        tbs.expect(der::INTEGER)?;
        let signature = tbs.sequence()?.oid()?;
        let issuer = Name::parse(tbs.expect(der::SEQUENCE)?)?;
        let mut validity = tbs.sequence()?;
        let not_before = Timestamp::from_der(validity.any()?)?;
        let not_after = Timestamp::from_der(validity.any()?)?;
        let subject = Name::parse(tbs.expect(der::SEQUENCE)?)?;
        let spki = tbs.expect(der::SEQUENCE)?;
        let mut fields = spki.inside();
        let algorithm = fields.sequence()?;
        let public_key = fields.bits()?;
        tbs.optional(der::context_primitive(1))?;
        tbs.optional(der::context_primitive(2))?;
        let extensions = match tbs.optional(der::context(3))? {
            Some(list) => Extensions::parse(list.inside().sequence()?)?,
            None => Extensions::default(),
        };
        Ok(Self {
            der: CertificateDer::from(whole.raw.to_vec()),
            subject,
            issuer,
            not_before,
            not_after,
            spki: spki.raw.to_vec(),
            public_key: public_key.to_vec(),
            key: KeyKind::of_public_key(algorithm, public_key)?,
            weakly_signed: matches!(
                signature,
                oid::MD5_WITH_RSA | oid::SHA1_WITH_RSA | oid::SHA1_WITH_ECDSA
            ),
            extensions,
        })
    }

    /// Issued by itself, as far as the names and key identifiers say.
    pub(crate) fn is_self_issued(&self) -> bool {
        self.subject.same(&self.issuer) && self.key_ids_agree(self)
    }

    /// The key identifiers do not contradict that `issuer` issued this one.
    pub(crate) fn key_ids_agree(&self, issuer: &Self) -> bool {
        match (&self.extensions.authority_key_id, &issuer.extensions.subject_key_id) {
            (Some(wanted), Some(own)) => wanted == own,
            _ => true,
        }
    }

    pub(crate) fn is_valid_at(&self, now: Timestamp) -> bool {
        self.not_before <= now && now <= self.not_after
    }

    /// The key in PKCS#8 belongs to this certificate, if it has this public key.
    pub(crate) fn has_public_key(&self, bits: &[u8]) -> bool {
        self.public_key == bits || same_point(&self.public_key, bits)
    }
}

/// The same point of a curve, once compressed and once not (SEC 1 § 2.3.3).
fn same_point(one: &[u8], other: &[u8]) -> bool {
    let (compressed, full) = if one.len() < other.len() { (one, other) } else { (other, one) };
    let (Some((sign @ (2 | 3), x)), Some((4, xy))) = (compressed.split_first(), full.split_first())
    else {
        return false;
    };
    let Some((full_x, y)) = xy.split_at_checked(x.len()) else {
        return false;
    };
    full_x == x && y.len() == x.len() && y.last().is_some_and(|last| last & 1 == sign & 1)
}

impl Extensions {
    fn parse(mut list: Reader<'_>) -> Result<Self, Malformed> {
        let mut extensions = Self::default();
        while !list.is_empty() {
            let mut extension = list.sequence()?;
            let id = extension.oid()?;
            extension.optional(der::BOOLEAN)?;
            let value = extension.octets()?;
            extensions.add(id, Reader::new(value))?;
        }
        Ok(extensions)
    }

    fn add(&mut self, id: &Oid, mut value: Reader<'_>) -> Result<(), Malformed> {
        match id {
            oid::SUBJECT_ALT_NAME => self.names = names(value.sequence()?)?,
            oid::SUBJECT_KEY_ID => self.subject_key_id = Some(value.octets()?.to_vec()),
            oid::AUTHORITY_KEY_ID => {
                let id = value.sequence()?.optional(der::context_primitive(0))?;
                self.authority_key_id = id.map(|id| id.value.to_vec());
            }
            oid::BASIC_CONSTRAINTS => {
                let ca = value.sequence()?.optional(der::BOOLEAN)?;
                self.is_ca = ca.is_some_and(|ca| ca.value != [0]);
            }
            oid::NAME_CONSTRAINTS => {
                if let Some(permitted) = value.sequence()?.optional(der::context(0))? {
                    self.permitted_domains = domains(permitted.inside())?;
                }
            }
            oid::EXTENDED_KEY_USAGE => {
                let mut purposes = value.sequence()?;
                self.not_for_servers = true;
                while !purposes.is_empty() {
                    if matches!(purposes.oid()?, oid::SERVER_AUTH | oid::ANY_EXTENDED_KEY_USAGE) {
                        self.not_for_servers = false;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// The DNS names and addresses of a subjectAltName; others are no names of servers.
fn names(mut list: Reader<'_>) -> Result<Vec<San>, Malformed> {
    let mut names = Vec::new();
    while !list.is_empty() {
        let name = list.any()?;
        if name.tag == der::context_primitive(2) {
            names.push(San::Dns(String::from_utf8_lossy(name.value).into_owned()));
        } else if name.tag == der::context_primitive(7) {
            if let Ok(v4) = <[u8; 4]>::try_from(name.value) {
                names.push(San::Ip(Ipv4Addr::from(v4).into()));
            } else if let Ok(v6) = <[u8; 16]>::try_from(name.value) {
                names.push(San::Ip(Ipv6Addr::from(v6).into()));
            }
        }
    }
    Ok(names)
}

/// The DNS names of a list of subtrees.
fn domains(mut list: Reader<'_>) -> Result<Vec<String>, Malformed> {
    let mut domains = Vec::new();
    while !list.is_empty() {
        let base = list.sequence()?.any()?;
        if base.tag == der::context_primitive(2) {
            domains.push(String::from_utf8_lossy(base.value).to_ascii_lowercase());
        }
    }
    Ok(domains)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compressed_points_are_compared_by_x_and_the_sign_of_y() {
        assert!(same_point(&[2, 7, 8], &[4, 7, 8, 1, 2]));
        assert!(same_point(&[4, 7, 8, 1, 3], &[3, 7, 8]));
        assert!(!same_point(&[2, 7, 8], &[4, 7, 8, 1, 3]));
        assert!(!same_point(&[2, 7, 9], &[4, 7, 8, 1, 2]));
        assert!(!same_point(&[], &[4]));
    }
}
