//! Keys that operations are begun with, and whether they may be (PKCS#11 v3.0 §5.13.1 and its siblings).
//!
//! **Invariant**: of a key that is given out, the class, the algorithm and the purpose suit the operation, and the state was
//! ACTIVE when it was last heard of. The service decides again.

use crate::{
    module::{Module, Session, config::SlotConfig},
    objects::{Key, Object},
    rv::{Result, Rv},
};
use chancery_api::v1::{self, KeyState, ObjectClass, Purpose};
use chancery_crypto::PublicKey;
use chancery_model::Algorithm;
use cryptoki_sys::{
    CK_OBJECT_HANDLE, CKR_KEY_FUNCTION_NOT_PERMITTED, CKR_KEY_HANDLE_INVALID, CKR_KEY_TYPE_INCONSISTENT,
    CKR_OBJECT_HANDLE_INVALID, CKR_SESSION_HANDLE_INVALID,
};
use std::sync::Arc;

/// The slot that a session is on.
pub(super) fn slot<'a>(module: &'a Module, session: &Session) -> Result<&'a SlotConfig> {
    let index = usize::try_from(session.slot).ok().and_then(|slot| slot.checked_sub(1));
    index.and_then(|index| module.config.slots.get(index)).ok_or(Rv(CKR_SESSION_HANDLE_INVALID))
}

/// What a key's handle stands for.
pub(super) fn object(module: &Module, session: &Session, handle: CK_OBJECT_HANDLE) -> Result<Object> {
    module.objects.object(module, session, handle).map_err(|error| match error {
        Rv(CKR_OBJECT_HANDLE_INVALID) => Rv(CKR_KEY_HANDLE_INVALID),
        other => other,
    })
}

/// A private or secret key at the service, of an algorithm that `suits`, for `purpose`.
///
/// # Errors
/// `CKR_KEY_HANDLE_INVALID`, `CKR_KEY_TYPE_INCONSISTENT`, `CKR_KEY_FUNCTION_NOT_PERMITTED`.
pub(super) fn held(
    module: &Module,
    session: &Session,
    handle: CK_OBJECT_HANDLE,
    suits: impl Fn(Algorithm) -> bool,
    purpose: Purpose,
) -> Result<Arc<Key>> {
    match object(module, session, handle)? {
        Object::Key(key) => {
            if !suits(algorithm(&key)?) {
                return Err(Rv(CKR_KEY_TYPE_INCONSISTENT));
            }
            let class = key.object.class();
            let whole = matches!(class, ObjectClass::PrivateKeyObject | ObjectClass::SecretKeyObject);
            // The service may have more to say of what is not known to be ACTIVE any more.
            let alive = key.object.state() == KeyState::Active;
            if !whole || key.object.purpose() != purpose || !alive {
                return Err(Rv(CKR_KEY_FUNCTION_NOT_PERMITTED));
            }
            Ok(key)
        }
        Object::PublicKey(_) | Object::Secret(_) => Err(Rv(CKR_KEY_FUNCTION_NOT_PERMITTED)),
        Object::Certificate(_) => Err(Rv(CKR_KEY_HANDLE_INVALID)),
    }
}

/// A public key: at the service, or brought along.
#[derive(Clone)]
pub(super) enum Public {
    /// At the service.
    Held(Arc<Key>),
    /// Brought along.
    Brought(Arc<PublicKey>),
}

impl Public {
    /// The key itself.
    pub(super) fn key(&self) -> Result<&PublicKey> {
        match self {
            Self::Held(key) => key.public_key.as_ref().ok_or(Rv(CKR_KEY_HANDLE_INVALID)),
            Self::Brought(key) => Ok(key),
        }
    }
}

/// A public key of an algorithm that `suits`, for one of `purposes` where it is the service's. Its state does not matter:
/// what was signed is verified for ever.
///
/// # Errors
/// As [`held`].
pub(super) fn public(
    module: &Module,
    session: &Session,
    handle: CK_OBJECT_HANDLE,
    suits: impl Fn(Algorithm) -> bool,
    purposes: &[Purpose],
) -> Result<Public> {
    let (algorithm, public, permitted) = match object(module, session, handle)? {
        Object::Key(key) => {
            let permitted =
                key.object.class() == ObjectClass::PublicKeyObject && purposes.contains(&key.object.purpose());
            (algorithm(&key)?, Public::Held(key), permitted)
        }
        Object::PublicKey(key) => (key.algorithm(), Public::Brought(key), true),
        Object::Secret(_) => return Err(Rv(CKR_KEY_TYPE_INCONSISTENT)),
        Object::Certificate(_) => return Err(Rv(CKR_KEY_HANDLE_INVALID)),
    };
    match (suits(algorithm), permitted) {
        (false, _) => Err(Rv(CKR_KEY_TYPE_INCONSISTENT)),
        (true, false) => Err(Rv(CKR_KEY_FUNCTION_NOT_PERMITTED)),
        (true, true) => Ok(public),
    }
}

/// The algorithm of a key at the service.
///
/// # Errors
/// `CKR_KEY_TYPE_INCONSISTENT`: one that this module does not know.
pub(super) fn algorithm(key: &Key) -> Result<Algorithm> {
    match (&key.public_key, key.object.algorithm()) {
        (Some(public_key), _) => Ok(public_key.algorithm()),
        (None, v1::Algorithm::Aes256) => Ok(Algorithm::Aes256),
        (None, v1::Algorithm::Sm4) => Ok(Algorithm::Sm4),
        (None, v1::Algorithm::HmacSha256) => Ok(Algorithm::HmacSha256),
        (None, _) => Err(Rv(CKR_KEY_TYPE_INCONSISTENT)),
    }
}
