//! Statements: what the enclave says it did, each second when it did something and after every 1,024 operations.
//!
//! **Invariants**: a statement is recorded only after its signature verified under the audit key. The enclave is shown the
//! newest one with the next checkpoint. What is owed is recorded before what is stated. None is recorded while the one
//! before covers an operation without a record: of what a crash takes, no statement but the last says anything.

use super::{AuditError, AuditLog, Draft, TreeError};
use crate::{
    enclave::{Enclave, Shown},
    error::Error,
};
use chancery_audit::{checkpoint::VerifierKey, merkle::Hash, operations::statement_text, record::Statement};
use futures_util::future::join_all;

/// Why no statement was recorded; the next tick tries again.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    /// The enclave can't sign.
    #[error("{0}")]
    Enclave(#[from] Error),
    /// Its signature does not verify.
    #[error("the enclave's statement does not verify under the audit key")]
    Unverified,
    /// It can't be recorded.
    #[error("{0}")]
    Log(#[from] AuditError),
}

/// A statement that stands in the log.
pub(super) struct Stated {
    incarnation: Vec<u8>,
    operations: u64,
    index: u64,
    record: Vec<u8>,
}

impl Stated {
    /// Has the enclave state what it did, and records it. `None`: there is nothing to state, or not yet.
    pub(super) async fn make(
        log: &AuditLog,
        enclave: &Enclave,
        key: &VerifierKey,
    ) -> Result<Option<Self>, StatementError> {
        if !enclave.may_state() {
            return Ok(None);
        }
        let signed = enclave.sign_statement().await?;
        if !verifies(key, &signed) {
            return Err(StatementError::Unverified);
        }
        let Statement { incarnation, operations, .. } = signed.clone();
        enclave.stating(&incarnation, operations);
        let stored = log.append_stored(Draft::statement(signed)).await?;
        enclave.stated(&incarnation, operations);
        Ok(Some(Self { incarnation, operations, index: stored.index, record: stored.record }))
    }

    /// As the enclave is shown it in a tree of `size` records. `None`: another process runs by now.
    pub(super) async fn shown(&self, log: &AuditLog, enclave: &Enclave, size: u64) -> Result<Option<Shown>, TreeError> {
        if !enclave.is(&self.incarnation) {
            return Ok(None);
        }
        let path = log.inclusion(self.index, size).await?;
        Ok(Some(Shown { index: self.index, record: self.record.clone(), path }))
    }

    /// The enclave has seen it.
    pub(super) fn was_shown(&self, enclave: &Enclave) {
        enclave.shown(&self.incarnation, self.operations);
    }
}

fn verifies(key: &VerifierKey, signed: &Statement) -> bool {
    let incarnation: Result<[u8; 16], _> = signed.incarnation.as_slice().try_into();
    let link: Result<Hash, _> = signed.running_hash.as_slice().try_into();
    let (Ok(incarnation), Ok(link)) = (incarnation, link) else { return false };
    key.verify(&statement_text(key.name(), &incarnation, signed.operations, &link), &signed.signature)
}

/// Records what is owed: operations whose own record could not be written, or whose answer came too late for anyone. What
/// the log does not take now stays owed.
pub(super) async fn record_owed(log: &AuditLog, enclave: &Enclave) {
    if !log.is_writable() {
        return;
    }
    let owed = enclave.take_owed();
    if owed.is_empty() {
        return;
    }
    tracing::warn!(operations = owed.len(), "recording operations of the enclave that have no record yet");
    join_all(owed.into_iter().map(|witness| log.append(Draft::unrecorded(witness)))).await;
}
