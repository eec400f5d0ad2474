//! Denials, rejections and failed handshakes beyond a caller's budget: counted, and recorded once a second.
//!
//! **Invariants**: one organization's flood costs another nothing: budgets, counts and shares of the log are kept apart.
//! A second's counts of one organization make at most [`ROWS`] records and one; denials and counts of one organization
//! take no more of the log in a day than its share. What is not recorded is counted to the last. Refusals beyond an
//! organization's budget are told one after another, at a pace that leaves the service to others.

use crate::{
    access::now,
    audit::{AuditLog, Draft, Shares},
};
use chancery_audit::record::Count;
use governor::{Quota, RateLimiter, clock::DefaultClock, state::keyed::HashMapStateStore};
use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Count records of one organization in a second at most; what is more is summed up in one of [`SEVERAL`].
const ROWS: usize = 16;
/// The reason of a sum of several counts of an organization.
const SEVERAL: &str = "SEVERAL";
/// An organization has the budgets of so many principals.
const PRINCIPALS: u32 = 8;
/// How often an organization is counted, in one sum, once its share of the log is nearly used up.
const SELDOM: Duration = Duration::from_secs(120);

/// Refusals beyond an organization's budget are told so far apart.
const PACE: Duration = Duration::from_millis(5);
/// Nobody waits longer than that to be refused.
const LONGEST: Duration = Duration::from_secs(2);

type Limiter<K> = RateLimiter<K, HashMapStateStore<K>, DefaultClock>;
/// An organization's counts, by principal and reason.
type Rows = HashMap<(String, &'static str), u64>;

/// See the module.
pub struct Floods {
    principals: Limiter<(String, String)>,
    organizations: Limiter<String>,
    counts: Mutex<HashMap<String, Rows>>,
    /// When each organization's next refusal beyond its budget may be told, for those with any.
    paces: Mutex<HashMap<String, Instant>>,
    shares: Arc<Shares>,
    /// Bytes of the log that an organization's denials and counts may take in a day.
    share: Option<u64>,
    /// When the counts of those whose share is nearly used up were recorded.
    seldom: Mutex<Option<Instant>>,
}

/// How an organization's denials and counts are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Room {
    /// One by one, within the budgets.
    Ample,
    /// Counted each second: half of its share is used.
    Scarce,
    /// Counted seldom, in one sum: seven eighths of it are.
    Gone,
}

impl Floods {
    /// With a budget of so many records a second for each principal, and so many bytes of the log a day for each
    /// organization.
    pub fn new(per_second: u32, shares: Arc<Shares>, share: Option<u64>) -> Self {
        let per_second = NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN);
        let organization = per_second.saturating_mul(NonZeroU32::new(PRINCIPALS).unwrap_or(NonZeroU32::MIN));
        Self {
            principals: RateLimiter::hashmap(Quota::per_second(per_second)),
            organizations: RateLimiter::hashmap(Quota::per_second(organization)),
            counts: Mutex::default(),
            paces: Mutex::default(),
            shares,
            share,
            seldom: Mutex::default(),
        }
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<String, Rows>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn room(&self, organization: &str) -> Room {
        let Some(share) = self.share else { return Room::Ample };
        let taken = self.shares.taken(organization, now()).denials;
        match share {
            _ if taken < share / 2 => Room::Ample,
            _ if taken < share / 8 * 7 => Room::Scarce,
            _ => Room::Gone,
        }
    }

    /// Whether a denial or the like may have a record of its own; if not, it is counted. Empty names stand for strangers.
    pub fn may_record(&self, organization: &str, principal: &str, reason: &'static str) -> bool {
        if self.room(organization) == Room::Ample {
            return self.within_budget(organization, principal, reason);
        }
        self.count(organization, principal, reason);
        false
    }

    /// Whether something else that is recorded may happen, however much of the log was taken; if not, it is counted.
    pub fn within_budget(&self, organization: &str, principal: &str, reason: &'static str) -> bool {
        let key = (organization.to_owned(), principal.to_owned());
        let within = self.principals.check_key(&key).is_ok() && self.organizations.check_key(&key.0).is_ok();
        if !within {
            self.count(organization, principal, reason);
        }
        within
    }

    /// Waits until an organization may be told of one more refusal beyond its budget.
    pub async fn pace(&self, organization: &str) {
        let wait = self.book(organization, Instant::now());
        tokio::time::sleep(wait).await;
    }

    /// Books an organization's next refusal; how long it is until then.
    fn book(&self, organization: &str, now: Instant) -> Duration {
        let mut paces = self.paces.lock().unwrap_or_else(PoisonError::into_inner);
        let next = paces.entry(organization.to_owned()).or_insert(now);
        let at = (*next).max(now);
        *next = (at + PACE).min(now + LONGEST);
        at - now
    }

    /// Counts an event that has no record of its own.
    pub fn count(&self, organization: &str, principal: &str, reason: &'static str) {
        let mut counts = self.counts();
        let rows = counts.entry(organization.to_owned()).or_default();
        let mut row = (principal.to_owned(), reason);
        if rows.len() >= ROWS && !rows.contains_key(&row) {
            row = (String::new(), SEVERAL);
        }
        *rows.entry(row).or_insert(0) += 1;
    }

