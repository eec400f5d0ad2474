//! Which operations of each enclave process the log has shown.
//!
//! **Invariants**
//! * An operation number enters once per incarnation.
//! * Memory grows with the number of holes, not of operations: numbers are kept as ranges.
//!
//! **Not here**: the enclave's signed statements, which say how many operations there were.

use std::collections::{BTreeMap, HashMap};

/// Operation numbers by enclave incarnation.
#[derive(Clone, Debug, Default)]
pub(super) struct Operations {
    by_incarnation: HashMap<[u8; 16], Ranges>,
}

impl Operations {
    /// Enters an operation; false if it was there.
    pub(super) fn enter(&mut self, incarnation: [u8; 16], operation: u64) -> bool {
        self.by_incarnation.entry(incarnation).or_default().insert(operation)
    }

    pub(super) fn incarnations(&self) -> u64 {
        self.by_incarnation.len() as u64
    }

    /// How many numbers from 1 to each incarnation's highest are missing.
    pub(super) fn holes(&self) -> u64 {
        self.by_incarnation.values().fold(0, |sum, ranges| sum.saturating_add(ranges.holes()))
    }
}

/// A set of numbers from 1, as first → last of each run.
#[derive(Clone, Debug, Default)]
struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    fn insert(&mut self, number: u64) -> bool {
        let before = self.0.range(..=number).next_back().map(|(first, last)| (*first, *last));
        if before.is_some_and(|(_, last)| last >= number) {
            return false;
        }
        let first = match before {
            Some((first, last)) if last + 1 == number => first,
            _ => number,
        };
        let last = number.checked_add(1).and_then(|next| self.0.remove(&next)).unwrap_or(number);
        self.0.insert(first, last);
        true
    }

    fn holes(&self) -> u64 {
        let mut expected = 1;
        let mut holes = 0_u64;
        for (first, last) in &self.0 {
            holes = holes.saturating_add(first - expected);
            expected = last.saturating_add(1);
        }
        holes
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_a_plain_set(numbers in proptest::collection::vec(1_u64..40, 0..60)) {
            let (mut ranges, mut plain) = (Ranges::default(), BTreeSet::new());
            for number in numbers {
                prop_assert_eq!(ranges.insert(number), plain.insert(number));
            }
            let highest = plain.last().copied().unwrap_or(0);
            prop_assert_eq!(ranges.holes(), highest - plain.len() as u64);
            let runs = plain.iter().filter(|n| !plain.contains(&(*n - 1))).count();
            prop_assert_eq!(ranges.0.len(), runs);
        }
    }

    #[test]
    fn the_largest_number_is_like_any_other() {
        let mut ranges = Ranges::default();
        assert!(ranges.insert(u64::MAX));
        assert!(!ranges.insert(u64::MAX));
        assert_eq!(ranges.holes(), u64::MAX - 1);
        assert!(ranges.insert(u64::MAX - 1));
        assert_eq!(ranges.0.len(), 1);
    }
}
