//! Requests that were in flight when the enclave ended.
//!
//! **Invariant**: a request id in flight at two ends is not sent to the enclave again: it may be what ends it.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
};

/// Ids remembered at most; the oldest are forgotten first.
const CAPACITY: usize = 65_536;
/// Ends after which an id is quarantined.
const LIMIT: u32 = 2;

/// See the module.
#[derive(Default)]
pub(super) struct Quarantine {
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    ends: HashMap<String, u32>,
    order: VecDeque<String>,
}

impl Quarantine {
    /// Counts an end against each of `requests`.
    pub(super) fn add(&self, requests: Vec<String>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for id in requests {
            let ends = seen.ends.entry(id.clone()).or_insert(0);
            *ends += 1;
            if *ends == 1 {
                seen.order.push_back(id);
            }
        }
        while seen.order.len() > CAPACITY {
            if let Some(oldest) = seen.order.pop_front() {
                seen.ends.remove(&oldest);
            }
        }
    }

    /// Whether the request must not be sent again.
    pub(super) fn holds(&self, request: &str) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.ends.get(request).is_some_and(|ends| *ends >= LIMIT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_end_quarantines() {
        let quarantine = Quarantine::default();
        quarantine.add(vec!["a".into(), "b".into()]);
        assert!(!quarantine.holds("a"));
        quarantine.add(vec!["a".into()]);
        assert!(quarantine.holds("a") && !quarantine.holds("b") && !quarantine.holds("c"));
    }

    #[test]
    fn memory_is_bounded() {
        let quarantine = Quarantine::default();
        quarantine.add((0..CAPACITY + 10).map(|n| n.to_string()).collect());
        let seen = quarantine.seen.lock().unwrap();
        assert_eq!((seen.ends.len(), seen.order.len()), (CAPACITY, CAPACITY));
    }
}
