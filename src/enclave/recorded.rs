//! Which operations of one enclave process stand in the log.
//!
//! **Invariant**: all operations up to [`Recorded::up_to`] have a durable record.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    up_to: AtomicU64,
    /// Beyond it, after one without a record: no more than the enclave does unstated.
    beyond: Mutex<BTreeSet<u64>>,
}

impl Recorded {
    /// The record of this operation is durable.
    pub(super) fn enter(&self, number: u64) {
        let mut beyond = self.beyond.lock().unwrap_or_else(PoisonError::into_inner);
        let mut up_to = self.up_to();
        if number != up_to + 1 {
            beyond.insert(number);
            return;
        }
        up_to = number;
        while beyond.remove(&(up_to + 1)) {
            up_to += 1;
        }
        self.up_to.store(up_to, Ordering::Release);
    }

    /// Every operation up to this one has its record.
    pub(super) fn up_to(&self) -> u64 {
        self.up_to.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_count_up_to_the_first_operation_that_has_none() {
        let recorded = Recorded::default();
        for (number, up_to) in [(1, 1), (3, 1), (5, 1), (4, 1), (2, 5), (7, 5), (6, 7)] {
            recorded.enter(number);
            assert_eq!(recorded.up_to(), up_to, "after {number}");
        }
    }
}
