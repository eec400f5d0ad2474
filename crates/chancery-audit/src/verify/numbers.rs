//! A set of numbers from 1, with the records at which its runs end.
//!
//! **Invariant**: memory grows with the number of holes, not of numbers.
//!
//! **Not here**: what a hole means (`operations`).

use std::collections::BTreeMap;

/// First number of each run, and the rest of it.
#[derive(Clone, Debug)]
pub(super) struct Numbers<P>(BTreeMap<u64, Run<P>>);

#[derive(Clone, Copy, Debug)]
struct Run<P> {
    last: u64,
    /// Where the first number and the last one stand.
    at: (P, P),
}

/// Numbers that are not in the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gap<P> {
    pub(super) first: u64,
    pub(super) last: u64,
    /// Where the number before stands; `None` before number 1.
    pub(super) before: Option<P>,
    /// Where the number after stands; `None` at the end.
    pub(super) after: Option<P>,
}

impl<P> Default for Numbers<P> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<P: Copy> Numbers<P> {
    /// Enters a number that stands at `place`; false if it was there.
    pub(super) fn insert(&mut self, number: u64, place: P) -> bool {
        let before = self.0.range(..=number).next_back().map(|(first, run)| (*first, *run));
        if before.is_some_and(|(_, run)| run.last >= number) {
            return false;
        }
        let (first, begins) = match before {
            Some((first, run)) if run.last + 1 == number => (first, run.at.0),
            _ => (number, place),
        };
        let after = number.checked_add(1).and_then(|next| self.0.remove(&next));
        let (last, ends) = after.map_or((number, place), |run| (run.last, run.at.1));
        self.0.insert(first, Run { last, at: (begins, ends) });
        true
    }

    /// The largest; 0 in an empty set.
    pub(super) fn highest(&self) -> u64 {
        self.0.last_key_value().map_or(0, |(_, run)| run.last)
    }

    /// The numbers from 1 to `end` that are not in it, in order.
    pub(super) fn gaps(&self, end: u64) -> Vec<Gap<P>> {
        let mut gaps = Vec::new();
        let (mut expected, mut before) = (Some(1), None);
        for (first, run) in &self.0 {
            if let Some(missing) = expected.filter(|missing| missing < first) {
                gaps.push(Gap { first: missing, last: first - 1, before, after: Some(run.at.0) });
            }
            (expected, before) = (run.last.checked_add(1), Some(run.at.1));
        }
        if let Some(first) = expected.filter(|first| *first <= end) {
            gaps.push(Gap { first, last: end, before, after: None });
        }
        gaps
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_a_plain_set(entered in proptest::collection::vec(1_u64..40, 0..60), end in 0_u64..45) {
            let (mut numbers, mut plain) = (Numbers::default(), BTreeSet::new());
            for number in entered {
                prop_assert_eq!(numbers.insert(number, number), plain.insert(number));
            }
            let highest = plain.last().copied().unwrap_or(0);
            prop_assert_eq!(numbers.highest(), highest);
            let gaps = numbers.gaps(end);
            let missing: Vec<u64> = gaps.iter().flat_map(|gap| gap.first..=gap.last).collect();
            let expected: Vec<u64> = (1..=end.max(highest)).filter(|number| !plain.contains(number)).collect();
            prop_assert_eq!(missing, expected);
            for gap in gaps {
                // Every number stands at the place of its own value.
                prop_assert_eq!(gap.before, Some(gap.first - 1).filter(|before| *before > 0));
                prop_assert_eq!(gap.after, Some(gap.last + 1).filter(|after| plain.contains(after)));
            }
            let runs = plain.iter().filter(|n| !plain.contains(&(*n - 1))).count();
            prop_assert_eq!(numbers.0.len(), runs);
        }
    }

    #[test]
    fn the_largest_number_is_like_any_other() {
        let mut numbers = Numbers::default();
        assert!(numbers.insert(u64::MAX, ()));
        assert!(!numbers.insert(u64::MAX, ()));
        assert_eq!(numbers.gaps(u64::MAX), [Gap { first: 1, last: u64::MAX - 1, before: None, after: Some(()) }]);
        assert!(numbers.insert(u64::MAX - 1, ()));
        assert_eq!(numbers.0.len(), 1);
    }
}
