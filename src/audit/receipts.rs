//! Receipts and proofs of single records against signed checkpoints.
//!
//! **Invariant**: what is given out leads from the record to the root that was signed; it is checked before.
//!
//! **Not here**: who may have a receipt (`grpc`), the format (chancery-audit).

use super::{AuditLog, Checkpoints, TreeError};
use chancery_audit::{
    checkpoint::{Checkpoint, VerifierKey},
    merkle::{leaf_hash, proof::verify_inclusion},
    receipt::encode,
};
use std::{sync::Arc, time::Duration};

/// Why there is no receipt.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// No checkpoint covers the record.
    #[error("no checkpoint that covers record {0} could be signed in time")]
    NoCheckpoint(u64),
    /// There is no proof.
    #[error("{0}")]
    Tree(#[from] TreeError),
    /// The record can't be read, or does not belong to the root that was signed.
    #[error("record {index}: {problem}")]
    Record {
        /// Its index.
        index: u64,
        /// What is wrong.
        problem: String,
    },
}

/// See the module.
pub struct Receipts {
    log: Arc<AuditLog>,
    checkpoints: Arc<Checkpoints>,
    key: VerifierKey,
}

impl Receipts {
    /// Of this log, whose checkpoints are signed with `key`.
    pub fn new(log: Arc<AuditLog>, checkpoints: Arc<Checkpoints>, key: VerifierKey) -> Self {
        Self { log, checkpoints, key }
    }

    /// The receipt of a durable record, against a checkpoint that is waited for.
    ///
    /// # Errors
    /// [`ReceiptError`].
    pub async fn receipt(&self, index: u64, within: Duration) -> Result<String, ReceiptError> {
        let work = async {
            let (checkpoint, note) = self.covering(index, within).await?;
            let problem = |problem: String| ReceiptError::Record { index, problem };
            let stored = self.log.stored(index).await.map_err(problem)?;
            let stored = stored.ok_or_else(|| problem("it is archived".into()))?;
            self.prove(Some(&stored), index, &checkpoint, &note).await
        };
        tokio::time::timeout(within, work).await.unwrap_or(Err(ReceiptError::NoCheckpoint(index)))
    }

    /// A checkpoint that covers a record, and its note.
    ///
    /// # Errors
    /// [`ReceiptError::NoCheckpoint`].
    pub async fn covering(&self, index: u64, within: Duration) -> Result<(Checkpoint, String), ReceiptError> {
        let covering = self.checkpoints.covering(index.saturating_add(1), within).await;
        covering.ok_or(ReceiptError::NoCheckpoint(index))
    }

    /// A record's receipt against a checkpoint that covers it; without the record's bytes, a bare proof.
    ///
    /// # Errors
    /// [`ReceiptError`].
    pub async fn prove(
        &self,
        stored: Option<&[u8]>,
        index: u64,
        checkpoint: &Checkpoint,
        note: &str,
    ) -> Result<String, ReceiptError> {
        let problem = |problem: String| ReceiptError::Record { index, problem };
        let path = self.log.inclusion(index, checkpoint.size).await?;
        if let Some(stored) = stored {
            verify_inclusion(&leaf_hash(stored), index, checkpoint.size, &path, &checkpoint.root)
                .map_err(|error| problem(error.to_string()))?;
        }
        let note = self.key.own_note(note).map_err(|error| problem(error.to_string()))?;
        Ok(encode(stored, index, &path, &note))
    }
}
