//! Certificates from Let's Encrypt and other authorities that speak ACME (RFC 8555).
//!
//! 1. Account, certificate and the time of the next attempt are kept in a folder. Nothing is asked
//!    of the authority at a start: a server that restarts in a loop does no harm.
//! 2. That an attempt begins is written down before it begins: what cannot be written is not begun,
//!    is said, and the old certificate stays. A certificate that the disk does not take once it is
//!    issued is served, said to be lost at a restart, and written as soon as there is room.
//! 3. Renewal comes when the authority suggests it (RFC 9773), at a random moment of its window;
//!    else when two thirds of the life are over, or half of it for certificates of less than 10
//!    days.
//! 4. After failures the pauses grow from one minute to one day. Another question than the one that
//!    failed (other names, another challenge) is asked at once.
//!
//! | challenge | needs | wildcards |
//! |---|---|---|
//! | TLS-ALPN-01 | port 443 from outside | no |
//! | HTTP-01 | port 80 from outside | no |
//! | DNS-01 | a program, or a name server with dynamic updates, that sets TXT records | yes |
//! | DNS-PERSIST-01 | one TXT record that is set by hand, once | yes |

mod attempt;
mod challenge;
mod client;
mod dns;
mod event;
mod http01;
mod manager;
mod order;
mod schedule;
mod storage;
mod update;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::error::DecodeError;

pub use dns::{DnsError, DnsFuture, DnsHook, DnsProvider};
pub use event::{AcmeEvent, AcmeStatus, AcmeStep};
pub use http01::{Http01, Http01Future, Http01Layer, Http01Service};
pub use manager::AcmeManager;
pub use update::{DnsUpdate, TsigAlgorithm, TsigKey, TsigKeyError, UpdateProblem};

/// Let's Encrypt, for certificates that browsers trust.
pub const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// Let's Encrypt, for trials: generous limits, and certificates that nobody trusts.
pub const LETS_ENCRYPT_STAGING: &str = "https://acme-staging-v02.api.letsencrypt.org/directory";

/// What to ask of whom.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AcmeConfig {
    /// The directory of the authority. Default: [`LETS_ENCRYPT_STAGING`].
    pub directory: String,
    /// Host names, `*.` names, and addresses where the authority's profile allows them.
    pub names: Vec<String>,
    /// The folder of account and certificates.
    pub storage: PathBuf,
    /// How names are proved. Default: TLS-ALPN-01.
    pub challenge: Challenge,
    /// Where the authority may write to, such as `mailto:admin@example.org`. Default: nowhere.
    pub contact: Vec<String>,
    /// Such as `tlsserver` or `shortlived`. Default: the authority's.
    pub profile: Option<String>,
    /// An account that exists elsewhere (RFC 8555 § 7.3.4). Default: none.
    pub external_account: Option<ExternalAccount>,
    /// A PEM file with the root that the directory's own certificate comes from. Default: the
    /// roots of the system.
    pub directory_root: Option<PathBuf>,
    /// The kind of key. Default: ECDSA P-256. See [`AcmeManager::beside`] for both kinds.
    pub key: AcmeKey,
    /// The pause after a first failure; the next ones are four times as long each, a day at most.
    /// Default: 1 minute, which public authorities bear.
    pub first_pause: Duration,
}

/// The kind of key that a certificate is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AcmeKey {
    /// For all but the oldest clients.
    #[default]
    EcdsaP256,
    /// For clients of before 2014. The `ring` provider cannot make one.
    Rsa2048,
}

impl AcmeConfig {
    /// For these names, with the staging directory: set [`directory`](Self::directory) to
    /// [`LETS_ENCRYPT`] when that works.
    pub fn new<T: Into<String>>(
        storage: impl Into<PathBuf>,
        names: impl IntoIterator<Item = T>,
    ) -> Self {
        let names = names.into_iter().map(|name| name.into().to_ascii_lowercase());
        Self {
            directory: LETS_ENCRYPT_STAGING.to_owned(),
            names: names.collect(),
            storage: storage.into(),
            challenge: Challenge::TlsAlpn01,
            contact: Vec::new(),
            profile: None,
            external_account: None,
            directory_root: None,
            key: AcmeKey::default(),
            first_pause: Duration::from_secs(60),
        }
    }

