//! Times as people and scripts write them.
//!
//! **Not here**: clocks of the service; ages are by this machine's.

use jiff::{SignedDuration, Timestamp};

/// RFC 3339 in UTC, to the nanosecond as it is kept.
pub(crate) fn rfc3339(time: Option<prost_types::Timestamp>) -> String {
    moment(time).map(|time| time.to_string()).unwrap_or_default()
}

/// RFC 3339 in UTC, of nanoseconds since the Unix epoch.
pub(crate) fn rfc3339_nanos(nanos: i64) -> String {
    Timestamp::from_nanosecond(nanos.into()).map(|time| time.to_string()).unwrap_or_default()
}

/// To the millisecond, for tables.
pub(crate) fn short_nanos(nanos: i64) -> String {
    Timestamp::from_nanosecond(nanos.into()).map(|time| format!("{time:.3}")).unwrap_or_default()
}

/// How long ago, in its largest unit: `5s`, `3m`, `7h`, `12d`.
pub(crate) fn age(time: Option<prost_types::Timestamp>, now: Timestamp) -> String {
    let Some(time) = moment(time) else { return String::new() };
    let seconds = now.duration_since(time).as_secs().max(0);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

fn moment(time: Option<prost_types::Timestamp>) -> Option<Timestamp> {
    let time = time?;
    Timestamp::new(time.seconds, time.nanos).ok()
}

/// A moment given as RFC 3339, or as how long ago it is.
pub(crate) fn parse_since(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    text.parse::<SignedDuration>()
        .ok()
        .filter(|ago| !ago.is_negative())
        .and_then(|ago| Timestamp::now().checked_sub(ago).ok())
        .ok_or_else(|| "give how long ago, e.g. 1h, or a time as RFC 3339, e.g. 2026-01-31T12:00:00Z".to_owned())
}

/// As the API has it.
pub(crate) fn to_proto(time: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: time.as_second(), nanos: time.subsec_nanosecond() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_takes_both_forms() {
        assert_eq!(parse_since("2026-01-31T12:00:00Z").unwrap().to_string(), "2026-01-31T12:00:00Z");
        let since = parse_since("1h").unwrap();
        let ago = Timestamp::now().duration_since(since);
        assert!((3_600..3_660).contains(&ago.as_secs()), "{ago}");
        for text in ["", "yesterday", "-1h", "12"] {
            assert!(parse_since(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ages_in_the_largest_unit() {
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        let ages = ["2026-01-31T11:59:55Z", "2026-01-31T11:57:00Z", "2026-01-31T05:00:00Z", "2026-01-19T11:00:00Z"]
            .map(|text| age(Some(to_proto(text.parse().unwrap())), now));
        assert_eq!(ages, ["5s", "3m", "7h", "12d"]);
        // A service whose clock is ahead makes no negative ages.
        assert_eq!(age(Some(to_proto("2026-01-31T12:00:09Z".parse().unwrap())), now), "0s");
    }
}
