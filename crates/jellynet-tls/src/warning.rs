//! What is wrong with a certificate that loads all the same.

use std::time::Duration;

use crate::time::Timestamp;

/// Something that clients will, or soon will, refuse.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Warning {
    /// What it is about.
    pub kind: WarningKind,
    /// One line with the facts and what to do.
    pub message: String,
}

/// The class of a [`Warning`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum WarningKind {
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYetValid,
    /// Its time is over in less than [`EXPIRES_SOON`].
    ExpiresSoon,
    /// It has no subjectAltName; clients ignore the common name.
    NoSan,
    /// The intermediate certificates are missing.
    IncompleteChain,
    /// Its extended key usage leaves servers out.
    NotForServers,
    /// It is signed with SHA-1 or MD5.
    WeakSignature,
}

impl WarningKind {
    /// The word that stands in reports, such as `expires-soon`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::NotYetValid => "not-yet-valid",
            Self::ExpiresSoon => "expires-soon",
            Self::NoSan => "no-san",
            Self::IncompleteChain => "incomplete-chain",
            Self::NotForServers => "not-for-servers",
            Self::WeakSignature => "weak-signature",
        }
    }
}

impl std::fmt::Display for WarningKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How long before its end a certificate is warned of: 14 days, or a quarter of its life if that is
/// less. Renewal comes when a third is left, or half of a short life, so that a healthy one is never
/// warned of.
pub const EXPIRES_SOON: Duration = Duration::from_secs(14 * 86_400);

/// The facts that warnings come from.
pub(crate) struct Facts {
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    pub(crate) has_names: bool,
    pub(crate) incomplete: bool,
    pub(crate) not_for_servers: bool,
    pub(crate) weakly_signed: bool,
}

impl Facts {
    pub(crate) fn warnings(&self, now: Timestamp) -> Vec<Warning> {
        let mut warnings: Vec<Warning> = self.time(now).into_iter().collect();
        let mut warn = |applies, kind, message: &str| {
            if applies {
                warnings.push(Warning { kind, message: message.to_owned() });
            }
        };
        warn(
            !self.has_names,
            WarningKind::NoSan,
            "the certificate has no subjectAltName: clients ignore the common name and refuse it",
        );
        warn(
            self.incomplete,
            WarningKind::IncompleteChain,
            "the intermediate certificates are missing: use fullchain.pem, not cert.pem, or export \
             with the chain",
        );
        warn(
            self.not_for_servers,
            WarningKind::NotForServers,
            "the extended key usage of the certificate does not include TLS servers",
        );
        warn(
            self.weakly_signed,
            WarningKind::WeakSignature,
            "the certificate is signed with SHA-1 or MD5, which clients refuse",
        );
        warnings
    }

    fn soon(&self) -> Duration {
        EXPIRES_SOON.min(self.not_after.since(self.not_before) / 4)
    }

    fn time(&self, now: Timestamp) -> Option<Warning> {
        let (kind, message) = if now > self.not_after {
            (WarningKind::Expired, format!("the certificate expired on {}", self.not_after.date()))
        } else if now < self.not_before {
            let message = format!("the certificate is not valid before {}", self.not_before);
            (WarningKind::NotYetValid, message)
        } else if self.not_after.since(now) < self.soon() {
            let days = now.days_until(self.not_after);
            let message = format!(
                "the certificate expires in {days} days, on {}: renew it",
                self.not_after.date()
            );
            (WarningKind::ExpiresSoon, message)
        } else {
            return None;
        };
        Some(Warning { kind, message })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_certificate_is_said_in_time() {
        let with_life = |days: i64| Facts {
            not_before: Timestamp::from_unix(0),
            not_after: Timestamp::from_unix(days * 86_400),
            has_names: true,
            incomplete: false,
            not_for_servers: false,
            weakly_signed: false,
        };
        let kind = |facts: &Facts, day: i64| {
            let warnings = facts.warnings(Timestamp::from_unix(day * 86_400));
            warnings.first().map(|warning| warning.kind)
        };
        let facts = with_life(90);
        let at = |day| kind(&facts, day);
        assert_eq!(at(-1), Some(WarningKind::NotYetValid));
        assert_eq!(at(60), None);
        assert_eq!(at(75), None);
        assert_eq!(at(77), Some(WarningKind::ExpiresSoon));
        assert_eq!(at(91), Some(WarningKind::Expired));
        let short = with_life(6);
        assert_eq!(kind(&short, 4), None, "a life of six days is renewed after three");
        assert_eq!(kind(&short, 5), Some(WarningKind::ExpiresSoon));
    }
}
