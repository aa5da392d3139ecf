//! Points in time as certificates state them.

use std::fmt;
use std::time::{Duration, SystemTime};

use crate::der::{Element, Malformed};

const DAY: i64 = 86_400;

/// Seconds since 1970-01-01 UTC, before it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Takes Unix time.
    #[must_use]
    pub const fn from_unix(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Unix time.
    #[must_use]
    pub const fn as_unix(self) -> i64 {
        self.0
    }

    /// What the clock of this host says.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place of this crate that reads a clock")]
    pub fn now() -> Self {
        SystemTime::now().into()
    }

    /// This much later.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)))
    }

    /// The time from `earlier` to here; nothing if it is not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let seconds = self.0.saturating_sub(earlier.0);
        Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
    }

    /// Days to another point in time, rounded down.
    pub(crate) const fn days_until(self, later: Self) -> i64 {
        later.0.saturating_sub(self.0).div_euclid(DAY)
    }

    /// The day alone, such as `2026-11-23`.
    pub(crate) fn date(self) -> String {
        self.to_string().split('T').next().unwrap_or_default().to_owned()
    }

    /// A UTCTime or GeneralizedTime (RFC 5280 § 4.1.2.5; older makers leave out the seconds or
    /// give an offset).
    pub(crate) fn from_der(element: Element<'_>) -> Result<Self, Malformed> {
        let text = str::from_utf8(element.value).map_err(|_| UNREADABLE)?;
        let year_digits = match element.tag {
            0x17 => 2,
            0x18 => 4,
            _ => return Err(UNREADABLE),
        };
        let mut digits = Digits(text);
        let mut year = digits.number(year_digits)?;
        if year_digits == 2 {
            year += if year < 50 { 2000 } else { 1900 };
        }
        let month = digits.number(2)?;
        let day = digits.number(2)?;
        let time = digits.number(2)? * 3600 + digits.number(2)? * 60;
        let seconds =
            if digits.0.starts_with(|c: char| c.is_ascii_digit()) { digits.number(2)? } else { 0 };
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return Err(UNREADABLE);
        }
        let offset = digits.offset()?;
        Ok(Self(days_from_civil(year, month, day) * DAY + time + seconds - offset))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
        match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => Self(seconds(after)),
            Err(before) => Self(-seconds(before.duration())),
        }
    }
}

/// RFC 3339 in UTC, such as `2026-11-23T18:00:00Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_from_days(self.0.div_euclid(DAY));
        let time = self.0.rem_euclid(DAY);
        let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

const UNREADABLE: Malformed = Malformed("a date is not readable");

struct Digits<'a>(&'a str);

impl Digits<'_> {
    fn number(&mut self, digits: usize) -> Result<i64, Malformed> {
        let (number, rest) = self.0.split_at_checked(digits).ok_or(UNREADABLE)?;
        if !number.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(UNREADABLE);
        }
        self.0 = rest;
        number.parse().map_err(|_| UNREADABLE)
    }

    /// Seconds east of Greenwich.
    fn offset(&mut self) -> Result<i64, Malformed> {
        let sign = match self.0.chars().next() {
            Some('+') => 1,
            Some('-') => -1,
            _ => return Ok(0),
        };
        self.0 = self.0.get(1..).unwrap_or_default();
        Ok(sign * (self.number(2)? * 3600 + self.number(2)? * 60))
    }
}

/// Days since 1970-01-01 of a day in the Gregorian calendar; years begin in March, so that the
/// leap day comes last.
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::der::Reader;

    fn parse(tag: u8, text: &str) -> Result<String, Malformed> {
        let der = crate::der::write::element(tag, text.as_bytes());
        Timestamp::from_der(Reader::new(&der).any()?).map(|time| time.to_string())
    }

    #[test]
    fn both_notations_of_x509_are_read() {
        assert_eq!(parse(0x17, "261123180000Z").unwrap(), "2026-11-23T18:00:00Z");
        assert_eq!(parse(0x17, "500101000000Z").unwrap(), "1950-01-01T00:00:00Z");
        assert_eq!(parse(0x17, "2402291200Z").unwrap(), "2024-02-29T12:00:00Z");
        assert_eq!(parse(0x17, "240229120000+0100").unwrap(), "2024-02-29T11:00:00Z");
        assert_eq!(parse(0x18, "99991231235959Z").unwrap(), "9999-12-31T23:59:59Z");
        for bad in ["", "2613", "261323180000Z", "2611aa180000Z", "26112318000"] {
            assert!(parse(0x17, bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn days_survive_the_calendar(days in -1_000_000_i64..4_000_000) {
            let (year, month, day) = civil_from_days(days);
            prop_assert_eq!(days_from_civil(year, month, day), days);
        }
    }
}
