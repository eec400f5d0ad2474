//! What object handles stand for: the service's objects, and a process's own.
//!
//! **Invariants**
//! * A handle stands for one object as long as the process lives, on every session and through every reconnect; none is
//!   given twice.
//! * What the caller may not use is never found.
//! * "Not found" is said only after the service was asked.
//!
//! **Not here**: cryptography (`operations`), pointers (`ffi`).

mod attributes;
mod change;
mod create;
mod entry;
mod generate;
mod given_key;
mod kinds;
mod listing;
mod plan;
mod refresh;
mod search;
mod template;
#[cfg(test)]
mod tests;

use crate::{
    attribute::Template,
    module::{Module, Session, config::Config},
    rv::{Result, Rv},
};
use chancery_api::v1::{self, KeyState};
use chancery_crypto::PublicKey;
use cryptoki_sys::*;
use entry::{Entry, class};
use listing::Listing;
use refresh::Slot;
use search::Search;
use std::sync::{Arc, PoisonError, RwLock};
use zeroize::Zeroizing;

/// What the handles of a module stand for. Their numbers outlast it: none is given twice in a process.
#[derive(Default)]
pub struct Objects {
    /// By slot id, from 1.
    slots: RwLock<Vec<Arc<Slot>>>,
}

/// What a handle stands for.
#[derive(Clone)]
pub enum Object {
    /// A private, public or secret object of a key version at the service.
    Key(Arc<Key>),
    /// A certificate at the service.
    Certificate(Arc<v1::Object>),
    /// A public key that a client brought along for a session's length (C_CreateObject).
    PublicKey(Arc<PublicKey>),
    /// A secret that lives here, for a session's length: derived, unwrapped or brought along.
    Secret(Arc<Secret>),
}

/// An object of a key version at the service.
pub struct Key {
    /// As the service has it.
    pub object: v1::Object,
    /// Of the version; `None` for secret keys.
    pub public_key: Option<PublicKey>,
}

/// A secret that lives in this process.
pub struct Secret {
    /// Its bytes.
    pub value: Zeroizing<Vec<u8>>,
    /// CKK_*.
    pub kind: u64,
    /// CKA_EXTRACTABLE: it may be wrapped.
    pub extractable: bool,
    /// CKA_EXTRACTABLE and not CKA_SENSITIVE: its value may be read.
    pub readable: bool,
}

/// What C_GetAttributeValue answers for one attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Its bytes, which may be a secret's.
    Bytes(Zeroizing<Vec<u8>>),
    /// CKR_ATTRIBUTE_SENSITIVE.
    Sensitive,
    /// CKR_ATTRIBUTE_TYPE_INVALID: the object has no such attribute.
    Absent,
}

impl Objects {
    /// C_Initialize. Nothing is known of what is there; handles of what is found again are the same.
    pub fn opened(&self, config: &Config) {
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        let fresh = config.slots.iter().enumerate().map(|(index, slot)| {
            let before = slots.get(index).filter(|before| before.organization() == slot.organization);
            let listing = before.map_or_else(Listing::default, |before| before.write().forgotten());
            Arc::new(Slot::new(slot.organization.clone(), listing.of(slot.sm2)))
        });
        *slots = fresh.collect();
    }

    /// What a handle stands for, if the session may see it (private objects: when logged in).
    ///
    /// # Errors
    /// `CKR_OBJECT_HANDLE_INVALID`; callers that mean a key answer `CKR_KEY_HANDLE_INVALID` instead.
    pub fn object(&self, module: &Module, session: &Session, handle: CK_OBJECT_HANDLE) -> Result<Object> {
        let entry = self.entry(module, session, handle)?;
        let alive = |entry: &Entry| entry.service().is_none_or(|object| object.state() == KeyState::Active);
        if alive(&entry) || entry.class() == CKO_CERTIFICATE {
            return Ok(entry.object.clone());
        }
        // It may have been activated since. Where the service does not say, what is known stands.
        let slot = self.slot(session)?;
        if !slot.recent() {
            let _ = slot.refresh(module);
        }
        Ok(self.entry(module, session, handle)?.object.clone())
    }

    /// Handles of what matches (C_FindObjectsInit), oldest first. It waits for the service rather than say that there is
    /// nothing.
    ///
    /// # Errors
    /// As PKCS#11 v3.0 §5.7.7; `CKR_SESSION_HANDLE_INVALID` where the service can't be asked until the deadline.
    pub fn find(&self, module: &Module, session: &Session, template: &Template) -> Result<Vec<CK_OBJECT_HANDLE>> {
        let slot = self.slot(session)?;
        let only = module.slot(session.slot)?.quirks.rsa_and_ec_only;
        let search = Search::new(template, module.logged_in(session.slot)).among_rsa_and_ec(only);
        if search.names() || slot.recent() || !search.concerns_service() {
            let found = search.run(&slot.read());
            if !found.is_empty() || !search.concerns_service() {
                return Ok(found);
            }
        }
        slot.refresh(module)?;
        Ok(search.run(&slot.read()))
    }

    /// The values of attributes, one by one.
    ///
    /// # Errors
    /// As PKCS#11 v3.0 §5.7.5.
    pub fn values(
        &self,
        module: &Module,
        session: &Session,
        handle: CK_OBJECT_HANDLE,
        kinds: &[CK_ATTRIBUTE_TYPE],
    ) -> Result<Vec<Value>> {
        let entry = self.entry(module, session, handle)?;
        Ok(kinds.iter().map(|kind| entry.value(*kind)).collect())
    }

    /// The objects of the session's slot.
    fn slot(&self, session: &Session) -> Result<Arc<Slot>> {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        let index = usize::try_from(session.slot).ok().and_then(|slot| slot.checked_sub(1));
        index.and_then(|index| slots.get(index)).cloned().ok_or(Rv(CKR_SESSION_HANDLE_INVALID))
    }

    /// What stands behind a handle that the session may see.
    fn entry(&self, module: &Module, session: &Session, handle: CK_OBJECT_HANDLE) -> Result<Arc<Entry>> {
        let entry = self.slot(session)?.read().entry(handle).cloned();
        entry.filter(|entry| !entry.private() || module.logged_in(session.slot)).ok_or(Rv(CKR_OBJECT_HANDLE_INVALID))
    }
}
