//! How many keys that do not stay an owner may have at a time.
//!
//! **Invariant**: keys that are being made count, so that two who make the last one at once don't both succeed.

use crate::{
    config::Pkcs11Options,
    directory::Directory,
    error::Error,
    model::{KeyStanding, PrincipalName},
};
use chancery_api::reasons;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

type Taken = Mutex<HashMap<(PrincipalName, KeyStanding), u64>>;

/// See the module.
pub(in crate::keys) struct PassingPlaces {
    directory: Arc<Directory>,
    provisional: u64,
    session: u64,
    taken: Arc<Taken>,
}

/// The place of a key that is being made. Dropped once the key is there, or will not be.
#[must_use]
pub(in crate::keys) struct PassingPlace {
    taken: Arc<Taken>,
    of: (PrincipalName, KeyStanding),
}

fn lock(taken: &Taken) -> MutexGuard<'_, HashMap<(PrincipalName, KeyStanding), u64>> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for PassingPlace {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        match taken.get_mut(&self.of) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(taken.remove(&self.of)),
        }
    }
}

impl PassingPlaces {
    pub(in crate::keys) fn new(directory: Arc<Directory>, options: &Pkcs11Options) -> Self {
        let (provisional, session) = (options.provisional_keys, options.session_keys);
        Self { directory, provisional, session, taken: Arc::default() }
    }

    /// A place for one more key of this standing; none is needed for one that stays.
    pub(in crate::keys) fn take(
        &self,
        owner: &PrincipalName,
        standing: KeyStanding,
    ) -> Result<Option<PassingPlace>, Error> {
        let most = match standing {
            KeyStanding::Named => return Ok(None),
            KeyStanding::Provisional => self.provisional,
            KeyStanding::Session => self.session,
        };
        let of = (owner.clone(), standing);
        let mut taken = lock(&self.taken);
        // After the lock: a key that came to be since has left its place, or still counts there.
        let (provisional, session) = self.directory.passing_keys(owner);
        let there = if standing == KeyStanding::Session { session } else { provisional };
        if there.saturating_add(taken.get(&of).copied().unwrap_or(0)) >= most {
            return Err(too_many(owner, standing, most));
        }
        *taken.entry(of.clone()).or_insert(0) += 1;
        drop(taken);
        Ok(Some(PassingPlace { taken: Arc::clone(&self.taken), of }))
    }
}

fn too_many(owner: &PrincipalName, standing: KeyStanding, most: u64) -> Error {
    let (reason, message) = match standing {
        KeyStanding::Session => (
            reasons::TOO_MANY_SESSION_KEYS,
            format!(
                "{owner} has {most} session keys, as many as it may; close sessions, or have the operator raise \
                 `pkcs11.session_keys`"
            ),
        ),
        _ => (
            reasons::TOO_MANY_PROVISIONAL_KEYS,
            format!(
                "{owner} has {most} keys that it neither named nor used, as many as it may; use them, give both halves \
                 one CKA_ID, or destroy them (C_DestroyObject)"
            ),
        ),
    };
    Error::Exhausted { reason, message, retry_after: None }
}
