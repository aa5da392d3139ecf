//! What an operator hears of it, and how it stands.

use std::fmt;

use super::Authority;
use crate::time::Timestamp;

/// Something that an operator wants to know. `Display` is one line for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AcmeEvent {
    /// An attempt has come to this step.
    Step(AcmeStep),
    /// A certificate was issued and is served.
    Issued {
        /// Its names.
        names: Vec<String>,
        /// When it expires.
        not_after: Timestamp,
    },
    /// The authority suggests when to renew (RFC 9773).
    Suggested {
        /// When it is renewed: a moment of the window that the authority suggests.
        renew_at: Timestamp,
        /// A page that says why, if there is one.
        explanation: Option<String>,
    },
    /// It did not work; the old certificate, if there is one, stays.
    Failed {
        /// Why.
        message: String,
        /// When it is tried again.
        retry_at: Timestamp,
    },
    /// A certificate is served that could not be written to disk; that is tried again.
    NotSaved {
        /// Why.
        message: String,
    },
    /// The certificate that could not be written to disk is there now.
    Saved,
}

/// What an attempt does next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AcmeStep {
    /// Makes an account with the authority.
    Account {
        /// The authority's directory.
        directory: String,
    },
    /// Counts on a TXT record that stays (DNS-PERSIST-01).
    Record {
        /// Name of the record.
        name: String,
        /// What it must say.
        value: String,
    },
    /// Asks for a certificate.
    Order {
        /// For these names.
        names: Vec<String>,
        /// Whom.
        directory: String,
    },
    /// Is ready to prove a name, and lets the authority look.
    Prove {
        /// The name.
        name: String,
        /// How.
        challenge: &'static str,
    },
    /// Everything is proved; hands in the key.
    Finalize,
}

impl fmt::Display for AcmeStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account { directory } => write!(f, "make an account: {directory}"),
            Self::Record { name, value } => {
                write!(f, "expect the TXT record {name}: {value:?}")
            }
            Self::Order { names, directory } => {
                write!(f, "ask {} for a certificate: {}", Authority(directory), names.join(", "))
            }
            Self::Prove { name, challenge } => write!(f, "prove by {challenge}: {name}"),
            Self::Finalize => f.write_str("all names are proved, fetch the certificate"),
        }
    }
}

impl fmt::Display for AcmeEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step(step) => step.fmt(f),
            Self::Issued { names, not_after } => {
                write!(f, "serve issued certificate valid until {not_after}: {}", names.join(", "))
            }
            Self::Suggested { renew_at, explanation: None } => {
                write!(f, "renew at {renew_at}, as the authority suggests")
            }
            Self::Suggested { renew_at, explanation: Some(page) } => {
                write!(f, "renew at {renew_at}, as the authority suggests: see {page}")
            }
            Self::Failed { message, retry_at } => {
                write!(f, "get no certificate, try again at {retry_at}: {message}")
            }
            Self::NotSaved { message } => {
                write!(f, "serve issued certificate that is lost at a restart: {message}")
            }
            Self::Saved => f.write_str("keep the issued certificate on disk"),
        }
    }
}

/// How a certificate of an authority stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct AcmeStatus {
    /// Its name in the store.
    pub identity: &'static str,
    /// What is asked for.
    pub names: Vec<String>,
    /// The authority's directory.
    pub directory: String,
    /// How names are proved, such as `http-01`.
    pub challenge: &'static str,
    /// When the certificate that is served expires; `None` while there is none.
    pub not_after: Option<Timestamp>,
    /// Whether an attempt is under way.
    pub under_way: bool,
    /// Attempts that failed in a row.
    pub failures: u32,
    /// Why the last attempt failed; `None` after one that did not.
    pub last_error: Option<String>,
    /// When the authority is asked for a certificate next.
    pub next_attempt: Timestamp,
}
