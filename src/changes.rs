//! Changes: made once per request id, recorded before they are in force, and applied in the log's order.
//!
//! **Invariants**: the request id of a change is reserved durably before it begins, and one call at a time works on it.
//! Rows reach the store in the order of their records; what the store did not take waits for it, for the log has it
//! already, and its request id stays reserved until then. A change that would close an approval a second time is not made.
//! Whom a change locks out is locked out before its record, so that nothing is released to them that stands after it.

use crate::{
    audit::{AuditLog, Draft, EndingUses, unavailable},
    directory::Directory,
    error::{Error, Performed},
    model::{KeyName, PrincipalName, RequestId, Stage},
    store::{Claim, Commit, RequestKey, Row, Store, StoreError},
};
use chancery_api::reasons;
use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// How long a request waits for what a key's schedule does to it: a token may take long to make a key.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

type Running = Arc<Mutex<HashMap<RequestKey, watch::Receiver<()>>>>;

/// See the module.
pub struct Changes {
    store: Arc<dyn Store>,
    audit: Arc<AuditLog>,
    directory: Arc<Directory>,
    running: Running,
    /// Keys being changed, and whether by their schedule: one change of a key at a time.
    busy: Arc<Mutex<HashMap<KeyName, bool>>>,
    /// Held while a change is recorded and applied: what the store has not taken yet.
    order: tokio::sync::Mutex<Vec<(Commit, Option<Change>)>>,
    /// Held while an organization's own state is changed.
    organizations: tokio::sync::Mutex<()>,
}

/// What came of beginning a change.
pub enum Begun {
    /// It is new.
    New(Change),
    /// It was made before: its encoded answer.
    Answered(Vec<u8>),
}

/// A change under way. [`Changes::abandon`] or [`Changes::finish`] ends it.
#[must_use]
pub struct Change {
    request: RequestKey,
    running: Running,
    /// Dropping it wakes those who wait.
    _done: watch::Sender<()>,
}

/// Holds a key while it is changed.
#[must_use]
pub struct Busy(Arc<Mutex<HashMap<KeyName, bool>>>, KeyName);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Change {
    fn drop(&mut self) {
        lock(&self.running).remove(&self.request);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        lock(&self.0).remove(&self.1);
    }
}

/// A store error as the caller is told it.
pub fn store_unavailable(error: &StoreError) -> Error {
    // What the disk says is for the operator.
    tracing::error!(%error, "the store can't be used");
    Error::Unavailable {
        reason: reasons::STORE_UNAVAILABLE,
        message: "the store can't be written right now; try again".into(),
        performed: Performed::No,
    }
}

impl Changes {
    /// Over this store, log and directory.
    pub fn new(store: Arc<dyn Store>, audit: Arc<AuditLog>, directory: Arc<Directory>) -> Self {
        let (running, busy, order, organizations) = Default::default();
        Self { store, audit, directory, running, busy, order, organizations }
    }

    /// What exists.
    pub fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    /// Reserves the request id, or finds the first answer, waiting for it if it is under way.
    ///
    /// # Errors
    /// [`Error::Rejected`] when the id came with other content, [`Error::Unavailable`] when the store can't be written.
    pub async fn begin(
        &self,
        principal: &PrincipalName,
        method: &'static str,
        request: &RequestId,
    ) -> Result<Begun, Error> {
        let key = RequestKey { principal: principal.clone(), method, id: request.id.clone() };
        let change = loop {
            match self.enter(&key) {
                Ok(change) => break change,
                // Ends when that change is dropped; then look again.
                Err(mut done) => drop(done.changed().await),
            }
        };
        let unavailable = |error| store_unavailable(&error);
        let mut claim = self.store.claim(key.clone(), request.hash).await.map_err(unavailable)?;
        if claim == Claim::InFlight {
            // Reserved by a call that was dropped before it began: nobody else is working on it.
            self.store.release(key.clone()).await.map_err(unavailable)?;
            claim = self.store.claim(key, request.hash).await.map_err(unavailable)?;
        }
        match claim {
            Claim::New => Ok(Begun::New(change)),
            Claim::Answered(answer) => Ok(Begun::Answered(answer)),
            Claim::Reused => Err(Error::reused()),
            Claim::InFlight => Err(Error::internal("a request id is reserved by nobody")),
        }
    }

