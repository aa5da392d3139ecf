//! Which certificate belongs to the key, and which others go with it.
//!
//! 1. The leaf is the certificate with the key's public key: never the first, never the one with
//!    a matching local key id. Of several, one that is valid now, and of those the newest.
//! 2. Its issuer is found by name and key identifier, and so on.
//! 3. What is sent: the leaf and its intermediates. Not the self-signed root, no duplicate, nothing
//!    unrelated.

use std::cmp::Reverse;

use crate::time::Timestamp;
use crate::x509::Certificate;

/// Longer chains do not exist.
const MAX_LENGTH: usize = 10;

/// A leaf with its issuers.
pub(crate) struct Path {
    /// The leaf and its intermediates, in the order in which they are sent.
    pub(crate) served: Vec<Certificate>,
    /// An issuer is missing that clients are unlikely to have.
    pub(crate) incomplete: bool,
}

/// The certificate with this public key.
pub(crate) fn leaf<'a>(
    public_key: &[u8],
    certificates: &'a [Certificate],
    now: Timestamp,
) -> Option<&'a Certificate> {
    certificates
        .iter()
        .enumerate()
        .filter(|(_, certificate)| certificate.has_public_key(public_key))
        .max_by_key(|(index, certificate)| {
            (certificate.is_valid_at(now), certificate.not_before, Reverse(*index))
        })
        .map(|(_, certificate)| certificate)
}

/// Where there is no key to tell: the certificate that issued none of the others, rather one of a
/// server than of an authority.
pub(crate) fn likely_leaf(certificates: &[Certificate], now: Timestamp) -> Option<&Certificate> {
    let issued_another = |one: &Certificate| {
        certificates.iter().any(|other| {
            other.der != one.der && one.subject.same(&other.issuer) && other.key_ids_agree(one)
        })
    };
    certificates
        .iter()
        .enumerate()
        .max_by_key(|(index, one)| {
            let last = !issued_another(one);
            (last, !one.extensions.is_ca, one.is_valid_at(now), one.not_before, Reverse(*index))
        })
        .map(|(_, one)| one)
}

/// The path from a leaf towards its root.
pub(crate) fn path(leaf: &Certificate, certificates: &[Certificate], now: Timestamp) -> Path {
    let mut served = vec![leaf.clone()];
    let mut last = leaf;
    let mut ended = leaf.is_self_issued();
    while !ended && served.len() < MAX_LENGTH {
        let Some(issuer) = issuer(last, &served, certificates, now) else {
            break;
        };
        ended = issuer.is_self_issued();
        if !ended {
            served.push(issuer.clone());
        }
        last = issuer;
    }
    let incomplete = !ended && served.len() == 1;
    Path { served, incomplete }
}

fn issuer<'a>(
    child: &Certificate,
    path: &[Certificate],
    certificates: &'a [Certificate],
    now: Timestamp,
) -> Option<&'a Certificate> {
    certificates
        .iter()
        .enumerate()
        .filter(|(_, candidate)| {
            candidate.subject.same(&child.issuer)
                && child.key_ids_agree(candidate)
                && path.iter().all(|seen| seen.der != candidate.der)
        })
        .max_by_key(|(index, candidate)| {
            let by_key_id = child.extensions.authority_key_id.is_some()
                && child.extensions.authority_key_id == candidate.extensions.subject_key_id;
            let valid = candidate.is_valid_at(now);
            (candidate.extensions.is_ca, by_key_id, valid, Reverse(*index))
        })
        .map(|(_, candidate)| candidate)
}
