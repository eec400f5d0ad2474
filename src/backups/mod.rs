//! Backups of an organization's ENCLAVE keys, and bringing them back.
//!
//! What is in a backup only the enclave can open, and only with enough custodians' shares: it passes through here as
//! ciphertext. docs/key-transfer.md specifies the file.
//!
//! **Invariants**
//! * A backup is recorded and known before its first byte leaves, and again when it is complete.
//! * A version that is DESTROYED, here or in the log that a restore was given, stays so.
//! * Nothing of a backup comes into force before its seal was checked.
//! * What a caller sends of a restore is kept only once policy permitted it, and of one restore of an organization at a time.
//!
//! **Not here**: the file's format (chancery-transfer), its keys (chancery-enclave).

mod asked;
mod create;
mod restore;
mod restored;

pub use asked::{RestorePart, RestoreRequest};
pub use create::{NewBackup, Progress};
pub use restore::Restored;

use crate::{
    access::{Peer, Target},
    admission::Admission,
    approvals::Approvals,
    changes::Changes,
    enclave::{Enclave, TransportKey},
    error::Error,
    keys::Keys,
    model::{Action, Backup, Organization, OrganizationName},
    store::Store,
};
use chancery_api::reasons;
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// See the module.
pub struct Backups {
    admission: Arc<Admission>,
    enclave: Arc<Enclave>,
    changes: Arc<Changes>,
    approvals: Arc<Approvals>,
    keys: Arc<Keys>,
    store: Arc<dyn Store>,
    /// Organizations that a restore is under way of.
    restoring: Mutex<HashSet<OrganizationName>>,
}

/// Holds an organization while something is restored to it.
#[must_use]
struct Alone<'a>(&'a Mutex<HashSet<OrganizationName>>, OrganizationName);

fn lock(of: &Mutex<HashSet<OrganizationName>>) -> MutexGuard<'_, HashSet<OrganizationName>> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        lock(self.0).remove(&self.1);
    }
}

impl Backups {
    /// Over the admitted, the enclave, the changes, what takes two officers, and where wrapped keys are kept.
    pub fn new(
        admission: Arc<Admission>,
        enclave: Arc<Enclave>,
        changes: Arc<Changes>,
        approvals: Arc<Approvals>,
        keys: Arc<Keys>,
        store: Arc<dyn Store>,
    ) -> Self {
        Self { admission, enclave, changes, approvals, keys, store, restoring: Mutex::default() }
    }

    /// The deployment's id.
    pub fn deployment(&self) -> &str {
        self.changes.directory().deployment()
    }

    /// Backups that were begun of an organization's keys.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn list(&self, peer: &Arc<Peer>, organization: OrganizationName) -> Result<Vec<Backup>, Error> {
        let target = Target::Organization(organization.clone());
        let _granted = self.admission.admit(peer, Action::ListBackups, target).await?;
        Ok(self.changes.directory().backups(&organization))
    }

    /// A key of the enclave that custodians seal their shares to.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn create_restore_job(
        &self,
        peer: &Arc<Peer>,
        organization: OrganizationName,
    ) -> Result<TransportKey, Error> {
        let target = Target::Organization(organization.clone());
        let _granted = self.admission.admit(peer, Action::CreateRestoreJob, target).await?;
        self.organization(&organization)?;
        self.enclave.create_restore_key(&organization).await
    }

    /// Holds an organization for one restore.
    ///
    /// # Errors
    /// [`Error::Precondition`] while there is another.
    fn alone(&self, name: &OrganizationName) -> Result<Alone<'_>, Error> {
        if lock(&self.restoring).insert(name.clone()) {
            return Ok(Alone(&self.restoring, name.clone()));
        }
        let message = format!("another restore of {name} is under way; try again when it has ended");
        Err(Error::Precondition { reason: reasons::BUSY, message })
    }

    fn organization(&self, name: &OrganizationName) -> Result<Organization, Error> {
        self.changes.directory().organization(name).ok_or_else(|| Error::NotFound(name.to_string()))
    }
}
