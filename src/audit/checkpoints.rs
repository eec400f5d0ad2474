//! Checkpoints: the enclave signs the tree's root, each second when records came, at once when a receipt waits, after each
//! statement (`statements`), and at drain.
//!
//! **Invariants**: a checkpoint is signed only after the records it covers are durable, so that whatever stands on disk after
//! a crash extends it, and with a proof that it extends the last. It is given to anyone only after its signature verified
//! under the audit key, and none of an earlier run: after a crash that one may be smaller than others that were given. One is
//! made at a time, its file included, and whoever waits meanwhile shares the next.

use super::{
    AuditLog, TreeError,
    directory::write_checkpoint,
    statements::{self, Stated, StatementError},
};
use crate::{enclave::Enclave, error::Error};
use chancery_audit::{
    checkpoint::{Checkpoint, VerifierKey},
    merkle::Hash,
};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::sync::{Mutex, Notify, watch};

/// How often a checkpoint is made while records come.
const INTERVAL: Duration = Duration::from_secs(1);
/// The most sizes whose answers got lost: each takes an enclave that did not answer in time, and one that hangs is ended.
const MOST_LOST: usize = 16;

/// Why no checkpoint was made; the next tick tries again.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The enclave can't sign.
    #[error("{0}")]
    Enclave(#[from] Error),
    /// Its signature does not verify.
    #[error("the enclave's checkpoint signature does not verify under the audit key")]
    Unverified,
    /// That it extends the last one can't be shown.
    #[error("{0}")]
    Tree(#[from] TreeError),
    /// It can't be written.
    #[error("the checkpoint can't be written: {0}")]
    Io(#[from] std::io::Error),
}

/// See the module.
pub struct Checkpoints {
    log: Arc<AuditLog>,
    enclave: Arc<Enclave>,
    key: VerifierKey,
    directory: PathBuf,
    newest: watch::Sender<(Checkpoint, String)>,
    /// The size from which on a checkpoint is of this run.
    fresh: u64,
    /// Held while one is made and its file is written, whoever still waits for that.
    making: Arc<Mutex<Making>>,
    /// Somebody waits for a larger one.
    wanted: Notify,
}

struct Making {
    /// The size of the one on disk.
    written: u64,
    /// Sizes that were asked for since the newest one, newest last: their answers got lost, and the enclave may have signed
    /// one of them.
    lost: Vec<u64>,
    /// The newest statement that the enclave was not shown.
    unshown: Option<Stated>,
}

impl Checkpoints {
    /// Goes on after the newest checkpoint and its note, which the enclave is told when it starts. Record `start` says that
    /// this run began.
    pub fn new(
        log: Arc<AuditLog>,
        enclave: Arc<Enclave>,
        key: VerifierKey,
        directory: PathBuf,
        newest: watch::Sender<(Checkpoint, String)>,
        start: u64,
    ) -> Self {
        let size = newest.borrow().0.size;
        let making = Arc::new(Mutex::new(Making { written: size, lost: Vec::new(), unshown: None }));
        Self { log, enclave, key, directory, newest, fresh: start + 1, making, wanted: Notify::new() }
    }

    /// The newest checkpoint and its signed note, for others to see. `None`: there is none of this run yet.
    pub fn current(&self) -> Option<(Checkpoint, String)> {
        let newest = self.newest.borrow();
        (newest.0.size >= self.fresh).then(|| newest.clone())
    }

    /// The newest checkpoint and its signed note, be it of an earlier run.
    pub fn newest(&self) -> (Checkpoint, String) {
        self.newest.borrow().clone()
    }

    /// A checkpoint over the first `size` records at least, and its signed note: the newest, or one that is made at once
    /// for whoever waits. `None`: there was none in time. May be dropped.
    pub async fn covering(&self, size: u64, within: Duration) -> Option<(Checkpoint, String)> {
        let mut newest = self.newest.subscribe();
        let covers = |(checkpoint, _): &(Checkpoint, String)| checkpoint.size >= size.max(self.fresh);
        if !covers(&newest.borrow()) {
            self.wanted.notify_one();
        }
        let found = tokio::time::timeout(within, newest.wait_for(covers)).await;
        found.ok()?.ok().map(|newest| newest.clone())
    }

    /// Signs and writes a checkpoint over all durable records, unless the newest is one. May be dropped: the next one waits
    /// until the file is written.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub async fn make(&self) -> Result<(), CheckpointError> {
        let mut making = Arc::clone(&self.making).lock_owned().await;
        self.advance(&mut making).await?;
        let (Checkpoint { size, .. }, note) = self.newest();
        if size != making.written {
            let directory = self.directory.clone();
            let write = move || write_checkpoint(&directory, &note).map(|()| making.written = size);
            tokio::task::spawn_blocking(write).await.map_err(std::io::Error::other)??;
        }
        Ok(())
    }

    /// Signs a checkpoint over all durable records, unless the newest is one. Those who wait for it need no file, which
    /// comes with the next tick: they would wait for the disk, and for that of the checkpoint before.
    async fn advance(&self, making: &mut Making) -> Result<(), CheckpointError> {
        let (size, root) = self.log.tree();
        if size != self.newest().0.size {
            let signature = self.sign(making, size, root).await?;
            let checkpoint = Checkpoint { origin: self.key.name().to_owned(), size, root };
            let note = self.key.sign_note(&checkpoint, &signature);
            self.key.open_note(&note).map_err(|_| CheckpointError::Unverified)?;
            self.newest.send_replace((checkpoint, note));
            making.lost.clear();
        }
        Ok(())
    }

    /// Has a checkpoint signed that extends the last one, and shows the enclave the statement that it waits for.
    async fn sign(&self, making: &mut Making, size: u64, root: Hash) -> Result<Vec<u8>, CheckpointError> {
        let shown = match &making.unshown {
            Some(stated) => stated.shown(&self.log, &self.enclave, size).await?,
            None => None,
        };
        let lasts: Vec<_> = making.lost.iter().copied().chain([self.newest().0.size]).rev().collect();
        if making.lost.len() == MOST_LOST {
            making.lost.remove(0);
        }
        making.lost.push(size);
        let mut result = Err(CheckpointError::Unverified);
        for last in lasts {
            let consistency = self.log.consistency(last, size).await?;
            let signed = self.enclave.sign_checkpoint(size, root, &consistency, shown.clone()).await;
            let refused = matches!(signed, Err(Error::Internal { .. }));
            result = signed.map_err(CheckpointError::from);
            if !refused {
                break;
            }
        }
        if result.is_ok() {
            // One of an earlier process is shown to nobody any more.
            making.unshown.take().into_iter().for_each(|stated| stated.was_shown(&self.enclave));
        }
        result
    }

    /// Records what the log still owes the enclave, and a statement of everything that it did.
    ///
    /// # Errors
    /// [`StatementError`].
    async fn state(&self) -> Result<(), StatementError> {
        let mut making = self.making.lock().await;
        statements::record_owed(&self.log, &self.enclave).await;
        if let Some(stated) = Stated::make(&self.log, &self.enclave, &self.key).await? {
            making.unshown = Some(stated);
        }
        Ok(())
    }

    /// The last statement, before the last checkpoint.
    pub async fn state_all(&self) {
        if let Err(error) = self.state().await {
            tracing::warn!(%error, "no last statement of the enclave's operations");
        }
    }

    /// Makes statements and checkpoints for as long as the service runs.
    pub async fn run(self: Arc<Self>) {
        let mut tick = tokio::time::interval(INTERVAL);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            let states = tokio::select! {
                _ = tick.tick() => true,
                () = self.enclave.statement_due() => true,
                () = self.wanted.notified() => false,
            };
            if states && let Err(error) = self.state().await {
                tracing::warn!(%error, "no statement of the enclave's operations; trying again");
            }
            let made = if states { self.make().await } else { self.advance(&mut *self.making.lock().await).await };
            if let Err(error) = made {
                tracing::warn!(%error, "no checkpoint; trying again");
            }
        }
    }
}