    /// All that the authority's answer depends on, as text: what failed for one question says
    /// nothing about another.
    fn asked(&self) -> String {
        let account = self.external_account.as_ref().map(|account| account.id.as_str());
        let (names, contact) = (self.names.join(" "), self.contact.join(" "));
        let challenge = challenge::kind(&self.challenge).1;
        format!(
            "{names}; {challenge}; {contact}; {:?}; {account:?}; {:?}",
            self.profile, self.directory_root
        )
    }
}

/// An authority by the host of its directory.
struct Authority<'a>(&'a str);

impl fmt::Display for Authority<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rest = self.0.trim_start_matches("https://");
        f.write_str(rest.split('/').next().unwrap_or(rest))
    }
}

/// How the authority is shown that a name is ours.
#[derive(Clone)]
#[non_exhaustive]
pub enum Challenge {
    /// In a handshake on port 443 (RFC 8737). The store shows the certificate by itself.
    TlsAlpn01,
    /// On port 80 (RFC 8555 § 8.3): put [`AcmeManager::http01`] in front of what listens there.
    Http01,
    /// In the DNS (RFC 8555 § 8.4).
    Dns01(Arc<dyn DnsProvider>),
    /// In the DNS, by a record that stays: see [`AcmeManager::persistent_records`].
    DnsPersist01 {
        /// The domain by which the authority knows itself, such as `letsencrypt.org`.
        issuer: String,
    },
}

impl fmt::Debug for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TlsAlpn01 => "TlsAlpn01",
            Self::Http01 => "Http01",
            Self::Dns01(_) => "Dns01",
            Self::DnsPersist01 { .. } => "DnsPersist01",
        })
    }
}

/// Key and identifier of an external account; `Debug` hides the key.
#[derive(Clone)]
pub struct ExternalAccount {
    id: String,
    key: Zeroizing<Vec<u8>>,
}

impl ExternalAccount {
    /// As the authority gave them out; the key is base64url text.
    #[must_use]
    pub fn new(id: impl Into<String>, key: &str) -> Option<Self> {
        let standard = key.trim().replace('-', "+").replace('_', "/");
        let key = crate::pem::base64::decode(&standard).ok()?;
        Some(Self { id: id.into(), key })
    }
}

impl fmt::Debug for ExternalAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExternalAccount").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A certificate that was not issued.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcmeError {
    /// No name to ask for.
    #[error("no names are configured")]
    NoNames,
    /// The folder of account and certificates cannot be used.
    #[error("cannot use {}", .path.display())]
    Storage {
        /// Which file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The authority cannot be reached, or answers with an error.
    #[error("the authority does not answer as expected: {reason}")]
    Authority {
        /// Type and detail of its problem, or what went wrong on the way.
        reason: String,
        /// Whether the same request may work at once.
        transient: bool,
    },
    /// The authority could not verify a name.
    #[error("the authority could not verify {name}: {reason}")]
    Refused {
        /// The name.
        name: String,
        /// Type and detail of its problem.
        reason: String,
    },
    /// The authority does not offer the challenge for a name.
    #[error("the authority does not offer {challenge} for {name}")]
    NotOffered {
        /// The challenge.
        challenge: &'static str,
        /// The name.
        name: String,
    },
    /// The authority does not offer the configured profile.
    #[error("the authority does not offer the profile {profile}: {}", instead(.offered))]
    Profile {
        /// The configured one.
        profile: String,
        /// Those that it offers, with commas between; empty for none.
        offered: String,
    },
    /// A TXT record could not be set.
    #[error("cannot set the TXT record {name}")]
    Dns {
        /// Name of the record.
        name: String,
        /// Why not.
        source: DnsError,
    },
    /// What was issued cannot be used.
    #[error("the issued certificate cannot be used")]
    Certificate(#[source] DecodeError),
    /// A key could not be made.
    #[error("cannot make a key: {reason}")]
    Key {
        /// What the cryptography library says.
        reason: String,
    },
    /// A certificate for a challenge could not be made.
    #[error("cannot make the certificate of the challenge: {reason}")]
    Challenge {
        /// What the cryptography library says.
        reason: String,
    },
}

fn instead(offered: &str) -> String {
    match offered {
        "" => "it has no profiles, so leave it away".to_owned(),
        _ => format!("write one of {offered}, or leave it away"),
    }
}

impl From<instant_acme::Error> for AcmeError {
    fn from(error: instant_acme::Error) -> Self {
        let transient = match &error {
            instant_acme::Error::Api(problem) => {
                problem.r#type.as_deref().is_some_and(|kind| kind.ends_with(":badNonce"))
            }
            _ => false,
        };
        Self::Authority { reason: crate::error::chain(&error), transient }
    }
}
