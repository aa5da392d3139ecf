//! What is wrong with a set of settings: all of it.

use std::fmt;

use crate::value::Origin;

/// One bad key or value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The key, such as `proxies.known[2]`; empty where a whole source cannot be read.
    pub key: String,
    /// Where it stands; `None` for a value that is missing.
    pub origin: Option<Origin>,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.origin, self.key.as_str()) {
            (Some(origin), "") => write!(f, "{origin}: {}", self.message),
            (None, "") => f.write_str(&self.message),
            (Some(Origin::Given) | None, key) => write!(f, "{key}: {}", self.message),
            (Some(origin), key) => write!(f, "{key} ({origin}): {}", self.message),
        }
    }
}

/// Everything that is wrong with a set of settings, in the order in which it was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct SettingsError {
    problems: Vec<Problem>,
}

impl SettingsError {
    pub(crate) const fn new(problems: Vec<Problem>) -> Self {
        Self { problems }
    }

    /// The problems; never empty.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.problems.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}
