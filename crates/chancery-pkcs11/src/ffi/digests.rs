//! Digests (PKCS#11 v3.0 §5.12): all of it here.

use super::{
    entry::{in_operation, in_session},
    mechanism,
    output::Buffer,
    pointer::bytes,
};
use crate::operations;
use cryptoki_sys::{CK_BYTE, CK_FLAGS, CK_MECHANISM, CK_OBJECT_HANDLE, CK_RV, CK_SESSION_HANDLE, CK_ULONG, CKF_DIGEST};

const KIND: CK_FLAGS = CKF_DIGEST;

/// PKCS#11 v3.0 §5.12.1. Without a mechanism it ends what is under way.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_DigestInit(session: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM) -> CK_RV {
    in_session(session, |module, session| {
        // SAFETY: see `super`.
        match unsafe { mechanism::mechanism(mechanism) }? {
            Some(mechanism) => operations::digest_init(module, session, &mechanism),
            None => {
                operations::cancel(session, KIND);
                Ok(())
            }
        }
    })
}

/// PKCS#11 v3.0 §5.12.2.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_Digest(
    session: CK_SESSION_HANDLE,
    data: *mut CK_BYTE,
    length: CK_ULONG,
    digest: *mut CK_BYTE,
    digest_length: *mut CK_ULONG,
) -> CK_RV {
    in_operation(session, KIND, |module, session| {
        // SAFETY: see `super`.
        let (data, digest) = unsafe { (bytes(data, length)?, Buffer::new(digest, digest_length)?) };
        digest.fill(|room| operations::digest(module, session, data, room))
    })
}

/// PKCS#11 v3.0 §5.12.3.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_DigestUpdate(
    session: CK_SESSION_HANDLE,
    part: *mut CK_BYTE,
    length: CK_ULONG,
) -> CK_RV {
    in_operation(session, KIND, |module, session| {
        // SAFETY: see `super`.
        let part = unsafe { bytes(part, length) }?;
        operations::digest_update(module, session, part)
    })
}

/// PKCS#11 v3.0 §5.12.4.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_DigestKey(session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE) -> CK_RV {
    in_session(session, |module, session| operations::digest_key(module, session, key))
}

/// PKCS#11 v3.0 §5.12.5.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_DigestFinal(
    session: CK_SESSION_HANDLE,
    digest: *mut CK_BYTE,
    length: *mut CK_ULONG,
) -> CK_RV {
    in_operation(session, KIND, |module, session| {
        // SAFETY: see `super`.
        let digest = unsafe { Buffer::new(digest, length) }?;
        digest.fill(|room| operations::digest_final(module, session, room))
    })
}
