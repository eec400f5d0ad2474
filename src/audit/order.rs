//! The log's order tells the truth: no use of a key stands after the record that ended it.
//!
//! **Invariants**: a use is rechecked and recorded while [`AuditLog::recording_use`]'s guard lives, and what ends uses is
//! recorded and put in force while [`AuditLog::ending_uses`]' one does. They exclude each other, so that an auditor needs to
//! forgive nothing: `chancery audit verify` calls a signature by a suspended version an error.
//!
//! **Not here**: which changes end uses (`changes`).

use super::AuditLog;
use crate::{
    access::{Access, Grant},
    audit::{AuditError, unavailable},
    error::Error,
    model::KeyVersionName,
};
use tokio::sync::{RwLockReadGuard, RwLockWriteGuard};

/// While it lives, nothing ends the use.
#[must_use]
pub(super) struct RecordingUse<'l>(#[expect(dead_code, reason = "it is held")] RwLockReadGuard<'l, ()>);

/// While it lives, no use is recorded.
#[must_use]
pub struct EndingUses<'l>(#[expect(dead_code, reason = "it is held")] RwLockWriteGuard<'l, ()>);

impl AuditLog {
    /// Waits for changes that may end the use, and finds out whether they did.
    ///
    /// # Errors
    /// What ended it, or [`Error::Unavailable`] when the log does not take their records in time.
    pub(super) async fn recording_use(
        &self,
        access: &Access,
        grant: &Grant,
        version: &KeyVersionName,
    ) -> Result<RecordingUse<'_>, Error> {
        let turn = tokio::time::timeout(self.deadline, self.order.read()).await;
        let turn = turn.map_err(|_| unavailable(&AuditError::TooSlow))?;
        access.recheck(grant, Some(version))?;
        Ok(RecordingUse(turn))
    }

    /// Waits until the uses that are being recorded are, and lets no other begin.
    pub async fn ending_uses(&self) -> EndingUses<'_> {
        EndingUses(self.order.write().await)
    }
}
