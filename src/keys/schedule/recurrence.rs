//! When a key's next rotation is due.
//!
//! **Invariant**: the next time follows from the time given alone, so what was missed is made up for once.

use crate::model::Rotation;
use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use jiff::{Timestamp, tz::TimeZone};

/// The first time after `after` that a rotation is due, nanoseconds since the Unix epoch; `None` where the schedule is no
/// cron of five fields, or never comes.
pub fn next_rotation(rotation: &Rotation, after: i64) -> Option<i64> {
    match rotation {
        Rotation::Every(interval) => after.checked_add(i64::try_from(interval.as_nanos()).ok()?),
        Rotation::Cron(text) => {
            let after = Timestamp::from_nanosecond(after.into()).ok()?.to_zoned(TimeZone::UTC);
            let next = parse(text)?.find_next_occurrence(&after, false).ok()?;
            i64::try_from(next.timestamp().as_nanosecond()).ok()
        }
    }
}

/// Minute, hour, day of month, month, day of week; nothing before or after them, and no word in place of them.
fn parse(text: &str) -> Option<Cron> {
    if text.split_whitespace().count() != 5 {
        return None;
    }
    CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build().parse(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn nanos(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_nanosecond().try_into().unwrap()
    }

    fn cron(text: &str, after: &str) -> Option<String> {
        let next = next_rotation(&Rotation::Cron(text.into()), nanos(after))?;
        Some(Timestamp::from_nanosecond(next.into()).unwrap().to_string())
    }

    #[test]
    fn an_interval_counts_from_the_time_given() {
        let every = Rotation::Every(Duration::from_secs(3600));
        assert_eq!(next_rotation(&every, nanos("2026-11-20T23:00:00Z")), Some(nanos("2026-11-21T00:00:00Z")));
        assert_eq!(next_rotation(&every, i64::MAX), None);
    }

    /// Dates from a calendar: 2026-11-20 is a Friday, 2028 a leap year.
    #[test]
    fn cron_is_in_utc_and_strictly_after() {
        let next = |text, after| cron(text, after).unwrap();
        assert_eq!(next("0 3 * * *", "2026-11-20T02:59:59.5Z"), "2026-11-20T03:00:00Z");
        assert_eq!(next("0 3 * * *", "2026-11-20T03:00:00Z"), "2026-11-21T03:00:00Z");
        assert_eq!(next("0 0 1 */3 *", "2026-11-20T03:00:00Z"), "2027-01-01T00:00:00Z");
        assert_eq!(next("30 4 * * MON", "2026-11-20T03:00:00Z"), "2026-11-23T04:30:00Z");
        assert_eq!(next("0 0 29 2 *", "2026-11-20T03:00:00Z"), "2028-02-29T00:00:00Z");
        assert_eq!(next("*/1 * * * *", "2026-11-20T03:00:59Z"), "2026-11-20T03:01:00Z");
        // Vixie cron: day of month or day of week.
        assert_eq!(next("0 0 13 * FRI", "2026-11-20T03:00:00Z"), "2026-11-27T00:00:00Z");
    }

    /// A service that was down for a year makes up for one rotation, and goes on from now.
    #[test]
    fn a_missed_time_comes_once() {
        let daily = Rotation::Cron("0 3 * * *".into());
        assert_eq!(next_rotation(&daily, nanos("2027-11-20T10:00:00Z")), Some(nanos("2027-11-21T03:00:00Z")));
    }

    #[test]
    fn what_is_no_cron_or_never_comes_is_none() {
        for text in
            ["", "0 3 * *", "0 0 3 * * *", "0 0 3 * * * 2027", "@daily", "61 * * * *", "0 0 30 2 *", "a b c d e"]
        {
            assert_eq!(cron(text, "2026-11-20T03:00:00Z"), None, "{text}");
        }
    }
}
