//! Enclave keys while they are open: a bounded cache by version name.
//!
//! **Invariants**: never more than the bound are open beside those in use this moment; a key is opened only as what it
//! was registered as, and used only by requests that say the same of it. Once [`OpenKeys::close`] returns, nobody uses
//! the key and its bytes are wiped. Evicted, closed or replaced means dropped, and dropped means wiped.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use chancery_ipc::{FaultReason, KeyOrigin, KeyPurpose, KeyRef};
use sha2::{Digest, Sha256};

use crate::{fault::Failure, software::SoftwareKey};

/// An open key and what it was opened as.
pub(crate) struct OpenKey {
    key: SoftwareKey,
    public_key_sha256: [u8; 32],
    purpose: KeyPurpose,
    origin: KeyOrigin,
    /// It was used since it was opened.
    used: AtomicBool,
    /// It was used since the hand last passed: see [`Ring::evict`].
    recent: AtomicBool,
}

impl OpenKey {
    /// Opens a secret encoding as the key that was registered.
    ///
    /// # Errors
    /// `Tampered` when it is no such key. Its wrapping said that it is, so it was wrapped wrongly.
    pub(crate) fn new(registered: &KeyRef, secret: &[u8]) -> Result<Self, Failure> {
        let tampered = |why: &str| {
            let message = format!("the wrapped key of {} holds another key: {why}", registered.version);
            Failure::new(FaultReason::Tampered, message)
        };
        let key = match SoftwareKey::from_secret(registered.algorithm(), secret) {
            Err(failure) if failure.reason == FaultReason::BadKey => return Err(tampered(&failure.message)),
            opened => opened?,
        };
        let public_key_sha256: [u8; 32] = Sha256::digest(key.public_key_spki()).into();
        if public_key_sha256 != registered.public_key_sha256[..] {
            return Err(tampered("its public key is not the registered one"));
        }
        Ok(Self {
            key,
            public_key_sha256,
            purpose: registered.purpose(),
            origin: registered.origin(),
            used: AtomicBool::new(false),
            recent: AtomicBool::new(true),
        })
    }

    /// The key itself.
    pub(crate) fn key(&self) -> &SoftwareKey {
        &self.key
    }

    /// Notes a use; true for the first since it was opened.
    pub(crate) fn note_use(&self) -> bool {
        !self.used.load(Ordering::Relaxed) && !self.used.swap(true, Ordering::Relaxed)
    }

    fn is(&self, registered: &KeyRef) -> bool {
        self.public_key_sha256 == registered.public_key_sha256[..]
            && self.key.algorithm() == registered.algorithm()
            && self.purpose == registered.purpose()
            && self.origin == registered.origin()
    }
}

/// The cache.
pub(crate) struct OpenKeys {
    bound: usize,
    ring: RwLock<Ring>,
    /// Read while a key is opened and used, written to close one: so that waits for uses under way.
    uses: RwLock<()>,
}

impl OpenKeys {
    /// For at most `bound` keys.
    pub(crate) fn new(bound: usize) -> Self {
        Self { bound, ring: RwLock::default(), uses: RwLock::default() }
    }

    /// Has `work` done with a key, which `open` opens if it is not open.
    ///
    /// # Errors
    /// `KeyMismatch` when the key that is open is not as registered and no wrapped one came.
    pub(crate) fn with<T>(
        &self,
        registered: &KeyRef,
        open: impl FnOnce() -> Result<OpenKey, Failure>,
        work: impl FnOnce(&OpenKey) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let _using = self.uses.read().unwrap_or_else(PoisonError::into_inner);
        let known = self.read().get(&registered.version);
        let key = match known {
            Some(key) if key.is(registered) => key,
            Some(_) if registered.wrapped.is_empty() => {
                let message = format!("the open key of {} is not the one that was registered", registered.version);
                return Err(Failure::new(FaultReason::KeyMismatch, message));
            }
            _ => {
                let key = Arc::new(open()?);
                self.write().insert(&registered.version, Arc::clone(&key), self.bound);
                key
            }
        };
        work(&key)
    }

    /// Waits for uses under way, then wipes the key; false when it was not open.
    pub(crate) fn close(&self, version: &str) -> bool {
        let _nobody_uses = self.uses.write().unwrap_or_else(PoisonError::into_inner);
        self.write().remove(version).is_some()
    }

    fn read(&self) -> RwLockReadGuard<'_, Ring> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Ring> {
        self.ring.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keys in a ring with a hand (the clock algorithm): close to least recently used, and a use changes one bit.
#[derive(Default)]
struct Ring {
    keys: Vec<(String, Arc<OpenKey>)>,
    places: HashMap<String, usize>,
    hand: usize,
}

impl Ring {
    fn get(&self, version: &str) -> Option<Arc<OpenKey>> {
        let (_, key) = &self.keys[*self.places.get(version)?];
        if !key.recent.load(Ordering::Relaxed) {
            key.recent.store(true, Ordering::Relaxed);
        }
        Some(Arc::clone(key))
    }

    fn insert(&mut self, version: &str, key: Arc<OpenKey>, bound: usize) {
        self.remove(version);
        while self.keys.len() >= bound {
            self.evict();
        }
        self.places.insert(version.to_owned(), self.keys.len());
        self.keys.push((version.to_owned(), key));
    }

    fn remove(&mut self, version: &str) -> Option<Arc<OpenKey>> {
        let place = self.places.remove(version)?;
        let (_, key) = self.keys.swap_remove(place);
        if let Some((moved, _)) = self.keys.get(place) {
            *self.places.get_mut(moved).expect("what stands in the ring has its place noted") = place;
        }
        Some(key)
    }

    /// Passes over keys that were used since it last came by, and drops the first that was not.
    fn evict(&mut self) {
        loop {
            self.hand %= self.keys.len();
            let (version, key) = &self.keys[self.hand];
            if !key.recent.swap(false, Ordering::Relaxed) {
                let version = version.clone();
                self.remove(&version);
                return;
            }
            self.hand += 1;
        }
    }
}
