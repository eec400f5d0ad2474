//! The handles of ordinary keys, found once and shared by all sessions (handles are valid in every session of a
//! process, PKCS#11 v3.0 §5.6).
//!
//! **Invariants**: a handle enters the cache only after the token's public key matched the registered one; a key is
//! destroyed only while nobody signs with it, and its handle is never used again: a library may give the number to
//! another key.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use chancery_ipc::FaultReason;
use cryptoki::{object::ObjectHandle, session::Session};

use crate::{
    fault::{Failure, while_doing},
    objects::{self, ObjectId},
    spki::KeyKind,
};

/// A key whose handle is known.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) private: ObjectHandle,
    pub(crate) kind: KeyKind,
    public_key_sha256: [u8; 32],
    /// Read while signing, written when destroyed.
    in_token: RwLock<bool>,
    used: AtomicBool,
}

impl Key {
    /// Holds off destruction while the guard lives. `None` when the key was destroyed.
    pub(crate) fn hold(&self) -> Option<RwLockReadGuard<'_, bool>> {
        let guard = self.in_token.read().unwrap_or_else(PoisonError::into_inner);
        guard.then_some(guard)
    }

    /// Notes a signature; true for the handle's first.
    pub(crate) fn note_use(&self) -> bool {
        !self.used.load(Ordering::Relaxed) && !self.used.swap(true, Ordering::Relaxed)
    }
}

/// The cache.
#[derive(Debug)]
pub(crate) struct Keys {
    deployment: String,
    known: RwLock<HashMap<String, Arc<Key>>>,
    /// Held while the token is searched and while a key is destroyed: no handle is found of a key that is on its way
    /// out, and many requests for one new key search once.
    searching: Mutex<()>,
}

impl Keys {
    pub(crate) fn new(deployment: String) -> Self {
        Self { deployment, known: RwLock::default(), searching: Mutex::default() }
    }

    /// The id of `version`'s objects.
    pub(crate) fn id(&self, version: &str) -> Result<ObjectId, Failure> {
        objects::version_id(&self.deployment, version)
    }

    /// The key of `version`, which must have the registered public key.
    pub(crate) fn key(&self, session: &Session, version: &str, public_key_sha256: &[u8]) -> Result<Arc<Key>, Failure> {
        let key = match self.known(version) {
            Some(key) => key,
            None => self.search(session, version, public_key_sha256)?,
        };
        if key.public_key_sha256 != public_key_sha256 {
            return Err(mismatch(version));
        }
        Ok(key)
    }

    fn search(&self, session: &Session, version: &str, public_key_sha256: &[u8]) -> Result<Arc<Key>, Failure> {
        let id = self.id(version)?;
        let _searching = self.searching.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = self.known(version) {
            return Ok(key);
        }
        let pair = objects::find_pair(session, &id)?
            .ok_or_else(|| Failure::new(FaultReason::KeyNotFound, format!("the token holds no key of {version}")))?;
        let found = pair.public.sha256();
        if found != public_key_sha256 {
            return Err(mismatch(version));
        }
        let key = Arc::new(Key {
            private: pair.private,
            kind: pair.public.kind,
            public_key_sha256: found,
            in_token: RwLock::new(true),
            used: AtomicBool::new(false),
        });
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
        let id = self.id(version)?;
        let _searching = self.searching.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.known.write().unwrap_or_else(PoisonError::into_inner).remove(version);
        // Waits for signatures under way with this key; those that come after see `false`.
        let _gone = known.as_ref().map(|key| {
            let mut in_token = key.in_token.write().unwrap_or_else(PoisonError::into_inner);
            *in_token = false;
            in_token
        });
        // Private objects come first, so that a failure in between leaves nothing that could sign.
        let mut objects = objects::find(session, &id, Some(cryptoki::object::ObjectClass::PRIVATE_KEY))?;
        for object in objects::find(session, &id, None)? {
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

    fn known(&self, version: &str) -> Option<Arc<Key>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(version).cloned()
    }
}

fn mismatch(version: &str) -> Failure {
    let message = format!("the token's key of {version} is not the one that was registered");
    Failure::new(FaultReason::KeyMismatch, message)
}
