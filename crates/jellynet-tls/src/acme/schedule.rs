//! When to ask, and when to ask again. Pure.

use std::time::Duration;

use crate::time::Timestamp;

const DAY: u64 = 86_400;

/// Certificates of less are renewed at half of their life: a third would be too little time.
const SHORT: Duration = Duration::from_secs(10 * DAY);

/// When to renew, if the authority suggests nothing.
pub(super) fn renewal(not_before: Timestamp, not_after: Timestamp) -> Timestamp {
    let life = not_after.since(not_before);
    not_before.plus(if life < SHORT { life / 2 } else { life * 2 / 3 })
}

/// A moment of a window (RFC 9773 § 4.2); `random` picks it.
pub(super) fn within(start: Timestamp, end: Timestamp, random: u32) -> Timestamp {
    let share = f64::from(random) / f64::from(u32::MAX);
    start.plus(end.since(start).mul_f64(share))
}

/// The pause after so many failures in a row: four times as long each time, a day at most.
pub(super) fn pause(first: Duration, failures: u32) -> Duration {
    let times = 4_u32.saturating_pow(failures.saturating_sub(1).min(10));
    first.saturating_mul(times).min(Duration::from_secs(DAY))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(days: u64) -> Timestamp {
        Timestamp::from_unix(0).plus(Duration::from_secs(days * DAY))
    }

    #[test]
    fn long_ones_are_renewed_with_a_third_left_and_short_ones_with_half() {
        assert_eq!(renewal(day(0), day(90)), day(60));
        assert_eq!(renewal(day(0), day(45)), day(30));
        assert_eq!(renewal(day(0), day(6)), day(3));
    }

    #[test]
    fn a_window_is_used_from_end_to_end() {
        assert_eq!(within(day(1), day(3), 0), day(1));
        assert_eq!(within(day(1), day(3), u32::MAX), day(3));
        assert_eq!(within(day(3), day(1), 7), day(3), "an empty one is its start");
    }

    #[test]
    fn pauses_grow_to_a_day() {
        let first = Duration::from_secs(60);
        let pauses: Vec<u64> =
            (1..=8).map(|failures| pause(first, failures).as_secs() / 60).collect();
        assert_eq!(pauses, [1, 4, 16, 64, 256, 1024, 1440, 1440]);
        assert_eq!(pause(first, u32::MAX).as_secs(), DAY);
    }
}