    /// The first answer to a request, waiting for it if it is under way; `None`: it is new. Reserves nothing.
    ///
    /// # Errors
    /// As [`Changes::begin`].
    pub async fn answered(
        &self,
        principal: &PrincipalName,
        method: &'static str,
        request: &RequestId,
    ) -> Result<Option<Vec<u8>>, Error> {
        let key = RequestKey { principal: principal.clone(), method, id: request.id.clone() };
        loop {
            let under_way = lock(&self.running).get(&key).cloned();
            let Some(mut done) = under_way else { break };
            // Ends when that change is dropped.
            drop(done.changed().await);
        }
        match self.store.find_claim(key, request.hash).await.map_err(|error| store_unavailable(&error))? {
            Claim::Answered(answer) => Ok(Some(answer)),
            Claim::Reused => Err(Error::reused()),
            Claim::New | Claim::InFlight => Ok(None),
        }
    }

    /// Makes the caller the only one to work on a request id, or tells whom to wait for.
    fn enter(&self, request: &RequestKey) -> Result<Change, watch::Receiver<()>> {
        let mut running = lock(&self.running);
        if let Some(done) = running.get(request) {
            return Err(done.clone());
        }
        let (done, waiting) = watch::channel(());
        running.insert(request.clone(), waiting);
        Ok(Change { request: request.clone(), running: Arc::clone(&self.running), _done: done })
    }

    /// Holds a key for one change. What its schedule does to it is waited for.
    ///
    /// # Errors
    /// `BUSY` while another request changes it.
    pub async fn hold(&self, name: &KeyName) -> Result<Busy, Error> {
        self.hold_after(name, false).await
    }

    /// Holds a key for a change that takes no time. What other requests do to it is waited for, too.
    ///
    /// # Errors
    /// `BUSY` when that takes too long.
    pub async fn hold_in_turn(&self, name: &KeyName) -> Result<Busy, Error> {
        self.hold_after(name, true).await
    }

