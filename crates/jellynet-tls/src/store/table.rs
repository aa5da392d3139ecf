//! The published state: an immutable table that handshakes read without a lock.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::server::ClientHello;
use rustls::sign::CertifiedKey;

use crate::identity::Identity;
use crate::time::Timestamp;

/// The protocol name of RFC 8737 § 6.2.
pub(crate) const ACME_TLS_ALPN: &[u8] = b"acme-tls/1";

type Challenges = ArcSwap<HashMap<String, Arc<CertifiedKey>>>;

/// Names to identities; each list is in the order of preference.
#[derive(Default)]
pub(crate) struct Table {
    generation: u64,
    /// All of them, in the order in which they were added, with whether they were valid.
    identities: Vec<(Identity, bool)>,
    exact: HashMap<String, Vec<Identity>>,
    /// By what follows the `*.`.
    wildcard: HashMap<String, Vec<Identity>>,
    fallback: Vec<Identity>,
    challenges: Arc<Challenges>,
}

impl Table {
    /// The table that follows this one; `None` if it would be the same.
    pub(super) fn replaced_by(&self, identities: Vec<Identity>, now: Timestamp) -> Option<Self> {
        let judged: Vec<(Identity, bool)> = identities
            .into_iter()
            .map(|identity| {
                let info = identity.info();
                let valid = info.not_before <= now && now <= info.not_after;
                (identity, valid)
            })
            .collect();
        let same = judged.len() == self.identities.len()
            && judged.iter().zip(&self.identities).all(|((new, valid), (old, was_valid))| {
                valid == was_valid && new.info() == old.info()
            });
        if same {
            return None;
        }
        Some(Self::new(judged, self.generation + 1, Arc::clone(&self.challenges)))
    }

    fn new(
        identities: Vec<(Identity, bool)>,
        generation: u64,
        challenges: Arc<Challenges>,
    ) -> Self {
        let mut table = Self { generation, challenges, ..Self::default() };
        let mut preferred: Vec<&(Identity, bool)> = identities.iter().collect();
        preferred.sort_by_key(|(identity, valid)| {
            let info = identity.info();
            (!valid, info.key.cost(), std::cmp::Reverse(info.not_after))
        });
        for (identity, _) in &preferred {
            for name in identity.dns_names() {
                let (names, name) = match name.strip_prefix("*.") {
                    Some(parent) => (&mut table.wildcard, parent.to_owned()),
                    None => (&mut table.exact, name),
                };
                names.entry(name).or_default().push(identity.clone());
            }
        }
        if let Some((default, _)) = identities.first() {
            // The default, and what stands for the same names with another kind of key.
            let names = &default.info().names;
            let twin = |other: &Identity| {
                other.fingerprint() == default.fingerprint()
                    || (!names.is_empty() && other.info().names == *names)
            };
            table.fallback = preferred
                .iter()
                .filter(|(identity, _)| twin(identity))
                .map(|(identity, _)| identity.clone())
                .collect();
        }
        table.identities = identities;
        table
    }

    pub(crate) const fn generation(&self) -> u64 {
        self.generation
    }

    pub(super) fn challenges(&self) -> &Challenges {
        &self.challenges
    }

    /// The identities for a host, the preferred one first.
    pub(super) fn candidates(&self, host: Option<&str>) -> &[Identity] {
        let Some(host) = host else {
            return &self.fallback;
        };
        let lower;
        let host = if host.bytes().any(|octet| octet.is_ascii_uppercase()) {
            lower = host.to_ascii_lowercase();
            &lower
        } else {
            host
        };
        let wildcard = || self.wildcard.get(host.split_once('.')?.1);
        self.exact.get(host).or_else(wildcard).unwrap_or(&self.fallback)
    }

    pub(crate) fn resolve(&self, hello: &ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if is_challenge(hello) {
            let host = hello.server_name()?.to_ascii_lowercase();
            return self.challenges.load().get(&host).cloned();
        }
        let candidates = self.candidates(hello.server_name());
        let schemes = hello.signature_schemes();
        candidates
            .iter()
            .map(Identity::certified_key)
            .find(|certified| certified.key.choose_scheme(schemes).is_some())
            .or_else(|| candidates.first().map(Identity::certified_key))
    }
}

/// RFC 8737 § 3: the client offers this protocol alone.
fn is_challenge(hello: &ClientHello<'_>) -> bool {
    hello.alpn().is_some_and(|mut offered| {
        offered.next() == Some(ACME_TLS_ALPN) && offered.next().is_none()
    })
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").field("generation", &self.generation).finish_non_exhaustive()
    }
}

/// A table that no longer changes, for the configuration of one generation.
#[cfg(feature = "tokio")]
#[derive(Debug)]
pub(crate) struct Pinned(pub(crate) Arc<Table>);

#[cfg(feature = "tokio")]
impl rustls::server::ResolvesServerCert for Pinned {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.resolve(&hello)
    }
}
