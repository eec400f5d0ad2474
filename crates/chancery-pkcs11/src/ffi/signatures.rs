//! Signing and message authentication codes (PKCS#11 v3.0 §5.13).

use super::{
    entry::{in_operation, in_session},
    mechanism,
    output::Buffer,
    pointer::bytes,
};
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
    in_session(session, |module, session| {
        // SAFETY: see `super`.
        match unsafe { mechanism::mechanism(mechanism) }? {
            Some(mechanism) => operations::sign_init(module, session, &mechanism, key),
            None => {
                operations::cancel(session, KIND);
                Ok(())
            }
        }
    })
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
    in_operation(session, KIND, |module, session| {
        // SAFETY: see `super`.
        let (data, signature) = unsafe { (bytes(data, length)?, Buffer::new(signature, signature_length)?) };
        signature.fill(|room| operations::sign(module, session, data, room))
    })
}

/// PKCS#11 v3.0 §5.13.3.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_SignUpdate(
    session: CK_SESSION_HANDLE,
    part: *mut CK_BYTE,
    length: CK_ULONG,
) -> CK_RV {
    in_operation(session, KIND, |module, session| {
        // SAFETY: see `super`.
        let part = unsafe { bytes(part, length) }?;
        operations::sign_update(module, session, part)
    })
}

/// PKCS#11 v3.0 §5.13.4.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_SignFinal(
    session: CK_SESSION_HANDLE,
    signature: *mut CK_BYTE,
    length: *mut CK_ULONG,
) -> CK_RV {
    in_operation(session, KIND, |module, session| {
        // SAFETY: see `super`.
        let signature = unsafe { Buffer::new(signature, length) }?;
        signature.fill(|room| operations::sign_final(module, session, room))
    })
}
