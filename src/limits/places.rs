//! How many keys there may be.
//!
//! **Invariant**: keys that are being made count, so that two who make the last one at once don't both succeed.

use crate::{
    config,
    directory::Directory,
    error::Error,
    model::{LimitSubject, PrincipalName},
};
use chancery_api::reasons;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

type Taken = Mutex<HashMap<LimitSubject, u64>>;

/// See the module.
pub(super) struct Places {
    directory: Arc<Directory>,
    per_organization: u64,
    per_owner: u64,
    /// Places of keys that are being made.
    taken: Arc<Taken>,
}

/// The place of a key that is being made. Dropped once the key is there, or will not be.
#[must_use]
pub struct KeyPlace {
    taken: Arc<Taken>,
    subjects: [LimitSubject; 2],
}

fn lock(taken: &Taken) -> MutexGuard<'_, HashMap<LimitSubject, u64>> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for KeyPlace {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        for subject in &self.subjects {
            match taken.get_mut(subject) {
                Some(count) if *count > 1 => *count -= 1,
                _ => drop(taken.remove(subject)),
            }
        }
    }
}

impl Places {
    pub(super) fn new(directory: Arc<Directory>, options: &config::Limits) -> Self {
        let (per_organization, per_owner) = (options.keys_per_organization, options.keys_per_owner);
        Self { directory, per_organization, per_owner, taken: Arc::default() }
    }

    /// A place for one more key of `owner`. The configuration's limit for owners is for those who make theirs themselves;
    /// one that an officer set holds whoever makes the key.
    pub(super) fn take(&self, owner: &PrincipalName, makes_it: bool) -> Result<KeyPlace, Error> {
        let organization = owner.organization();
        let subjects = [LimitSubject::Organization(organization.clone()), LimitSubject::Principal(owner.clone())];
        let set = |subject| self.directory.limit(subject).and_then(|limit| limit.keys);
        let of_organization = set(&subjects[0]).map_or(self.per_organization, |set| set.min(self.per_organization));
        let of_owner = set(&subjects[1]).or(makes_it.then_some(self.per_owner));
        let mut taken = lock(&self.taken);
        // After the lock: a key that came to be since has left its place, or still counts there.
        let there = [self.directory.count_keys(organization), self.directory.count_keys_of(owner)];
        for ((subject, there), most) in subjects.iter().zip(there).zip([Some(of_organization), of_owner]) {
            let taken = taken.get(subject).copied().unwrap_or(0);
            if most.is_some_and(|most| there.saturating_add(taken) >= most) {
                return Err(too_many(subject, most.unwrap_or_default()));
            }
        }
        for subject in &subjects {
            *taken.entry(subject.clone()).or_insert(0) += 1;
        }
        drop(taken);
        Ok(KeyPlace { taken: Arc::clone(&self.taken), subjects })
    }
}

fn too_many(subject: &LimitSubject, most: u64) -> Error {
    Error::Exhausted {
        reason: reasons::TOO_MANY_KEYS,
        message: format!(
            "{subject} may have {most} keys and has them; destroy keys that are not needed, or have a security officer \
             or the operator raise the limit"
        ),
        retry_after: None,
    }
}