    async fn hold_after(&self, name: &KeyName, requests: bool) -> Result<Busy, Error> {
        let until = Instant::now() + LONGEST_WAIT;
        loop {
            let by_schedule = match self.try_hold(name, false) {
                Ok(busy) => return Ok(busy),
                Err(by_schedule) => by_schedule,
            };
            if !(by_schedule || requests) || Instant::now() >= until {
                return Err(Error::Precondition {
                    reason: reasons::BUSY,
                    message: format!("{name} is being changed by another request; try again when that is done"),
                });
            }
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
    }

    /// Holds a key for what its schedule says, unless someone else does.
    pub fn hold_for_schedule(&self, name: &KeyName) -> Option<Busy> {
        self.try_hold(name, true).ok()
    }

    /// Or whether its schedule is why it is held.
    fn try_hold(&self, name: &KeyName, by_schedule: bool) -> Result<Busy, bool> {
        match lock(&self.busy).entry(name.clone()) {
            Entry::Occupied(held) => Err(*held.get()),
            Entry::Vacant(free) => {
                free.insert(by_schedule);
                Ok(Busy(Arc::clone(&self.busy), name.clone()))
            }
        }
    }

    /// Holds the organizations' own states: read what is to be changed only while this lives.
    pub async fn hold_organizations(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.organizations.lock().await
    }

    /// Ends a change that was not made; its request id is free again.
    pub async fn abandon(&self, change: Change) {
        if let Err(error) = self.store.release(change.request.clone()).await {
            tracing::warn!(%error, "a request id stays reserved until it is used again");
        }
    }

    /// Records the change's outcome, if it has one, and puts its rows in force.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it is not recorded: the change is not in force.
    pub async fn finish(
        &self,
        change: Change,
        outcome: Option<Draft>,
        rows: Vec<Row>,
        answer: Vec<u8>,
    ) -> Result<(), Error> {
        let mut waiting = self.order.lock().await;
        if let Err(error) = self.require_open(&rows) {
            drop(waiting);
            self.abandon(change).await;
            return Err(error);
        }
        let anticipated = match self.directory.anticipate(&rows) {
            Ok(anticipated) => anticipated,
            Err(error) => {
                self.abandon(change).await;
                return Err(Error::internal(error));
            }
        };
        let ending = self.ending_uses(&rows).await;
        let log_size = match outcome {
            Some(draft) => match self.audit.append_settled(draft).await {
                Ok(index) => index + 1,
                Err(error) => {
                    if anticipated {
                        self.directory.take_back();
                    }
                    self.abandon(change).await;
                    return Err(unavailable(&error));
                }
            },
            None => 0,
        };
        self.directory.apply(rows.clone()).map_err(Error::internal)?;
        drop(ending);
        let commit = Commit { log_size, rows, answers: vec![(change.request.clone(), answer)] };
        waiting.push((commit, Some(change)));
        self.commit(&mut waiting).await;
        Ok(())
    }

    /// Records a change that nobody's request made, or a part of one, and puts its rows in force; its record's index.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it is not recorded: the change is not in force.
    pub async fn apply(&self, draft: Draft, rows: Vec<Row>) -> Result<u64, Error> {
        let mut waiting = self.order.lock().await;
        self.require_open(&rows)?;
        let ending = self.ending_uses(&rows).await;
        let index = self.audit.append_settled(draft).await.map_err(|error| unavailable(&error))?;
        self.directory.apply(rows.clone()).map_err(Error::internal)?;
        drop(ending);
        waiting.push((Commit { log_size: index + 1, rows, answers: Vec::new() }, None));
        self.commit(&mut waiting).await;
        Ok(index)
    }

    /// Keeps uses of keys from being recorded where rows may end them: until they are in force.
    async fn ending_uses(&self, rows: &[Row]) -> Option<EndingUses<'_>> {
        let ends = |row: &Row| match row {
            Row::KeyVersion(row) => !matches!(Stage::of(row), Stage::PreActive | Stage::Active),
            Row::Suspension(row) => !row.lifted,
            _ => false,
        };
        if rows.iter().any(ends) { Some(self.audit.ending_uses().await) } else { None }
    }

    /// Refuses rows that use an approval which was used or called off meanwhile.
    fn require_open(&self, rows: &[Row]) -> Result<(), Error> {
        let closed = |row: &&Row| match row {
            Row::Approval(row) => self.directory.approval(&row.organization, &row.id).is_some_and(|now| now.closed),
            _ => false,
        };
        match rows.iter().find(closed) {
            Some(row) => Err(Error::Precondition {
                reason: reasons::APPROVAL_NEEDED,
                message: format!(
                    "{} was used or called off meanwhile; send the request again for a new one",
                    row.name()
                ),
            }),
            None => Ok(()),
        }
    }

    /// Tries again what the store has not taken.
    pub async fn flush(&self) {
        self.commit(&mut *self.order.lock().await).await;
    }

    /// Commits in order. What is not taken is in force all the same: its record is durable, the log is the authority.
    async fn commit(&self, waiting: &mut Vec<(Commit, Option<Change>)>) {
        while let Some((next, _)) = waiting.first() {
            if let Err(error) = self.store.commit(next.clone()).await {
                tracing::error!(%error, waiting = waiting.len(), "the store does not take a change; trying again");
                return;
            }
            drop(waiting.remove(0));
        }
    }
}
