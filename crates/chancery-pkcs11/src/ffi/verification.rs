//! Verifying them (PKCS#11 v3.0 §5.15).

use super::{
    entry::in_operation,
    pointer::bytes,
    stages::{begin, take},
};
use crate::operations;
use cryptoki_sys::{CK_BYTE, CK_FLAGS, CK_MECHANISM, CK_OBJECT_HANDLE, CK_RV, CK_SESSION_HANDLE, CK_ULONG, CKF_VERIFY};

const KIND: CK_FLAGS = CKF_VERIFY;

/// PKCS#11 v3.0 §5.15.1. Without a mechanism it ends what is under way.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_VerifyInit(
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
    key: CK_OBJECT_HANDLE,
) -> CK_RV {
    let init = |module: &_, session: &_, mechanism: &_| operations::verify_init(module, session, mechanism, key);
    // SAFETY: see `super`.
    unsafe { begin(session, KIND, mechanism, init) }
}

/// PKCS#11 v3.0 §5.15.2.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_Verify(
    session: CK_SESSION_HANDLE,
    data: *mut CK_BYTE,
    length: CK_ULONG,
    signature: *mut CK_BYTE,
    signature_length: CK_ULONG,
) -> CK_RV {
    in_operation(session, KIND, |module, session| {
        // SAFETY: see `super`.
        let (data, signature) = unsafe { (bytes(data, length)?, bytes(signature, signature_length)?) };
        operations::verify(module, session, data, signature)
    })
}

/// PKCS#11 v3.0 §5.15.3.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_VerifyUpdate(
    session: CK_SESSION_HANDLE,
    part: *mut CK_BYTE,
    length: CK_ULONG,
) -> CK_RV {
    // SAFETY: see `super`.
    unsafe { take(session, KIND, (part, length), operations::verify_update) }
}

/// PKCS#11 v3.0 §5.15.4.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_VerifyFinal(
    session: CK_SESSION_HANDLE,
    signature: *mut CK_BYTE,
    length: CK_ULONG,
) -> CK_RV {
    // SAFETY: see `super`.
    unsafe { take(session, KIND, (signature, length), operations::verify_final) }
}
