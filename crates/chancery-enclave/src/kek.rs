//! Key-encryption keys: one AES-256 key per organization and generation, in the token, which encrypts data keys and
//! nothing else.
//!
//! **Invariants**: a key-encryption key is sensitive, not extractable, and encrypts and decrypts only; generic verbs
//! can't name it (`objects::kek_id`); its use is internal and has no operation number. What it can't decrypt is a
//! tampered blob ([`FaultReason::Tampered`]), never a token fault, as long as it decrypts what it encrypted itself.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use chancery_ipc::{FaultReason, KeyAlgorithm, KeyPurpose};
use cryptoki::{object::ObjectHandle, session::Session};
use sha2::{Digest, Sha256};

use crate::{
    fault::{Failure, UseError},
    generate::{Maker, Wanted},
    keys::{Key, destroy_all},
    objects::{self, Directory},
};

/// `CKA_LABEL` of every key-encryption key.
const LABEL: &str = "chancery kek";

/// How a key-encryption key encrypts. The numbers stand in wrapped keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(crate) enum KekMechanism {
    /// None: an error.
    Unspecified = 0,
    /// CKM_AES_GCM, with associated data.
    AesGcm = 1,
    /// CKM_AES_CBC. It authenticates nothing: the wrapped key's own tag does.
    AesCbc = 2,
}

impl KekMechanism {
    /// As the standard calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "none",
            Self::AesGcm => "CKM_AES_GCM",
            Self::AesCbc => "CKM_AES_CBC",
        }
    }
}

/// Which key-encryption key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct KekName {
    /// Resource id of the organization.
    pub(crate) organization: String,
    /// Counted from 1.
    pub(crate) generation: u64,
}

/// The key-encryption keys of a deployment: found once, their handles shared by all sessions.
#[derive(Debug)]
pub(crate) struct Keks {
    directory: Arc<Directory>,
    mechanism: Option<KekMechanism>,
    known: RwLock<HashMap<KekName, Arc<Key>>>,
    /// As in `keys::Keys`.
    searching: Mutex<()>,
}

impl Keks {
    /// `mechanism` is what the token offers.
    pub(crate) fn new(directory: Arc<Directory>, mechanism: Option<KekMechanism>) -> Self {
        Self { directory, mechanism, known: RwLock::default(), searching: Mutex::default() }
    }

    /// The deployment that they are of.
    pub(crate) fn deployment(&self) -> &str {
        self.directory.deployment()
    }

    /// How data keys are encrypted from now on.
    ///
    /// # Errors
    /// `Unsupported` on a token that cannot.
    pub(crate) fn mechanism(&self) -> Result<KekMechanism, Failure> {
        self.mechanism.ok_or_else(|| {
            let message =
                "the token has no AES in GCM or CBC mode to encrypt enclave keys under: choose protection TOKEN";
            Failure::new(FaultReason::Unsupported, message)
        })
    }

    /// Makes the key unless it is there; true if it was made.
    pub(crate) fn ensure(&self, session: &Session, maker: &mut Maker, name: &KekName) -> Result<bool, Failure> {
        self.mechanism()?;
        let id = objects::kek_id(self.deployment(), &name.organization, name.generation)?;
        let _changing = self.directory.change();
        if objects::find_secret(session, &id, KeyAlgorithm::Aes256)?.is_some() {
            return Ok(false);
        }
        let (algorithm, purpose) = (KeyAlgorithm::Aes256, KeyPurpose::Encrypt);
        maker.generate(session, Wanted { id: &id, label: LABEL, algorithm, purpose })?;
        Ok(true)
    }

    /// Destroys the key; false when it was not there.
    pub(crate) fn destroy(&self, session: &Session, name: &KekName) -> Result<bool, Failure> {
        let id = objects::kek_id(self.deployment(), &name.organization, name.generation)?;
        let _searching = self.searching.lock().unwrap_or_else(PoisonError::into_inner);
        let _changing = self.directory.change();
        let known = self.known.write().unwrap_or_else(PoisonError::into_inner).remove(name);
        let destroy = || destroy_all(session, &id);
        Ok(known.map_or_else(destroy, |key| key.end(destroy))? > 0)
    }

    /// Has `work` done with the key. A stale handle is found anew, once.
    pub(crate) fn with<T>(
        &self,
        session: &Session,
        name: &KekName,
        mut work: impl FnMut(ObjectHandle) -> Result<T, UseError>,
    ) -> Result<T, Failure> {
        for _ in 0..2 {
            let key = self.key(session, name)?;
            let Some(_in_token) = key.hold() else { break };
            match work(key.object) {
                Ok(done) => return Ok(done),
                // Nothing of a caller's was performed, whatever the token did.
                Err(UseError::Failed(failure)) => return Err(Failure { maybe_performed: false, ..failure }),
                Err(UseError::StaleHandle) => self.forget(name, &key),
            }
        }
        Err(not_found(name))
    }

    fn key(&self, session: &Session, name: &KekName) -> Result<Arc<Key>, Failure> {
        if let Some(key) = self.known(name) {
            return Ok(key);
        }
        let id = objects::kek_id(self.deployment(), &name.organization, name.generation)?;
        let _searching = self.searching.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = self.known(name) {
            return Ok(key);
        }
        let _reading = self.directory.read();
        let object = objects::find_secret(session, &id, KeyAlgorithm::Aes256)?.ok_or_else(|| not_found(name))?;
        let key = Arc::new(Key::new(object, KeyAlgorithm::Aes256, Sha256::digest([]).into()));
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), Arc::clone(&key));
        Ok(key)
    }

    fn known(&self, name: &KekName) -> Option<Arc<Key>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    fn forget(&self, name: &KekName, key: &Arc<Key>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.get(name).is_some_and(|current| Arc::ptr_eq(current, key)) {
            known.remove(name);
        }
    }
}

fn not_found(KekName { organization, generation }: &KekName) -> Failure {
    let message = format!(
        "generation {generation} of {organization}'s key-encryption key is not in the token: what it wrapped is lost \
         unless it was wrapped anew or a backup holds it"
    );
    Failure::new(FaultReason::KekNotFound, message)
}
