//! Raw values and where they came from.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// A configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// The line of the key, from 1.
        line: usize,
    },
    /// An environment variable.
    Environment {
        /// Its name.
        variable: String,
    },
    /// A command-line flag.
    Flag {
        /// The flag as it is typed, such as `--listen`.
        flag: String,
    },
    /// A value handed over by the program itself.
    Given,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{} line {line}", path.display()),
            Self::Environment { variable } => write!(f, "environment variable {variable}"),
            Self::Flag { flag } => write!(f, "flag {flag}"),
            Self::Given => f.write_str("given"),
        }
    }
}

/// A value as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// A string, or the text of a number, date or truth value.
    Text(String),
    /// A list of them.
    List(Vec<String>),
}

/// A value with its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) value: Value,
    pub(crate) origin: Origin,
}

impl Entry {
    /// The elements of a list; a single text is a list of one, and one that comes from a place
    /// that has no lists (environment, flag) is split at commas.
    pub(crate) fn elements(&self) -> Vec<String> {
        match &self.value {
            Value::List(list) => list.clone(),
            Value::Text(text) if self.is_split() => text
                .split(',')
                .map(str::trim)
                .filter(|e| !e.is_empty())
                .map(str::to_owned)
                .collect(),
            Value::Text(text) => vec![text.clone()],
        }
    }

    /// Whether it comes from a place that has no lists.
    pub(crate) const fn is_split(&self) -> bool {
        let text = matches!(self.value, Value::Text(_));
        text && matches!(self.origin, Origin::Environment { .. } | Origin::Flag { .. })
    }
}

/// Why a text is no length of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no length of time: write a whole number and a unit, such as \"500ms\", \"30s\", \"5m\", \"12h\" or \"7d\""
)]
pub struct ParseDurationError(String);

/// Reads a length of time: a whole number with `ms`, `s`, `m`, `h` or `d`; without a unit,
/// seconds.
///
/// # Errors
///
/// Anything else, fractions and negative numbers among it, and more than a `u64` of milliseconds.
///
/// ```
/// use std::time::Duration;
/// use jellynet_settings::parse_duration;
/// assert_eq!(parse_duration("1500ms"), Ok(Duration::from_millis(1500)));
/// assert_eq!(parse_duration("90"), Ok(Duration::from_secs(90)));
/// assert!(parse_duration("1.5s").is_err());
/// ```
pub fn parse_duration(text: &str) -> Result<Duration, ParseDurationError> {
    let bad = || ParseDurationError(text.to_owned());
    let trimmed = text.trim();
    let digits = trimmed.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = trimmed.split_at(digits);
    let milliseconds: u64 = match unit.trim() {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(bad()),
    };
    let number: u64 = number.parse().map_err(|_| bad())?;
    number.checked_mul(milliseconds).map(Duration::from_millis).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_have_whole_numbers_and_known_units() {
        for (text, expected) in [
            ("0", Some(0)),
            ("10", Some(10_000)),
            ("10 s", Some(10_000)),
            (" 5m ", Some(300_000)),
            ("2h", Some(7_200_000)),
            ("1d", Some(86_400_000)),
            ("", None),
            ("s", None),
            ("-1s", None),
            ("1.5s", None),
            ("1 week", None),
            ("99999999999999999999s", None),
            ("18446744073709551615s", None),
        ] {
            let got = parse_duration(text).ok();
            assert_eq!(got, expected.map(Duration::from_millis), "{text:?}");
        }
    }
}
