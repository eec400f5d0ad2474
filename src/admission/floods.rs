//! Denials, rejections and failed handshakes beyond a caller's budget: counted, and recorded once a second.
//!
//! **Invariant**: one organization's flood costs another nothing: budgets and counts are kept apart, and a second's
//! counts make at most [`ROWS`] records.

use crate::audit::{AuditLog, Draft};
use chancery_audit::record::Count;
use governor::{Quota, RateLimiter, clock::DefaultClock, state::keyed::HashMapStateStore};
use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Mutex, PoisonError},
};

/// Count records a second at most; what is more is summed up under no name.
const ROWS: usize = 256;
/// An organization has the budgets of so many principals.
const PRINCIPALS: u32 = 8;

type Limiter<K> = RateLimiter<K, HashMapStateStore<K>, DefaultClock>;
type Row = (String, String, &'static str);

/// See the module.
pub struct Floods {
    principals: Limiter<(String, String)>,
    organizations: Limiter<String>,
    counts: Mutex<HashMap<Row, u64>>,
}

impl Floods {
    /// With a budget of so many records a second for each principal.
    pub fn new(per_second: u32) -> Self {
        let per_second = NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN);
        let organization = per_second.saturating_mul(NonZeroU32::new(PRINCIPALS).unwrap_or(NonZeroU32::MIN));
        Self {
            principals: RateLimiter::hashmap(Quota::per_second(per_second)),
            organizations: RateLimiter::hashmap(Quota::per_second(organization)),
            counts: Mutex::default(),
        }
    }

    /// Whether an event may have a record of its own; if not, it is counted. Empty names stand for strangers.
    pub fn may_record(&self, organization: &str, principal: &str, reason: &'static str) -> bool {
        let key = (organization.to_owned(), principal.to_owned());
        let within = self.principals.check_key(&key).is_ok() && self.organizations.check_key(&key.0).is_ok();
        if !within {
            self.count(organization, principal, reason);
        }
        within
    }

    /// Counts an event that has no record of its own.
    pub fn count(&self, organization: &str, principal: &str, reason: &'static str) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut row = (organization.to_owned(), principal.to_owned(), reason);
        if counts.len() >= ROWS && !counts.contains_key(&row) {
            row = (String::new(), String::new(), reason);
        }
        *counts.entry(row).or_insert(0) += 1;
    }

    /// Records the counts so far.
    pub async fn flush(&self, audit: &AuditLog) {
        let counts = std::mem::take(&mut *self.counts.lock().unwrap_or_else(PoisonError::into_inner));
        for ((organization, principal, reason), events) in counts {
            let count = Count { organization, principal, reason: reason.into(), events };
            if let Err(error) = audit.append(Draft::count(count)).await {
                tracing::error!(%error, reason, events, "a count of events could not be recorded");
            }
        }
        self.principals.retain_recent();
        self.organizations.retain_recent();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_and_leaves_others_their_budget() {
        let floods = Floods::new(5);
        let recorded = (0..100).filter(|_| floods.may_record("org2", "eve", "DENIED")).count();
        // The bucket may gain a drop while the test runs.
        assert!((5..10).contains(&recorded), "{recorded}");
        assert!(floods.may_record("org1", "peer0", "DENIED"));
        assert!(floods.may_record("org2", "peer0", "DENIED"), "the organization's budget is not one principal's");
        let counts = floods.counts.lock().unwrap();
        assert_eq!(counts[&("org2".into(), "eve".into(), "DENIED")], 100 - recorded as u64);
    }

    #[test]
    fn a_second_makes_a_bounded_number_of_records() {
        let floods = Floods::new(1);
        for n in 0..10 * ROWS {
            floods.count("org2", &n.to_string(), "DENIED");
        }
        let counts = floods.counts.lock().unwrap();
        assert!(counts.len() <= ROWS + 1);
        assert_eq!(counts.values().sum::<u64>(), 10 * ROWS as u64);
    }
}
