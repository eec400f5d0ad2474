//! The handles of the token's ordinary keys, found once and shared by all sessions (handles are valid in every session
//! of a process, PKCS#11 v3.0 §5.6).
//!
//! **Invariants**: a handle enters the cache only after the token's key matched the registered one; a key is destroyed
//! only while nobody uses it, and its handle is never used again: a library may give the number to another key.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use chancery_ipc::{FaultReason, KeyAlgorithm, KeyRef};
use cryptoki::{
    object::{ObjectClass, ObjectHandle},
    session::Session,
};
use sha2::{Digest, Sha256};

use crate::{
    fault::{Failure, while_doing},
    objects::{self, Directory},
    uses,
};

/// A key whose handle is known.
#[derive(Debug)]
pub(crate) struct Key {
    /// The private or secret key.
    pub(crate) object: ObjectHandle,
    algorithm: KeyAlgorithm,
    public_key_sha256: [u8; 32],
    /// Read while the key is used, written when it is destroyed.
    in_token: RwLock<bool>,
    used: AtomicBool,
}

impl Key {
    pub(crate) fn new(object: ObjectHandle, algorithm: KeyAlgorithm, public_key_sha256: [u8; 32]) -> Self {
        Self { object, algorithm, public_key_sha256, in_token: RwLock::new(true), used: AtomicBool::new(false) }
    }

    /// Holds off destruction while the guard lives. `None` when the key was destroyed.
    pub(crate) fn hold(&self) -> Option<RwLockReadGuard<'_, bool>> {
        let guard = self.in_token.read().unwrap_or_else(PoisonError::into_inner);
        guard.then_some(guard)
    }

    /// Waits for uses under way, lets `destroy` remove the objects, and refuses every use that comes after.
    pub(crate) fn end<T>(&self, destroy: impl FnOnce() -> T) -> T {
        let mut in_token = self.in_token.write().unwrap_or_else(PoisonError::into_inner);
        *in_token = false;
        destroy()
    }

    /// Notes a use; true for the handle's first.
    pub(crate) fn note_use(&self) -> bool {
        !self.used.load(Ordering::Relaxed) && !self.used.swap(true, Ordering::Relaxed)
    }

    fn is(&self, registered: &KeyRef) -> bool {
        self.public_key_sha256 == registered.public_key_sha256[..] && self.algorithm == registered.algorithm()
    }
}

/// The cache.
#[derive(Debug)]
pub(crate) struct Keys {
    directory: Arc<Directory>,
    known: RwLock<HashMap<String, Arc<Key>>>,
    /// Held while the token is searched and while a key is destroyed: no handle is found of a key that is on its way
    /// out, and many requests for one new key search once. Taken before the directory's lock.
    searching: Mutex<()>,
}

impl Keys {
    pub(crate) fn new(directory: Arc<Directory>) -> Self {
        Self { directory, known: RwLock::default(), searching: Mutex::default() }
    }

    /// The key that was registered as `registered`.
    pub(crate) fn key(&self, session: &Session, registered: &KeyRef) -> Result<Arc<Key>, Failure> {
        let key = match self.known(&registered.version) {
            Some(key) => key,
            None => self.search(session, registered)?,
        };
        if !key.is(registered) {
            return Err(mismatch(&registered.version));
        }
        Ok(key)
    }

    fn search(&self, session: &Session, registered: &KeyRef) -> Result<Arc<Key>, Failure> {
        let version = &registered.version;
        let id = self.directory.version_id(version)?;
        let _searching = self.searching.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = self.known(version) {
            return Ok(key);
        }
        let _reading = self.directory.read();
        let algorithm = registered.algorithm();
        let key = if uses::is_secret(algorithm) {
            let object = objects::find_secret(session, &id, algorithm)?;
            object.map(|object| Key::new(object, algorithm, Sha256::digest([]).into()))
        } else {
            let pair = objects::find_pair(session, &id)?;
            pair.map(|pair| Key::new(pair.private, pair.public.algorithm, pair.public.sha256()))
        };
        let key =
            key.ok_or_else(|| Failure::new(FaultReason::KeyNotFound, format!("the token holds no key of {version}")))?;
        if !key.is(registered) {
            return Err(mismatch(version));
        }
        let key = Arc::new(key);
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(version.to_owned(), Arc::clone(&key));
        Ok(key)
    }

    /// Forgets `key` if it is still the one known: its handle went stale.
    pub(crate) fn forget(&self, version: &str, key: &Arc<Key>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.get(version).is_some_and(|current| Arc::ptr_eq(current, key)) {
            known.remove(version);
        }
    }

    /// Destroys every object of `version` and gives their number.
    pub(crate) fn destroy(&self, session: &Session, version: &str) -> Result<u32, Failure> {
        let id = self.directory.version_id(version)?;
        let _searching = self.searching.lock().unwrap_or_else(PoisonError::into_inner);
        let _changing = self.directory.change();
        let known = self.known.write().unwrap_or_else(PoisonError::into_inner).remove(version);
        let destroy = || destroy_all(session, &id);
        known.map_or_else(destroy, |key| key.end(destroy))
    }

    fn known(&self, version: &str) -> Option<Arc<Key>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(version).cloned()
    }
}

/// Destroys every object with this id and gives their number. Private and secret ones come first, so that a failure in
/// between leaves nothing that could be used.
pub(crate) fn destroy_all(session: &Session, id: &objects::ObjectId) -> Result<u32, Failure> {
    let mut objects = objects::find(session, id, Some(ObjectClass::PRIVATE_KEY))?;
    objects.extend(objects::find(session, id, Some(ObjectClass::SECRET_KEY))?);
    for object in objects::find(session, id, None)? {
        if !objects.contains(&object) {
            objects.push(object);
        }
    }
    let mut count = 0;
    for object in objects {
        session
            .destroy_object(object)
            .map_err(while_doing("destroying a key"))
            .map_err(|failure| if count > 0 { failure.after_a_change() } else { failure })?;
        count += 1;
    }
    Ok(count)
}

fn mismatch(version: &str) -> Failure {
    let message = format!("the token's key of {version} is not the one that was registered");
    Failure::new(FaultReason::KeyMismatch, message)
}
