//! Digests (PKCS#11 v3.0 §5.12): all of it here.

use super::{
    entry::in_session,
    stages::{begin, convert, give, take},
};
use crate::operations;
use cryptoki_sys::{CK_BYTE, CK_FLAGS, CK_MECHANISM, CK_OBJECT_HANDLE, CK_RV, CK_SESSION_HANDLE, CK_ULONG, CKF_DIGEST};

const KIND: CK_FLAGS = CKF_DIGEST;

/// PKCS#11 v3.0 §5.12.1. Without a mechanism it ends what is under way.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_DigestInit(session: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM) -> CK_RV {
    // SAFETY: see `super`.
    unsafe { begin(session, KIND, mechanism, operations::digest_init) }
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
    // SAFETY: see `super`.
    unsafe { convert(session, KIND, (data, length), (digest, digest_length), operations::digest) }
}

/// PKCS#11 v3.0 §5.12.3.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_DigestUpdate(
    session: CK_SESSION_HANDLE,
    part: *mut CK_BYTE,
    length: CK_ULONG,
) -> CK_RV {
    // SAFETY: see `super`.
    unsafe { take(session, KIND, (part, length), operations::digest_update) }
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
    // SAFETY: see `super`.
    unsafe { give(session, KIND, (digest, length), operations::digest_final) }
}
