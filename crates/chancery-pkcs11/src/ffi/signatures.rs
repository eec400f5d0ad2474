//! Signing and message authentication codes (PKCS#11 v3.0 §5.13).

use super::stages::{begin, convert, give, take};
use crate::operations;
use cryptoki_sys::{CK_BYTE, CK_FLAGS, CK_MECHANISM, CK_OBJECT_HANDLE, CK_RV, CK_SESSION_HANDLE, CK_ULONG, CKF_SIGN};

const KIND: CK_FLAGS = CKF_SIGN;

/// PKCS#11 v3.0 §5.13.1. Without a mechanism it ends what is under way.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_SignInit(
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
    key: CK_OBJECT_HANDLE,
) -> CK_RV {
    let init = |module: &_, session: &_, mechanism: &_| operations::sign_init(module, session, mechanism, key);
    // SAFETY: see `super`.
    unsafe { begin(session, KIND, mechanism, init) }
}

/// PKCS#11 v3.0 §5.13.2.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_Sign(
    session: CK_SESSION_HANDLE,
    data: *mut CK_BYTE,
    length: CK_ULONG,
    signature: *mut CK_BYTE,
    signature_length: *mut CK_ULONG,
) -> CK_RV {
    // SAFETY: see `super`.
    unsafe { convert(session, KIND, (data, length), (signature, signature_length), operations::sign) }
}

/// PKCS#11 v3.0 §5.13.3.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_SignUpdate(
    session: CK_SESSION_HANDLE,
    part: *mut CK_BYTE,
    length: CK_ULONG,
) -> CK_RV {
    // SAFETY: see `super`.
    unsafe { take(session, KIND, (part, length), operations::sign_update) }
}

/// PKCS#11 v3.0 §5.13.4.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_SignFinal(
    session: CK_SESSION_HANDLE,
    signature: *mut CK_BYTE,
    length: *mut CK_ULONG,
) -> CK_RV {
    // SAFETY: see `super`.
    unsafe { give(session, KIND, (signature, length), operations::sign_final) }
}
