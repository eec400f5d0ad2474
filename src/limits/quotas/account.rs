//! What one subject has reserved, and of that not used yet.
//!
//! **Invariants**: what was used is what is reserved without what is left, never more than the quota; what is reserved
//! is what the row says that was recorded last. A day begins with what is left of the day before.

use crate::model::{Limit, Usage};

/// Units reserved at a time: a hundredth of the quota, at most so many.
const LARGEST_BLOCK: u64 = 1_000;

/// Which quota is used up, and how much it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spent {
    /// Of the day.
    Day(u64),
    /// In all.
    Total(u64),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Account {
    reserved: Usage,
    left: u64,
}

impl Account {
    /// As the log says: of what is reserved there, nothing is left.
    pub(super) fn new(reserved: Usage) -> Self {
        Self { reserved, left: 0 }
    }

    /// Used in all.
    pub(super) fn used(&self) -> u64 {
        self.reserved.total_reserved.saturating_sub(self.left)
    }

    /// Used on a day.
    pub(super) fn used_on(&self, today: i64) -> u64 {
        if self.is_new(today) { 0 } else { self.reserved.day_reserved.saturating_sub(self.left) }
    }

    /// Whether nothing is reserved for this day. By a clock that was set back, the last day is not over.
    fn is_new(&self, today: i64) -> bool {
        today > self.reserved.day
    }

    /// Whether a unit is at hand; if not, a block is to be reserved first.
    pub(super) fn has_one(&self, limit: &Limit, today: i64) -> Result<bool, Spent> {
        match (limit.total, limit.per_day) {
            (Some(total), _) if self.used() >= total => Err(Spent::Total(total)),
            (_, Some(quota)) if self.used_on(today) >= quota => Err(Spent::Day(quota)),
            _ => Ok(self.left > 0 && !self.is_new(today)),
        }
    }

    /// Uses the unit at hand.
    pub(super) fn spend(&mut self) {
        self.left = self.left.saturating_sub(1);
    }

    /// The row with a block more, for a day.
    pub(super) fn with_block(&self, limit: &Limit, today: i64) -> Usage {
        let (day, begun) = match self.is_new(today) {
            true => (today, self.left),
            false => (self.reserved.day, self.reserved.day_reserved),
        };
        let quotas = [(limit.per_day, begun), (limit.total, self.reserved.total_reserved)];
        let block = (quotas.into_iter())
            .filter_map(|(quota, reserved)| Some((quota?, reserved)))
            .map(|(quota, reserved)| (quota / 100).max(1).min(quota.saturating_sub(reserved)))
            .fold(LARGEST_BLOCK, u64::min);
        Usage {
            subject: self.reserved.subject.clone(),
            day,
            day_reserved: begun.saturating_add(block),
            total_reserved: self.reserved.total_reserved.saturating_add(block),
        }
    }

    /// Takes over a row that is recorded.
    pub(super) fn reserved(&mut self, row: Usage) {
        self.left += row.total_reserved.saturating_sub(self.reserved.total_reserved);
        self.reserved = row;
    }

