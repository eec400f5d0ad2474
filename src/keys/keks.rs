//! The key-encryption keys under which an organization's ENCLAVE keys are wrapped.
//!
//! **Invariants**: a key is wrapped under a generation only after the log has it. Generation 1 is made with the first
//! ENCLAVE key. A generation is destroyed only once no key is wrapped under it and none can be any more: whoever wraps
//! holds a [`Generation`] until the version is registered, and a new one comes into force while nobody does. No
//! organization waits for another.

use super::Changes;
use crate::{
    audit::Draft,
    directory::Directory,
    enclave::Enclave,
    error::Error,
    model::{KeyState, KeyVersionName, Organization, OrganizationName},
    store::{Replacement, Row, Store, StoreError, WrappedKey},
};
use chancery_api::reasons;
use futures_util::future::try_join_all;
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::{OwnedRwLockReadGuard, RwLock};

/// Keys that are wrapped anew at a time.
const BATCH: usize = 256;

/// See the module.
pub(super) struct Keks {
    directory: Arc<Directory>,
    enclave: Arc<Enclave>,
    changes: Arc<Changes>,
    store: Arc<dyn Store>,
    /// One lock for each organization: none makes others wait.
    wrapping: Mutex<HashMap<OrganizationName, Arc<RwLock<()>>>>,
    rewrapping: Rewrapping,
}

type Rewrapping = Arc<Mutex<HashSet<OrganizationName>>>;

/// Holds an organization while it is rewrapped.
struct Only(Rewrapping, OrganizationName);

impl Drop for Only {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}

/// A generation to wrap under, which stays while this lives.
#[must_use]
pub struct Generation {
    number: u64,
    _wrapping: OwnedRwLockReadGuard<()>,
}

impl Generation {
    /// Its number.
    pub fn number(&self) -> u64 {
        self.number
    }
}

/// How far a rewrap is.
#[derive(Debug, Clone, Copy)]
pub struct Rewrapped {
    /// Keys done.
    pub done: u64,
    /// Keys in all, as far as is known.
    pub total: u64,
    /// The generation in force.
    pub generation: u64,
}

impl Keks {
    pub(super) fn new(enclave: Arc<Enclave>, changes: Arc<Changes>, store: Arc<dyn Store>) -> Self {
        let directory = Arc::clone(changes.directory());
        Self { directory, enclave, changes, store, wrapping: Mutex::default(), rewrapping: Arc::default() }
    }

    /// The generation to wrap under, which is made if it is the first.
    pub(super) async fn generation(&self, name: &OrganizationName) -> Result<Generation, Error> {
        // Looked up first: there are as many locks as organizations.
        self.organization(name)?;
        let wrapping = self.wrapping(name).read_owned().await;
        let number = match self.organization(name)?.kek_generation {
            0 => self.create_first(name).await?,
            number => number,
        };
        Ok(Generation { number, _wrapping: wrapping })
    }

    fn wrapping(&self, name: &OrganizationName) -> Arc<RwLock<()>> {
        let mut all = self.wrapping.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(name.clone()).or_default())
    }

    async fn create_first(&self, name: &OrganizationName) -> Result<u64, Error> {
        let _held = self.changes.hold_organizations().await;
        let organization = self.organization(name)?;
        if organization.kek_generation > 0 {
            return Ok(organization.kek_generation);
        }
        self.put_in_force(organization, 1).await?;
        Ok(1)
    }

    async fn put_in_force(&self, organization: Organization, generation: u64) -> Result<(), Error> {
        self.enclave.ensure_kek(&organization.name, generation).await?;
        let oldest_kek_generation = organization.oldest_kek_generation.max(1);
        let organization = Organization { kek_generation: generation, oldest_kek_generation, ..organization };
        let rows = vec![Row::Organization(organization)];
        self.changes.apply(Draft::state_change("CreateKeyEncryptionKey", &rows), rows).await?;
        Ok(())
    }

    /// Wraps all keys under a new generation and destroys the older ones; the generation, which is the oldest now, to be
    /// recorded. One that was interrupted is finished, under the generation that it made.
    pub(super) async fn rewrap(
        &self,
        name: &OrganizationName,
        mut progress: impl FnMut(Rewrapped),
    ) -> Result<u64, Error> {
        let _only = self.only(name)?;
        let mut organization = self.organization(name)?;
        if organization.kek_generation == organization.oldest_kek_generation {
            // Nobody wraps under the old generation after this. In this order: whoever wraps may wait for organizations.
            let wrapping = self.wrapping(name);
            let _nobody_wraps = wrapping.write().await;
            let _held = self.changes.hold_organizations().await;
            organization = self.organization(name)?;
            self.put_in_force(organization.clone(), organization.kek_generation + 1).await?;
            organization = self.organization(name)?;
        }
        let generation = organization.kek_generation;
        let total = self.store.count_wrapped(name.clone()).await.map_err(|error| failed(&error))?;
        let (mut done, mut after) = (0, None);
        loop {
            progress(Rewrapped { done, total: total.max(done), generation });
            let batch = self.store.wrapped_keys(name.clone(), after, BATCH).await.map_err(|error| failed(&error))?;
            let Some(last) = batch.last() else { break };
            after = Some(last.version.clone());
            let rewrapped = try_join_all(batch.into_iter().map(|key| self.rewrap_key(key, generation))).await?;
            done += rewrapped.len() as u64;
            let replacements = rewrapped.into_iter().flatten().collect();
            self.store.replace_wrapped(replacements).await.map_err(|error| failed(&error))?;
        }
        for old in organization.oldest_kek_generation..generation {
            self.enclave.destroy_kek(name, old).await?;
        }
        Ok(generation)
    }

    /// One rewrap of an organization at a time.
    fn only(&self, name: &OrganizationName) -> Result<Only, Error> {
        let mut rewrapping = self.rewrapping.lock().unwrap_or_else(PoisonError::into_inner);
        if rewrapping.insert(name.clone()) {
            return Ok(Only(Arc::clone(&self.rewrapping), name.clone()));
        }
        let message = format!("the keys of {name} are being rewrapped; wait for that to end");
        Err(Error::Precondition { reason: reasons::BUSY, message })
    }

    /// One key; none for one whose version was never registered, which is nobody's, or is DESTROYED: what a copy of the
    /// store brought back ends with the generation that it is wrapped under.
    async fn rewrap_key(&self, before: WrappedKey, generation: u64) -> Result<Option<Replacement>, Error> {
        let name: KeyVersionName = before.version.parse().map_err(Error::internal)?;
        let entry = self.directory.key(name.key());
        let version = entry.as_ref().and_then(|entry| entry.versions.get(&name.number()));
        let version = version.filter(|version| version.row.state != KeyState::Destroyed);
        let (Some(entry), Some(version)) = (&entry, version) else { return Ok(None) };
        let wrapped = self.enclave.rewrap(entry, version, before.wrapped.clone(), generation).await;
        match wrapped {
            Ok(wrapped) => Ok(Some(Replacement { before, wrapped })),
            Err(Error::Precondition { reason, message }) => Err(Error::Precondition {
                reason,
                message: format!("{name}: {message}; destroy this version or restore it, then rewrap again"),
            }),
            Err(error) => Err(error),
        }
    }

    fn organization(&self, name: &OrganizationName) -> Result<Organization, Error> {
        self.directory.organization(name).ok_or_else(|| Error::NotFound(name.to_string()))
    }
}

fn failed(error: &StoreError) -> Error {
    crate::changes::store_unavailable(error)
}
