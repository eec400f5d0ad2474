//! Verifying them (PKCS#11 v3.0 §5.15).

use super::{
    entry::{in_operation, in_session},
    mechanism,
    pointer::bytes,
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
    in_session(session, |module, session| {
        // SAFETY: see `super`.
        match unsafe { mechanism::mechanism(mechanism) }? {
            Some(mechanism) => operations::verify_init(module, session, &mechanism, key),
            None => {
                operations::cancel(session, KIND);
                Ok(())
            }
        }
    })
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
    in_operation(session, KIND, |module, session| {
        // SAFETY: see `super`.
        let part = unsafe { bytes(part, length) }?;
        operations::verify_update(module, session, part)
    })
}

/// PKCS#11 v3.0 §5.15.4.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_VerifyFinal(
    session: CK_SESSION_HANDLE,
    signature: *mut CK_BYTE,
    length: CK_ULONG,
) -> CK_RV {
    in_operation(session, KIND, |module, session| {
        // SAFETY: see `super`.
        let signature = unsafe { bytes(signature, length) }?;
        operations::verify_final(module, session, signature)
    })
}