    /// The row without what is left, if anything is.
    pub(super) fn given_back(&self) -> Option<Usage> {
        let Usage { subject, day, day_reserved, total_reserved } = &self.reserved;
        (self.left > 0).then(|| Usage {
            subject: subject.clone(),
            day: *day,
            day_reserved: day_reserved.saturating_sub(self.left),
            total_reserved: total_reserved.saturating_sub(self.left),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{LimitSubject, OrganizationName};
    use proptest::prelude::*;

    fn subject() -> LimitSubject {
        LimitSubject::Organization(OrganizationName::from_id("org1").unwrap())
    }

    fn limit(per_day: Option<u64>, total: Option<u64>) -> Limit {
        Limit { subject: subject(), per_second: None, per_day, total, keys: None }
    }

    fn nothing() -> Usage {
        Usage { subject: subject(), day: 0, day_reserved: 0, total_reserved: 0 }
    }

    /// An account over a log that holds its rows, as [`super::super::Quotas`] uses it.
    struct Kept {
        account: Account,
        log: Usage,
        rows: usize,
    }

    impl Kept {
        fn new() -> Self {
            Self { account: Account::new(nothing()), log: nothing(), rows: 0 }
        }

        fn take(&mut self, limit: &Limit, today: i64) -> Result<(), Spent> {
            if !self.account.has_one(limit, today)? {
                let row = self.account.with_block(limit, today);
                self.log = row.clone();
                self.rows += 1;
                self.account.reserved(row);
            }
            assert_eq!(self.account.has_one(limit, today), Ok(true), "a block was reserved");
            self.account.spend();
            Ok(())
        }

        fn crash(&mut self) {
            self.account = Account::new(self.log.clone());
        }

        fn stop(&mut self) {
            if let Some(row) = self.account.given_back() {
                self.log = row;
            }
            self.crash();
        }

        /// Takes until it is refused.
        fn exhaust(&mut self, limit: &Limit, today: i64) -> (u64, Spent) {
            for taken in 0.. {
                if let Err(spent) = self.take(limit, today) {
                    return (taken, spent);
                }
            }
            unreachable!()
        }
    }

    #[test]
    fn a_quota_is_used_to_its_last_unit() {
        for quota in [1, 2, 99, 100, 101, 12_345, 250_000] {
            let (total, day) = (limit(None, Some(quota)), limit(Some(quota), None));
            assert_eq!(Kept::new().exhaust(&total, 1), (quota, Spent::Total(quota)));
            let mut daily = Kept::new();
            assert_eq!(daily.exhaust(&day, 1), (quota, Spent::Day(quota)));
            assert_eq!(daily.exhaust(&day, 2), (quota, Spent::Day(quota)), "the next day has as much");
            assert_eq!(daily.take(&day, 1), Err(Spent::Day(quota)), "a clock set back gains nothing");
        }
        assert_eq!(Kept::new().take(&limit(None, Some(0)), 1), Err(Spent::Total(0)));
    }

    #[test]
    fn blocks_are_large_enough_not_to_be_felt() {
        let mut kept = Kept::new();
        kept.exhaust(&limit(None, Some(50_000)), 1);
        assert_eq!(kept.rows, 100);
        let mut large = Kept::new();
        large.exhaust(&limit(Some(500_000), Some(400_000)), 1);
        assert_eq!(large.rows, 400);
    }

    #[test]
    fn a_stop_gives_back_what_a_crash_loses() {
        let quota = limit(None, Some(1_000));
        let [mut stopped, mut crashed] = [Kept::new(), Kept::new()];
        for _ in 0..3 {
            stopped.take(&quota, 1).unwrap();
            crashed.take(&quota, 1).unwrap();
        }
        stopped.stop();
        crashed.crash();
        assert_eq!((stopped.account.used(), crashed.account.used()), (3, 10));
        assert_eq!((stopped.exhaust(&quota, 1).0, crashed.exhaust(&quota, 1).0), (997, 990));
    }

    #[test]
    fn what_is_left_of_a_day_is_not_lost_to_the_total() {
        let quota = limit(Some(200), Some(1_000));
        let mut kept = Kept::new();
        let used: u64 = (1..=10)
            .map(|today| {
                (0..33).for_each(|_| kept.take(&quota, today).unwrap());
                assert_eq!(kept.account.used_on(today), 33);
                33
            })
            .sum();
        assert_eq!(kept.account.used(), used);
        assert_eq!(kept.exhaust(&quota, 11), (200, Spent::Day(200)));
    }

    #[test]
    fn a_lower_quota_holds_at_once() {
        let mut kept = Kept::new();
        (0..95).for_each(|_| kept.take(&limit(None, Some(10_000)), 1).unwrap());
        assert_eq!(kept.take(&limit(None, Some(95)), 1), Err(Spent::Total(95)));
        assert_eq!(kept.exhaust(&limit(None, Some(97)), 1).0, 2);
    }

    #[derive(Debug, Clone)]
    enum Event {
        Take(u16),
        NextDay,
        Crash,
        Stop,
        Quotas(Option<u64>, Option<u64>),
    }

    fn event() -> impl Strategy<Value = Event> {
        let quota = || prop::option::of(0..3_000_u64);
        prop_oneof![
            8 => (1..400_u16).prop_map(Event::Take),
            2 => Just(Event::NextDay),
            2 => Just(Event::Crash),
            1 => Just(Event::Stop),
            1 => (quota(), quota()).prop_map(|(day, total)| Event::Quotas(day, total)),
        ]
    }

    proptest! {
        /// Whatever happens and in whatever order: what was let through on a day and in all is never more than the largest
        /// quota that was in force, and each use was reserved in the log before.
        #[test]
        fn crashes_never_gain_anything(
            day in 1..3_000_u64, total in 1..3_000_u64, events in prop::collection::vec(event(), 1..60)
        ) {
            let mut kept = Kept::new();
            let mut quotas = limit(Some(day), Some(total));
            let (mut today, mut used_today, mut used) = (1, 0, 0);
            for event in events {
                match event {
                    Event::Take(times) => for _ in 0..times {
                        if quotas.per_day.is_none() && quotas.total.is_none() {
                            break;
                        }
                        if kept.take(&quotas, today).is_err() {
                            break;
                        }
                        (used_today, used) = (used_today + 1, used + 1);
                        prop_assert!(quotas.total.is_none_or(|quota| used <= quota), "{used} in all");
                        prop_assert!(quotas.per_day.is_none_or(|quota| used_today <= quota), "{used_today} today");
                        prop_assert!(kept.log.total_reserved >= used && kept.log.day_reserved >= used_today);
                    },
                    Event::NextDay => (today, used_today) = (today + 1, 0),
                    Event::Crash => kept.crash(),
                    Event::Stop => kept.stop(),
                    Event::Quotas(per_day, total) => quotas = limit(per_day, total),
                }
            }
        }
    }
}
