//! What a session has under way: digest, sign, verify, encrypt, decrypt; and the mechanisms there are.
//!
//! **Invariants**
//! * Asking for a length, or bringing a buffer that is too small, asks the service for nothing and ends nothing.
//! * An operation that the service is asked for is taken out of the session first: another thread of the same session
//!   meets "no operation active", never a lock that is held over the network.
//! * After any other error the operation is over (PKCS#11 v3.0 §5.2).
//!
//! **Not here**: finding (C_FindObjects is `ffi`'s, over a list of handles), making keys (`objects`).

mod bytes;
mod cipher;
mod decrypt;
mod derive;
mod digest;
mod encrypt;
mod hashing;
mod keys;
mod scheme;
mod sign;
mod stage;
mod table;
#[cfg(test)]
mod tests;
pub mod vendor;
mod verify;
mod wrap;

pub use decrypt::{decrypt, decrypt_final, decrypt_init, decrypt_update};
pub use derive::derive_key;
pub use digest::{digest, digest_final, digest_init, digest_key, digest_update};
pub use encrypt::{encrypt, encrypt_final, encrypt_init, encrypt_update};
pub use sign::{sign, sign_final, sign_init, sign_update};
pub use verify::{verify, verify_final, verify_init, verify_update};
pub use wrap::{unwrap_key, wrap_key};

use crate::{
    module::{Session, config::SlotConfig},
    rv::Result,
};
use cryptoki_sys::{
    CK_FLAGS, CK_MECHANISM_INFO, CK_MECHANISM_TYPE, CK_OBJECT_HANDLE, CKF_DECRYPT, CKF_DIGEST, CKF_ENCRYPT,
    CKF_FIND_OBJECTS, CKF_SIGN, CKF_VERIFY,
};
use stage::Stage;
use std::sync::{MutexGuard, PoisonError};

/// What one session has under way.
#[derive(Default)]
pub struct Operations {
    /// Handles that C_FindObjects has not given yet; `None`: no search is active.
    pub found: Option<std::collections::VecDeque<CK_OBJECT_HANDLE>>,
    digest: Stage<digest::Digesting>,
    sign: Stage<sign::Signing>,
    verify: Stage<verify::Verifying>,
    encrypt: Stage<encrypt::Encrypting>,
    decrypt: Stage<decrypt::Decrypting>,
}

impl Session {
    /// What it has under way. Never held while the service is asked.
    pub(crate) fn operations(&self) -> MutexGuard<'_, Operations> {
        self.operations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Mechanisms that a slot has, by its profile.
pub fn mechanisms(slot: &SlotConfig) -> Vec<CK_MECHANISM_TYPE> {
    table::rows(slot).map(|row| row.kind).collect()
}

/// Of one mechanism.
///
/// # Errors
/// `CKR_MECHANISM_INVALID`.
pub fn mechanism_info(slot: &SlotConfig, kind: CK_MECHANISM_TYPE) -> Result<CK_MECHANISM_INFO> {
    let row = table::row_of(slot, kind)?;
    Ok(CK_MECHANISM_INFO { ulMinKeySize: row.sizes.0, ulMaxKeySize: row.sizes.1, flags: row.flags })
}

/// Ends what a session has under way of the kinds that `flags` name (C_SessionCancel, PKCS#11 v3.0 §5.6.9): also a function
/// C_…Init without a mechanism.
pub fn cancel(session: &Session, flags: CK_FLAGS) {
    let mut operations = session.operations();
    if flags & CKF_FIND_OBJECTS != 0 {
        operations.found = None;
    }
    if flags & CKF_DIGEST != 0 {
        operations.digest.cancel();
    }
    if flags & CKF_SIGN != 0 {
        operations.sign.cancel();
    }
    if flags & CKF_VERIFY != 0 {
        operations.verify.cancel();
    }
    if flags & CKF_ENCRYPT != 0 {
        operations.encrypt.cancel();
    }
    if flags & CKF_DECRYPT != 0 {
        operations.decrypt.cancel();
    }
}

// The rest is one function for each C function, of the session given. `ffi` calls them, all with module and session first;
// errors are the standard's for that function. C_…Init whose mechanism is NULL is `cancel` with the flag of its kind.
