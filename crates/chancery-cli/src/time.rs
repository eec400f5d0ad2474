//! Times as people and scripts write them.
//!
//! **Not here**: clocks of the service; ages are by this machine's.

use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

/// RFC 3339 in UTC, to the nanosecond as it is kept.
pub(crate) fn rfc3339(time: Option<prost_types::Timestamp>) -> String {
    moment(time).map(|time| time.to_string()).unwrap_or_default()
}

/// RFC 3339 in UTC, of nanoseconds since the Unix epoch.
pub(crate) fn rfc3339_nanos(nanos: i64) -> String {
    Timestamp::from_nanosecond(nanos.into()).map(|time| time.to_string()).unwrap_or_default()
}

/// RFC 3339 in UTC, of milliseconds since the Unix epoch.
pub(crate) fn rfc3339_millis(millis: u64) -> String {
    let time = i64::try_from(millis).ok().and_then(|millis| Timestamp::from_millisecond(millis).ok());
    time.map(|time| time.to_string()).unwrap_or_default()
}

/// To the millisecond, for tables.
pub(crate) fn short_nanos(nanos: i64) -> String {
    Timestamp::from_nanosecond(nanos.into()).map(|time| format!("{time:.3}")).unwrap_or_default()
}

/// To the second, for tables.
pub(crate) fn short_time(time: Option<prost_types::Timestamp>) -> String {
    rfc3339(time.map(|time| prost_types::Timestamp { nanos: 0, ..time }))
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

/// A moment given as RFC 3339.
pub(crate) fn parse_time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| "give a time as RFC 3339, e.g. 2026-01-31T12:00:00Z".to_owned())
}

/// A length of time: `90d`, `12h`, `1w 2d`. A day has 24 hours.
pub(crate) fn parse_duration(text: &str) -> Result<SignedDuration, String> {
    text.parse::<Span>()
        .and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()))
        .ok()
        .filter(SignedDuration::is_positive)
        .ok_or_else(|| "give a length of time, e.g. 12h, 90d or 52w".to_owned())
}

/// A length of time in days, hours, minutes and seconds.
pub(crate) fn duration(duration: &prost_types::Duration) -> String {
    let seconds = duration.seconds.max(0);
    let parts = [("d", 86_400, i64::MAX), ("h", 3_600, 24), ("m", 60, 60), ("s", 1, 60)];
    let parts: Vec<String> = (parts.iter())
        .map(|(unit, length, most)| (seconds / length % most, unit))
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count}{unit}"))
        .collect();
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

/// As the API has it.
pub(crate) fn duration_to_proto(duration: SignedDuration) -> prost_types::Duration {
    prost_types::Duration { seconds: duration.as_secs(), nanos: duration.subsec_nanos() }
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

    #[test]
    fn lengths_of_time_have_days_and_print_as_they_are_given() {
        for (text, printed) in [("90d", "90d"), ("36h", "1d 12h"), ("1w 2d", "9d"), ("90s", "1m 30s")] {
            assert_eq!(duration(&duration_to_proto(parse_duration(text).unwrap())), printed);
        }
        for text in ["", "90", "-1d", "0d", "1 month", "soon"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
