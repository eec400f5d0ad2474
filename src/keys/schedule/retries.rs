//! When what failed is tried again, and what the operator is told of it.
//!
//! **Invariant**: a failure is told when it begins, when its reason changes, and when it is over; not each time.

use super::agenda::{Item, Work};
use crate::error::Error;
use std::collections::HashMap;

/// Tries again after so many seconds: 1, 2, 4, … at most as many.
const LONGEST_PAUSE: i64 = 64;
/// What leaves records behind each time is tried less often in the end.
const LONGEST_RECORDED_PAUSE: i64 = 4096;

/// See the module.
#[derive(Default)]
pub(super) struct Retries(HashMap<Item, Failing>);

struct Failing {
    times: u32,
    reason: &'static str,
}

impl Retries {
    /// Notes a failure; after how many seconds to try again.
    pub(super) fn failed(&mut self, item: &Item, error: &Error) -> i64 {
        let failing = self.0.entry(item.clone()).or_insert(Failing { times: 0, reason: "" });
        if failing.reason != error.reason() {
            tracing::warn!(key = %item.key, work = %item.work, %error, "what a key's schedule says can't be done; trying again");
            failing.reason = error.reason();
        }
        let longest = match item.work {
            Work::Rotate | Work::Fill => LONGEST_RECORDED_PAUSE,
            Work::Expire(_) | Work::Activate(_) | Work::Destroy(_) | Work::Collect => LONGEST_PAUSE,
        };
        let pause = 1i64.checked_shl(failing.times.min(32)).unwrap_or(longest).min(longest);
        failing.times = failing.times.saturating_add(1);
        pause
    }

    /// Notes that it does not fail any more.
    pub(super) fn succeeded(&mut self, item: &Item) {
        if self.0.remove(item).is_some() {
            tracing::info!(key = %item.key, work = %item.work, "what a key's schedule says does not fail any more");
        }
    }
}
