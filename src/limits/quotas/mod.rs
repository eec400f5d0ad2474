//! Uses of keys in a day and in all.
//!
//! **Invariants**: units are reserved in blocks; a block's row is in the log before the first of its units is used. So a
//! crash may lose the rest of a block and never gives one back: uses in all never exceed the quota. A use takes a unit
//! from every quota that it falls under, or none. Units are handed out in memory.
//!
//! **Not here**: how blocks are counted ([`Account`]).

mod account;

use super::Uses;
use crate::{
    access::now,
    audit::{Draft, day, until_next_day},
    changes::Changes,
    error::Error,
    model::{Limit, LimitSubject, Usage},
    store::Row,
};
use account::{Account, Spent};
use chancery_api::reasons;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Rows in one record at most.
const ROWS: usize = 100;

/// See the module.
pub(super) struct Quotas {
    changes: Arc<Changes>,
    accounts: Mutex<Accounts>,
    /// Held while a block is reserved.
    reserving: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Accounts {
    by_subject: HashMap<LimitSubject, Account>,
    /// The service is stopping.
    closed: bool,
}

impl Accounts {
    /// A subject's account; the first time, as the log says.
    fn of(&mut self, subject: &LimitSubject, durable: impl FnOnce() -> Option<Usage>) -> &mut Account {
        let opened = || Account::new(durable().unwrap_or_else(|| none(subject)));
        self.by_subject.entry(subject.clone()).or_insert_with(opened)
    }
}

fn none(subject: &LimitSubject) -> Usage {
    Usage { subject: subject.clone(), day: 0, day_reserved: 0, total_reserved: 0 }
}

fn exhausted(limit: &Limit, spent: Spent, now: i64) -> Error {
    let subject = &limit.subject;
    let (message, retry_after) = match spent {
        Spent::Day(quota) => (
            format!(
                "{subject} has used its {quota} uses of keys for today; wait for midnight (UTC), or have a security \
                 officer raise the quota"
            ),
            Some(until_next_day(now)),
        ),
        Spent::Total(quota) => {
            (format!("{subject} has used its {quota} uses of keys; a security officer can raise the quota"), None)
        }
    };
    Error::Exhausted { reason: reasons::QUOTA_EXHAUSTED, message, retry_after }
}

impl Quotas {
    pub(super) fn new(changes: Arc<Changes>) -> Self {
        Self { changes, accounts: Mutex::default(), reserving: tokio::sync::Mutex::default() }
    }

    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A unit of each of these, or of none.
    pub(super) async fn take(self: &Arc<Self>, subjects: &[LimitSubject]) -> Result<(), Error> {
        let directory = self.changes.directory();
        let limits: Vec<_> = (subjects.iter())
            .filter_map(|subject| directory.limit(subject))
            .filter(|limit| limit.per_day.is_some() || limit.total.is_some())
            .collect();
        while let Some(lacking) = self.try_take(&limits, now())? {
            let (quotas, limit) = (Arc::clone(self), lacking.clone());
            // To its end, even if the caller hangs up: a row that is recorded is in force.
            tokio::spawn(async move { quotas.reserve(&limit).await }).await.map_err(|_| Error::stopped())??;
        }
        Ok(())
    }

    /// Takes a unit of each, or names one that must be reserved first.
    fn try_take<'l>(&self, limits: &'l [Limit], now: i64) -> Result<Option<&'l Limit>, Error> {
        if limits.is_empty() {
            return Ok(None);
        }
        let mut accounts = self.accounts();
        if accounts.closed {
            return Err(Error::stopped());
        }
        let mut lacking = None;
        for limit in limits {
            let account = accounts.of(&limit.subject, || self.changes.directory().usage(&limit.subject));
            let has_one = account.has_one(limit, day(now)).map_err(|spent| exhausted(limit, spent, now))?;
            if !has_one {
                lacking = Some(limit);
            }
        }
        if lacking.is_none() {
            for limit in limits {
                accounts.by_subject.get_mut(&limit.subject).map(Account::spend);
            }
        }
        Ok(lacking)
    }

    /// Reserves a block, if there is none yet.
    async fn reserve(&self, limit: &Limit) -> Result<(), Error> {
        let _one = self.reserving.lock().await;
        let row = {
            let mut accounts = self.accounts();
            if accounts.closed {
                return Err(Error::stopped());
            }
            let account = accounts.of(&limit.subject, || self.changes.directory().usage(&limit.subject));
            match account.has_one(limit, day(now())) {
                Ok(false) => account.with_block(limit, day(now())),
                // Another request reserved it, or used it up: whoever asked looks again.
                Ok(true) | Err(_) => return Ok(()),
            }
        };
        let rows = vec![Row::Usage(row.clone())];
        self.changes.apply(Draft::state_change("ReserveQuota", &rows), rows).await?;
        if let Some(account) = self.accounts().by_subject.get_mut(&limit.subject) {
            account.reserved(row);
        }
        Ok(())
    }

    /// What a subject has used.
    pub(super) fn uses(&self, subject: &LimitSubject) -> Uses {
        let mut accounts = self.accounts();
        let account = accounts.of(subject, || self.changes.directory().usage(subject));
        Uses { today: account.used_on(day(now())), total: account.used() }
    }

    /// Gives back what is left of blocks.
    pub(super) async fn close(&self) {
        let _one = self.reserving.lock().await;
        let mut rows: Vec<_> = {
            let mut accounts = self.accounts();
            accounts.closed = true;
            accounts.by_subject.values().filter_map(Account::given_back).map(Row::Usage).collect()
        };
        while !rows.is_empty() {
            let some = rows.split_off(rows.len().saturating_sub(ROWS));
            if let Err(error) = self.changes.apply(Draft::state_change("ReturnQuota", &some), some).await {
                tracing::warn!(%error, "units of quotas that were reserved and not used are lost");
                return;
            }
        }
    }
}
