//! Checkpoints: the enclave signs the tree's root, each second when records came and once at drain.
//!
//! **Invariant**: a checkpoint is written only after the records it covers are durable, and after its signature verified
//! under the audit key.

use super::{AuditLog, directory::write_checkpoint};
use crate::{enclave::Enclave, error::Error};
use chancery_audit::checkpoint::{Checkpoint, VerifierKey};
use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// How often a checkpoint is made while records come.
const INTERVAL: Duration = Duration::from_secs(1);

/// Why no checkpoint was made; the next tick tries again.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The enclave can't sign.
    #[error("{0}")]
    Enclave(#[from] Error),
    /// Its signature does not verify.
    #[error("the enclave's checkpoint signature does not verify under the audit key")]
    Unverified,
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
    newest: Mutex<(Checkpoint, String)>,
    /// What the enclave is told when it starts.
    size: Arc<AtomicU64>,
}

impl Checkpoints {
    /// Goes on after the newest checkpoint and its note.
    pub fn new(
        log: Arc<AuditLog>,
        enclave: Arc<Enclave>,
        key: VerifierKey,
        directory: PathBuf,
        newest: (Checkpoint, String),
        size: Arc<AtomicU64>,
    ) -> Self {
        Self { log, enclave, key, directory, newest: Mutex::new(newest), size }
    }

    /// The newest checkpoint and its signed note.
    pub fn newest(&self) -> (Checkpoint, String) {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Signs and writes a checkpoint over all durable records, unless the newest is one.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub async fn make(&self) -> Result<(), CheckpointError> {
        let (size, root) = self.log.tree();
        if size == self.newest().0.size {
            return Ok(());
        }
        let checkpoint = Checkpoint { origin: self.key.name().to_owned(), size, root };
        let signature = self.enclave.sign_checkpoint(size, root).await?;
        let note = self.key.sign_note(&checkpoint, &signature);
        self.key.open_note(&note).map_err(|_| CheckpointError::Unverified)?;
        let (directory, text) = (self.directory.clone(), note.clone());
        (tokio::task::spawn_blocking(move || write_checkpoint(&directory, &text)).await)
            .map_err(std::io::Error::other)??;
        self.size.store(size, Ordering::Release);
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = (checkpoint, note);
        Ok(())
    }

    /// Makes checkpoints for as long as the service runs.
    pub async fn run(self: Arc<Self>) {
        let mut tick = tokio::time::interval(INTERVAL);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            tick.tick().await;
            if let Err(error) = self.make().await {
                tracing::warn!(%error, "no checkpoint; trying again");
            }
        }
    }
}
