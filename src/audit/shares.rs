//! How much of the log each organization's records took today.
//!
//! **Invariants**: a day is UTC's. What was taken is never forgotten before the day is over, not even when the service
//! starts anew: it is read from the log.
//!
//! **Not here**: how much it may take (`admission`, `limits`).

use chancery_audit::record::{Kind, Record};
use prost::Message;
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Nanoseconds of a day.
const DAY: i64 = 86_400_000_000_000;

/// The day of a time in nanoseconds since the Unix epoch: days since that, UTC.
pub fn day(nanos: i64) -> i64 {
    nanos.div_euclid(DAY)
}

/// How long it is from then to the next day.
pub fn until_next_day(nanos: i64) -> std::time::Duration {
    std::time::Duration::from_nanos((DAY - nanos.rem_euclid(DAY)).unsigned_abs())
}

/// What an organization's records took in a day, in bytes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// All of them.
    pub all: u64,
    /// Denials and counts.
    pub denials: u64,
}

/// See the module. The empty name stands for strangers.
#[derive(Default)]
pub struct Shares(Mutex<Today>);

#[derive(Default)]
struct Today {
    day: i64,
    taken: HashMap<String, Taken>,
}

/// Whose share a record is taken from; `None`: the service's own.
fn organization(record: &Record) -> Option<&str> {
    match (&record.count, &record.principal) {
        (Some(count), _) => Some(&count.organization),
        (None, Some(principal)) => Some(&principal.organization),
        (None, None) => None,
    }
}

impl Shares {
    fn lock(&self) -> MutexGuard<'_, Today> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in a record of the log's past.
    pub fn remember(&self, record: &Record) {
        self.lock().add(record, || record.encoded_len());
    }

    /// Takes in records that were just written, with their lengths.
    pub(super) fn add<'r>(&self, records: impl Iterator<Item = (&'r Record, usize)>) {
        let mut today = self.lock();
        records.for_each(|(record, length)| today.add(record, || length));
    }

    /// What an organization has taken on the day of `now`, nanoseconds since the Unix epoch.
    pub fn taken(&self, organization: &str, now: i64) -> Taken {
        let today = self.lock();
        // By a clock that was set back, the day is not over.
        if day(now) > today.day { Taken::default() } else { today.taken.get(organization).copied().unwrap_or_default() }
    }
}

impl Today {
    fn add(&mut self, record: &Record, length: impl FnOnce() -> usize) {
        let day = day(record.time_unix_nanos);
        if day > self.day {
            self.day = day;
            self.taken.clear();
        }
        let Some(organization) = organization(record) else { return };
        let length = u64::try_from(length()).unwrap_or(u64::MAX);
        let taken = match self.taken.get_mut(organization) {
            Some(taken) => taken,
            None => self.taken.entry(organization.to_owned()).or_default(),
        };
        taken.all = taken.all.saturating_add(length);
        if matches!(record.kind(), Kind::Denial | Kind::Count) {
            taken.denials = taken.denials.saturating_add(length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_audit::record::{Count, Principal};

    fn record(kind: Kind, organization: &str, time_unix_nanos: i64) -> Record {
        let principal = Some(Principal { organization: organization.into(), ..Principal::default() });
        Record { kind: kind.into(), principal, time_unix_nanos, ..Record::default() }
    }

    #[test]
    fn each_organization_takes_its_own_and_a_day_ends_it() {
        let shares = Shares::default();
        let (monday, tuesday) = (4 * DAY, 5 * DAY);
        let counted = Count { organization: "org2".into(), ..Count::default() };
        let count =
            Record { count: Some(counted), kind: Kind::Count.into(), time_unix_nanos: monday, ..Record::default() };
        let records = [record(Kind::Denial, "org2", monday), record(Kind::Outcome, "org2", monday), count];
        shares.add(records.iter().zip([100, 1_000, 10]));
        assert_eq!(shares.taken("org2", monday + DAY - 1), Taken { all: 1_110, denials: 110 });
        assert_eq!(shares.taken("org1", monday), Taken::default());
        assert_eq!(shares.taken("org2", tuesday), Taken::default(), "the day is over");
        assert_eq!(
            shares.taken("org2", monday - DAY),
            Taken { all: 1_110, denials: 110 },
            "a clock set back gains nothing"
        );
        shares.add([record(Kind::Denial, "org2", tuesday)].iter().zip([7]));
        assert_eq!(shares.taken("org2", tuesday), Taken { all: 7, denials: 7 });
    }

    #[test]
    fn what_the_log_holds_counts_as_if_it_had_just_been_written() {
        let (read, written) = (Shares::default(), Shares::default());
        let records = [record(Kind::Denial, "org2", 9 * DAY), record(Kind::Outcome, "", 9 * DAY)];
        records.iter().for_each(|record| read.remember(record));
        written.add(records.iter().map(|record| (record, record.encode_to_vec().len())));
        for name in ["org2", ""] {
            assert_eq!(read.taken(name, 9 * DAY), written.taken(name, 9 * DAY));
            assert!(read.taken(name, 9 * DAY).all > 0);
        }
    }

    #[test]
    fn the_next_day_begins_at_midnight() {
        assert_eq!((day(0), day(-1), day(DAY)), (0, -1, 1));
        assert_eq!(until_next_day(DAY).as_secs(), 86_400);
        assert_eq!(until_next_day(DAY - 1).as_nanos(), 1);
    }
}
