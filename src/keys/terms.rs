//! What a key's terms may be: its schedule, overlap, pool, labels and dates.
//!
//! **Not here**: parsing them (`grpc`), acting on them (`schedule`).

use super::{Keys, NewKey, labels, schedule};
use crate::{
    access::{Grant, now, written},
    config::KeyOptions,
    error::Error,
    model::{Key, PrincipalName, Rotation},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// The most versions that are made ahead of time.
pub(super) const MAXIMUM_POOL: u32 = 16;
/// So many rotations of a cron are looked at to find its shortest interval: more than an hour has minutes.
const LOOKED_AT: usize = 64;

pub(super) fn next_rotation(rotation: &Rotation, after: i64) -> Option<i64> {
    schedule::next_rotation(rotation, after)
}

/// A duration as people write it.
pub(super) fn spelt(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [(24 * 3600, "d"), (3600, "h"), (60, "min"), (1, "s")];
    let (length, unit) =
        units.into_iter().find(|(length, _)| seconds > 0 && seconds.is_multiple_of(*length)).unwrap_or((1, "s"));
    format!("{} {unit}", seconds / length)
}

/// The shortest time between a schedule's next rotations; `None`: it has none.
fn shortest(rotation: &Rotation, from: i64) -> Option<Duration> {
    let cron = match rotation {
        Rotation::Every(interval) => return Some(*interval),
        Rotation::Cron(_) => rotation,
    };
    let mut last = next_rotation(cron, from)?;
    let mut shortest = KeyOptions::MAXIMUM_INTERVAL;
    for _ in 0..LOOKED_AT {
        // It ends where the calendar does.
        let Some(next) = next_rotation(cron, last) else { break };
        shortest = shortest.min(Duration::from_nanos(u64::try_from(next.saturating_sub(last)).unwrap_or(0)));
        last = next;
    }
    Some(shortest)
}

/// Refuses a schedule that is none, or that rotates more often than `options` allow.
pub(super) fn require_rotation(rotation: &Rotation, options: &KeyOptions, now: i64) -> Result<(), Error> {
    let minimum = options.minimum_rotation_interval;
    match (rotation, shortest(rotation, now)) {
        (_, None) => Err(Error::invalid(
            "key.rotation.cron",
            "no five fields of cron (minute, hour, day of month, month, day of week) that ever come true",
        )),
        (Rotation::Cron(_), Some(shortest)) if shortest < minimum => Err(Error::invalid(
            "key.rotation.cron",
            format!("it rotates within {}; this service allows it every {}", spelt(shortest), spelt(minimum)),
        )),
        (Rotation::Every(_), Some(interval)) if !(minimum..=KeyOptions::MAXIMUM_INTERVAL).contains(&interval) => {
            Err(Error::invalid("key.rotation.interval", format!("{} expected, at most 10 years", at_least(minimum))))
        }
        _ => Ok(()),
    }
}

fn at_least(minimum: Duration) -> String {
    format!("at least {}", spelt(minimum))
}

/// Refuses an overlap of more than ten years.
pub(super) fn require_overlap(overlap: Option<Duration>) -> Result<(), Error> {
    if overlap.is_some_and(|overlap| overlap > KeyOptions::MAXIMUM_INTERVAL) {
        return Err(Error::invalid("key.overlap", "at most 10 years; absent: until someone deactivates the version"));
    }
    Ok(())
}

/// Refuses a pool that is too large.
pub(super) fn require_pool(size: u32) -> Result<(), Error> {
    if size > MAXIMUM_POOL {
        return Err(Error::invalid("key.pool_size", format!("{size} is not within 0 to {MAXIMUM_POOL}")));
    }
    Ok(())
}

/// Refuses dates that are over, or that leave no time between them. `fields` name them in the request; only dates that
/// the request gives have to be in the future.
pub(super) fn require_dates(
    fields: [&'static str; 2],
    given: [Option<i64>; 2],
    [activate, expire]: [Option<i64>; 2],
    now: i64,
) -> Result<(), Error> {
    for (field, time) in fields.into_iter().zip(given) {
        if let Some(time) = time.filter(|time| *time <= now) {
            return Err(Error::invalid(field, format!("{} is over; a time in the future is expected", written(time))));
        }
    }
    match (activate, expire) {
        (Some(activate), Some(expire)) if expire <= activate => Err(Error::invalid(
            if given[1].is_some() { fields[1] } else { fields[0] },
            format!("it expires at {}, which is not after it is activated, at {}", written(expire), written(activate)),
        )),
        _ => Ok(()),
    }
}

impl Keys {
    /// Refuses terms that a new key can't have.
    pub(super) fn require_terms(&self, new: &NewKey) -> Result<(), Error> {
        let (now, dates) = (now(), [new.activate_time, new.expire_time]);
        if let Some(rotation) = &new.rotation {
            require_rotation(rotation, &self.options, now)?;
        }
        require_overlap(new.overlap)?;
        require_pool(new.pool_size)?;
        require_dates(["activate_time", "expire_time"], dates, dates, now)
    }

    /// Refuses a key of a backup that could not have been made here: who wrote the backup is not always known.
    ///
    /// # Errors
    /// [`Error::Rejected`].
    pub fn require_restorable(&self, key: &Key) -> Result<(), Error> {
        if key.owner.organization() != key.name.organization() {
            return Err(Error::invalid("key.owner", "the owner must be a principal of the key's organization"));
        }
        if let Some(rotation) = &key.rotation {
            require_rotation(rotation, &self.options, now())?;
        }
        require_overlap(key.overlap)?;
        require_pool(key.pool_size)
    }

    /// The labels that a policy reads among those set or removed. Refused by the key's owner: it would choose what it is
    /// permitted.
    pub(super) fn require_settable(
        &self,
        grant: &Grant,
        owner: &PrincipalName,
        before: &BTreeMap<String, String>,
        after: &BTreeMap<String, String>,
    ) -> Result<BTreeSet<String>, Error> {
        let read = self.admission.access().policies().labels_read(owner.organization());
        labels::require_free(&read, &grant.caller().principal().name, owner, before, after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3600;

    fn options(minimum: u64) -> KeyOptions {
        KeyOptions {
            minimum_destruction_wait: Duration::ZERO,
            default_destruction_wait: Duration::ZERO,
            minimum_rotation_interval: Duration::from_secs(minimum),
        }
    }

    #[test]
    fn a_schedule_comes_true_and_not_too_often() {
        let every = |seconds| Rotation::Every(Duration::from_secs(seconds));
        let cron = |text: &str| Rotation::Cron(text.into());
        for (rotation, minimum, allowed) in [
            (every(HOUR), HOUR, true),
            (every(HOUR - 1), HOUR, false),
            (every(0), 1, false),
            (every(1), 1, true),
            (every(3653 * 24 * HOUR), HOUR, true),
            (every(3653 * 24 * HOUR + 1), HOUR, false),
            (every(u64::MAX), HOUR, false),
            (cron("0 3 * * *"), HOUR, true),
            (cron("0 * * * *"), HOUR, true),
            (cron("0,30 * * * *"), HOUR, false),
            (cron("0,30 3 1 1 *"), HOUR, false),
            (cron("* * * * *"), HOUR, false),
            (cron("* * * * *"), 1, true),
            (cron("0 3 * * *"), 25 * HOUR, false),
            (cron("0 0 29 2 *"), HOUR, true),
            (cron("0 0 30 2 *"), HOUR, false),
            (cron("0 3 * *"), HOUR, false),
            (cron("0 0 3 * * *"), HOUR, false),
            (cron("61 3 * * *"), HOUR, false),
            (cron("@daily"), HOUR, false),
            (cron(""), HOUR, false),
        ] {
            let result = require_rotation(&rotation, &options(minimum), 1_000_000_000);
            assert_eq!(result.is_ok(), allowed, "{rotation:?}, {minimum} s: {result:?}");
        }
    }

    #[test]
    fn dates_are_in_the_future_and_in_order() {
        let check = |given: [Option<i64>; 2], then| require_dates(["a", "e"], given, then, 100);
        let both = |activate, expire| [activate, expire];
        for (given, then, field) in [
            (both(None, None), both(None, None), None),
            (both(Some(101), Some(102)), both(Some(101), Some(102)), None),
            (both(Some(100), None), both(Some(100), None), Some("a")),
            (both(None, Some(99)), both(None, Some(99)), Some("e")),
            (both(Some(200), Some(200)), both(Some(200), Some(200)), Some("e")),
            // One of the two stays as it was.
            (both(None, Some(150)), both(Some(200), Some(150)), Some("e")),
            (both(Some(200), None), both(Some(200), Some(150)), Some("a")),
            (both(None, Some(150)), both(Some(50), Some(150)), None),
        ] {
            match (check(given, then), field) {
                (Ok(()), None) => {}
                (Err(Error::Rejected { field, .. }), Some(expected)) => assert_eq!(field, expected),
                (result, _) => panic!("{given:?}, {then:?}: {result:?}"),
            }
        }
    }

    #[test]
    fn durations_are_spelt_in_their_largest_unit() {
        for (seconds, expected) in [(0, "0 s"), (59, "59 s"), (120, "2 min"), (HOUR, "1 h"), (30 * 24 * HOUR, "30 d")] {
            assert_eq!(spelt(Duration::from_secs(seconds)), expected);
        }
    }
}
