//! Changes: made once per request id, recorded before they are in force, and applied in the log's order.
//!
//! **Invariants**: the request id of a change is reserved durably before it begins. Rows reach the store in the order of
//! their records; what the store did not take goes with the next commit, for the log has it already.

use crate::{
    audit::{AuditLog, Draft, unavailable},
    directory::Directory,
    error::{Error, Performed},
    model::PrincipalName,
    signing::reused,
    store::{Claim, Commit, RequestKey, Row, Store, StoreError},
};
use chancery_api::reasons;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::watch;

/// See the module.
pub struct Changes {
    store: Arc<dyn Store>,
    audit: Arc<AuditLog>,
    directory: Arc<Directory>,
    /// Those running in this process.
    running: Arc<Mutex<HashMap<RequestKey, watch::Receiver<()>>>>,
    /// Held while a change is recorded and applied: what the store could not take.
    order: tokio::sync::Mutex<Vec<Commit>>,
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
    running: Arc<Mutex<HashMap<RequestKey, watch::Receiver<()>>>>,
    /// Dropping it wakes those who wait.
    _done: watch::Sender<()>,
}

impl Drop for Change {
    fn drop(&mut self) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.request);
    }
}

fn store_unavailable(error: &StoreError) -> Error {
    Error::Unavailable { reason: reasons::STORE_UNAVAILABLE, message: error.to_string(), performed: Performed::No }
}

impl Changes {
    /// Over this store, log and directory.
    pub fn new(store: Arc<dyn Store>, audit: Arc<AuditLog>, directory: Arc<Directory>) -> Self {
        Self { store, audit, directory, running: Arc::default(), order: tokio::sync::Mutex::default() }
    }

    /// Reserves the request id, or finds the first answer, waiting for it if it is under way.
    ///
    /// # Errors
    /// [`Error::Rejected`] when the id came with other content, [`Error::Unavailable`] when the store can't be written.
    pub async fn begin(
        &self,
        principal: &PrincipalName,
        method: &'static str,
        id: &str,
        hash: [u8; 32],
    ) -> Result<Begun, Error> {
        let request = RequestKey { principal: principal.clone(), method, id: id.to_owned() };
        loop {
            let claim = self.store.claim(request.clone(), hash).await.map_err(|error| store_unavailable(&error))?;
            match claim {
                Claim::New => {
                    let (done, waiting) = watch::channel(());
                    let running = Arc::clone(&self.running);
                    running.lock().unwrap_or_else(PoisonError::into_inner).insert(request.clone(), waiting);
                    return Ok(Begun::New(Change { request, running, _done: done }));
                }
                Claim::Answered(answer) => return Ok(Begun::Answered(answer)),
                Claim::Reused => return Err(reused()),
                Claim::InFlight => {
                    let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).get(&request).cloned();
                    match running {
                        Some(mut done) => drop(done.changed().await),
                        // Reserved by nobody who still runs.
                        None => {
                            self.store.release(request.clone()).await.map_err(|error| store_unavailable(&error))?;
                        }
                    }
                }
            }
        }
    }

    /// Ends a change that was not made; its request id is free again.
    pub async fn abandon(&self, change: Change) {
        if let Err(error) = self.store.release(change.request.clone()).await {
            tracing::warn!(%error, "a request id stays reserved until the next start");
        }
    }

    /// Records the change's outcome, if there is one, and puts its rows in force.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it could not be recorded: the change is not in force.
    pub async fn finish(
        &self,
        change: Change,
        outcome: Option<Draft>,
        rows: Vec<Row>,
        answer: Vec<u8>,
    ) -> Result<(), Error> {
        let request = change.request.clone();
        let result = self.apply(outcome, rows, Some((request, answer))).await;
        if result.is_err() {
            self.abandon(change).await;
        }
        result
    }

    /// Records and applies rows. One at a time, so that the store follows the log's order.
    async fn apply(
        &self,
        outcome: Option<Draft>,
        rows: Vec<Row>,
        answer: Option<(RequestKey, Vec<u8>)>,
    ) -> Result<(), Error> {
        let mut backlog = self.order.lock().await;
        let log_size = match outcome {
            Some(draft) => self.audit.append(draft).await.map_err(|error| unavailable(&error))? + 1,
            None => 0,
        };
        self.directory.apply(rows.clone()).map_err(Error::internal)?;
        backlog.push(Commit { log_size, rows, answer });
        while let Some(next) = backlog.first() {
            let commit = Commit { log_size: next.log_size, rows: next.rows.clone(), answer: next.answer.clone() };
            if let Err(error) = self.store.commit(commit).await {
                // In force all the same: the record is durable, and the log is the authority.
                tracing::error!(%error, waiting = backlog.len(), "the store does not take a change; trying again with the next");
                break;
            }
            backlog.remove(0);
        }
        Ok(())
    }
}
