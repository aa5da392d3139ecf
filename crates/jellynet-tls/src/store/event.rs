//! What happens to identities, and how they are.

use std::fmt;

use crate::error::ErrorKind;
use crate::identity::hex;
use crate::time::Timestamp;
use crate::warning::Warning;

/// Something that an operator wants to know. `Display` is one line for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Another certificate is served from now on.
    Replaced {
        /// Name of the identity.
        name: String,
        /// SHA-256 of the leaf that was served before; `None` if none was.
        old_sha256: Option<[u8; 32]>,
        /// SHA-256 of the new leaf.
        new_sha256: [u8; 32],
        /// When it expires.
        not_after: Timestamp,
    },
    /// Files changed, or were unreadable, and do not load; told once per message.
    Failed {
        /// Name of the identity.
        name: String,
        /// Class of the error.
        kind: ErrorKind,
        /// Path, cause, remedy.
        message: String,
        /// Until when the certificate is good that stays; `None` if there is none.
        serving_until: Option<Timestamp>,
    },
    /// What failed to load before loads again.
    Recovered {
        /// Name of the identity.
        name: String,
    },
    /// The certificate loads, and clients will, or soon will, refuse it; told once per kind.
    Warned {
        /// Name of the identity.
        name: String,
        /// Why.
        warning: Warning,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Replaced { name, new_sha256, not_after, .. } => {
                write!(f, "serve new certificate {name:?} valid until {not_after}: sha256 ")?;
                f.write_str(&hex(new_sha256))
            }
            Self::Failed { name, message, serving_until: Some(until), .. } => {
                write!(f, "keep old certificate {name:?} valid until {until}: {message}")
            }
            Self::Failed { name, message, serving_until: None, .. } => {
                write!(f, "serve no certificate {name:?}: {message}")
            }
            Self::Recovered { name } => write!(f, "certificate {name:?} loads again"),
            Self::Warned { name, warning } => {
                write!(f, "check certificate {name:?}: {}", warning.message)
            }
        }
    }
}

/// How an identity is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Status {
    /// Name of the identity.
    pub name: String,
    /// Where it is watched; `None` for one that was set.
    pub path: Option<std::path::PathBuf>,
    /// Is there one to serve?
    pub serving: bool,
    /// Is it valid now?
    pub valid: bool,
    /// Subject of the leaf; empty if there is none.
    pub subject: String,
    /// Names of the leaf.
    pub names: Vec<String>,
    /// SHA-256 of the leaf in hexadecimal; empty if there is none.
    pub sha256: String,
    /// When it expires.
    pub not_after: Option<Timestamp>,
    /// When it was loaded.
    pub loaded_at: Option<Timestamp>,
    /// Why what is in the files now does not load.
    pub last_error: Option<String>,
    /// What clients will, or soon will, refuse.
    pub warnings: Vec<Warning>,
}

impl Status {
    /// Fit to be served: there is one, it is valid, and what is in the files loads.
    #[must_use]
    pub const fn is_healthy(&self) -> bool {
        self.serving && self.valid && self.last_error.is_none()
    }
}