    /// Records the counts so far, but for those that wait because their organization's share of the log is scarce.
    pub async fn flush(&self, audit: &AuditLog) {
        for count in self.due() {
            let (reason, events) = (count.reason.clone(), count.events);
            if let Err(error) = audit.append(Draft::count(count)).await {
                tracing::error!(%error, reason, events, "a count of events could not be recorded");
            }
        }
        self.principals.retain_recent();
        self.organizations.retain_recent();
        let now = Instant::now();
        self.paces.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, next| *next > now);
    }

    /// Records all counts: the service stops.
    pub async fn flush_all(&self, audit: &AuditLog) {
        *self.seldom.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.flush(audit).await;
    }

    /// Takes out the counts that are to be recorded now.
    fn due(&self) -> Vec<Count> {
        let mut seldom = self.seldom.lock().unwrap_or_else(PoisonError::into_inner);
        let also_seldom = seldom.is_none_or(|last| last.elapsed() >= SELDOM);
        let mut due = Vec::new();
        let mut waited = false;
        self.counts().retain(|organization, rows| {
            let count = |(principal, reason): (String, &str), events| Count {
                organization: organization.clone(),
                principal,
                reason: reason.into(),
                events,
            };
            match self.room(organization) {
                Room::Gone if !also_seldom => return true,
                Room::Gone => {
                    waited = true;
                    due.push(count((String::new(), SEVERAL), rows.values().sum()));
                }
                Room::Ample | Room::Scarce => due.extend(rows.drain().map(|(row, events)| count(row, events))),
            }
            false
        });
        if waited {
            *seldom = Some(Instant::now());
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_audit::record::{Kind, Principal, Record};

    fn floods(per_second: u32, share: Option<u64>) -> Floods {
        Floods::new(per_second, Arc::default(), share)
    }

    /// Lets an organization's denials take so many bytes of the log, about.
    fn take(floods: &Floods, organization: &str, bytes: usize) {
        let principal =
            Principal { organization: organization.into(), name: "n".repeat(bytes), ..Principal::default() };
        let (kind, time_unix_nanos) = (Kind::Denial.into(), now());
        floods.shares.remember(&Record { kind, principal: Some(principal), time_unix_nanos, ..Record::default() });
    }

    #[test]
    fn a_flood_is_counted_and_leaves_others_their_budget() {
        let floods = floods(5, None);
        let recorded = (0..100).filter(|_| floods.may_record("org2", "eve", "DENIED")).count();
        // The bucket may gain a drop while the test runs.
        assert!((5..10).contains(&recorded), "{recorded}");
        assert!(floods.may_record("org1", "peer0", "DENIED"));
        assert!(floods.may_record("org2", "peer0", "DENIED"), "the organization's budget is not one principal's");
        let counts = floods.counts();
        assert_eq!(counts["org2"][&("eve".into(), "DENIED")], 100 - recorded as u64);
    }

    #[test]
    fn whoever_floods_is_refused_at_a_pace_and_nobody_else_waits() {
        let (floods, now) = (floods(1, None), Instant::now());
        let waits: Vec<_> = (0..3_000).map(|_| floods.book("org2", now)).collect();
        assert_eq!((waits[0], waits[1], waits[300]), (Duration::ZERO, PACE, 300 * PACE));
        assert_eq!(waits[2_999], LONGEST, "callers that gave up are not waited for for ever");
        assert_eq!(floods.book("org1", now), Duration::ZERO);
        assert_eq!(floods.book("org2", now + 2 * LONGEST), Duration::ZERO, "it has stopped");
    }

    #[test]
    fn a_second_makes_a_bounded_number_of_records_for_each_organization() {
        let floods = floods(1, None);
        for n in 0..100 * ROWS {
            floods.count("org2", &n.to_string(), "DENIED");
        }
        floods.count("org1", "peer0", "DENIED");
        let due = floods.due();
        let of = |organization: &str| due.iter().filter(|count| count.organization == organization).collect::<Vec<_>>();
        assert_eq!(of("org2").len(), ROWS + 1);
        assert_eq!(of("org2").iter().map(|count| count.events).sum::<u64>(), 100 * ROWS as u64);
        assert_eq!(of("org1").len(), 1, "another's counts keep their names");
        assert_eq!(of("org1")[0].principal, "peer0");
        assert!(floods.due().is_empty());
    }

    #[test]
    fn beyond_half_its_share_an_organization_is_only_counted() {
        let floods = floods(1_000, Some(80_000));
        assert!(floods.may_record("org2", "eve", "DENIED"));
        take(&floods, "org2", 41_000);
        assert!(!floods.may_record("org2", "eve", "DENIED"));
        assert!(floods.may_record("org1", "peer0", "DENIED"), "another's share is untouched");
        assert_eq!(floods.due().len(), 1, "each second");
        take(&floods, "org2", 30_000);
        for _ in 0..3 {
            floods.count("org2", "eve", "DENIED");
            floods.count("org2", "mallory", "DENIED");
            floods.count("org1", "peer0", "DENIED");
        }
        let due = floods.due();
        let sum = due.iter().find(|count| count.organization == "org2").unwrap();
        assert_eq!((due.len(), sum.reason.as_str(), sum.events), (2, SEVERAL, 6), "in one sum");
        floods.count("org2", "eve", "DENIED");
        floods.count("org1", "peer0", "DENIED");
        let due = floods.due();
        assert_eq!((due.len(), due[0].organization.as_str()), (1, "org1"), "and then seldom");
        assert_eq!(floods.counts()["org2"].values().sum::<u64>(), 1, "nothing is lost");
    }
}
