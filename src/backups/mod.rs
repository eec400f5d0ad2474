//! Backups of an organization's ENCLAVE keys, and bringing them back.
//!
//! What is in a backup only the enclave can open, and only with enough custodians' shares: it passes through here as
//! ciphertext. docs/key-transfer.md specifies the file.
//!
//! **Invariants**
//! * A backup is recorded and known before its first byte leaves, and again when it is complete.
//! * A version that is DESTROYED, here or in the log that a restore was given, stays so.
//! * Nothing of a backup comes into force before its seal was checked.
//!
//! **Not here**: the file's format (chancery-transfer), its keys (chancery-enclave).

mod create;
mod restore;
mod restored;

pub use create::{NewBackup, Progress};
pub use restore::{RestoreRequest, Restored};

use crate::{
    access::{Peer, Target},
    admission::Admission,
    enclave::{Enclave, TransportKey},
    error::Error,
    keys::{Changes, Keys},
    model::{Action, Backup, Organization, OrganizationName},
    store::Store,
};
use std::sync::Arc;

/// See the module.
pub struct Backups {
    admission: Arc<Admission>,
    enclave: Arc<Enclave>,
    changes: Arc<Changes>,
    keys: Arc<Keys>,
    store: Arc<dyn Store>,
}

impl Backups {
    /// Over the admitted, the enclave, the changes, and where wrapped keys are kept.
    pub fn new(
        admission: Arc<Admission>,
        enclave: Arc<Enclave>,
        changes: Arc<Changes>,
        keys: Arc<Keys>,
        store: Arc<dyn Store>,
    ) -> Self {
        Self { admission, enclave, changes, keys, store }
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

    fn organization(&self, name: &OrganizationName) -> Result<Organization, Error> {
        self.changes.directory().organization(name).ok_or_else(|| Error::NotFound(name.to_string()))
    }
}
