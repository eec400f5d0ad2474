//! The end of a version: its key material is destroyed, a tombstone stays.
//!
//! **Invariants**: an intent is recorded before anything is destroyed, and what it names is destroyed in the end, however
//! often the service starts anew: nothing calls it off any more. A version is DESTROYED once its material is gone from the
//! token, the enclave's memory and the store; its row, with the public key, is never removed.
//!
//! **Not here**: when it is due (`schedule`), what may still bring a key back (`tombstones`), what else the store
//! holds (`orphans`).

use super::{Cause, Changes, OpenIntent};
use crate::{
    audit::{AuditLog, unavailable},
    directory::KeyEntry,
    enclave::Enclave,
    error::Error,
    model::{KeyVersion, KeyVersionName, LifecycleEvent, Protection, Scheduled},
    store::Row,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// See the module.
pub(super) struct Destructions {
    enclave: Arc<Enclave>,
    audit: Arc<AuditLog>,
    changes: Arc<Changes>,
    /// Versions whose destruction is recorded and not over, with the index of the intent.
    begun: Mutex<HashMap<KeyVersionName, u64>>,
}

impl Destructions {
    pub(super) fn new(enclave: Arc<Enclave>, audit: Arc<AuditLog>, changes: Arc<Changes>) -> Self {
        Self { enclave, audit, changes, begun: Mutex::default() }
    }

    fn begun(&self) -> MutexGuard<'_, HashMap<KeyVersionName, u64>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a version's destruction is recorded and not over: its material may be gone.
    pub(super) fn has_begun(&self, version: &KeyVersionName) -> bool {
        self.begun().contains_key(version)
    }

    /// All of these.
    pub(super) fn all_begun(&self) -> Vec<KeyVersionName> {
        self.begun().keys().cloned().collect()
    }

    /// Destroys a version's material. Its key is held by the caller, who tries again after an error.
    pub(super) async fn destroy(&self, entry: &KeyEntry, version: &KeyVersion, now: i64) -> Result<(), Error> {
        let name = &version.name;
        let destroyed = self.tombstone(entry, version, now)?;
        let cause = Cause::Schedule(Scheduled::Destruction, &entry.key);
        let begun = self.begun().get(name).copied();
        let intent = match begun {
            Some(intent) => intent,
            None => {
                let recorded = self.audit.append_settled(cause.intent().resource(name)).await;
                let intent = recorded.map_err(|error| unavailable(&error))?;
                self.begun().insert(name.clone(), intent);
                intent
            }
        };
        let objects = self.enclave.discard(name).await?;
        let rows = vec![Row::KeyVersion(destroyed)];
        self.changes.apply(cause.outcome().resource(name).states(&rows).after(intent), rows).await?;
        self.begun().remove(name);
        tracing::info!(version = %name, objects, "a key version was destroyed, as scheduled");
        Ok(())
    }

    /// What stays of it.
    fn tombstone(&self, entry: &KeyEntry, version: &KeyVersion, now: i64) -> Result<KeyVersion, Error> {
        let organization = self.changes.directory().organization(version.name.key().organization());
        let generation = organization.map_or(0, |organization| organization.kek_generation);
        let destroyed = version.after(LifecycleEvent::Destroy, now).map_err(Error::internal)?;
        let destroyed_under_kek = if entry.key.protection == Protection::Enclave { generation } else { 0 };
        Ok(KeyVersion { destroyed_under_kek, ..destroyed })
    }

    /// Takes over what earlier processes began: it is carried out again. What can't be now, the schedule goes on with.
    pub(super) async fn resume(&self, intents: Vec<OpenIntent>) {
        for intent in intents {
            let Ok(name) = intent.version.parse::<KeyVersionName>() else {
                tracing::error!(version = intent.version, "the log has an intent to destroy what is no key version");
                continue;
            };
            self.begun().insert(name.clone(), intent.index);
            let entry = self.changes.directory().key(name.key());
            let version = entry.as_ref().and_then(|entry| entry.versions.get(&name.number()));
            let (Some(entry), Some(version)) = (&entry, version) else {
                tracing::error!(version = %name, "the log has an intent to destroy a version that it does not know");
                continue;
            };
            if let Err(error) = self.destroy(entry, &version.row, crate::access::now()).await {
                tracing::warn!(version = %name, %error, "a destruction that was left half done can't be finished yet");
            }
        }
    }
}
