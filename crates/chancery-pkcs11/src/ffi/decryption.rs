//! Decrypting (PKCS#11 v3.0 §5.10).

use super::{
    entry::{in_operation, in_session},
    mechanism,
    output::Buffer,
    pointer::bytes,
};
use crate::operations;
use cryptoki_sys::{
    CK_BYTE, CK_FLAGS, CK_MECHANISM, CK_OBJECT_HANDLE, CK_RV, CK_SESSION_HANDLE, CK_ULONG, CKF_DECRYPT,
};

const KIND: CK_FLAGS = CKF_DECRYPT;

/// PKCS#11 v3.0 §5.10.1. Without a mechanism it ends what is under way.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_DecryptInit(
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
    key: CK_OBJECT_HANDLE,
) -> CK_RV {
    in_session(session, |module, session| {
        // SAFETY: see `super`.
        match unsafe { mechanism::mechanism(mechanism) }? {
            Some(mechanism) => operations::decrypt_init(module, session, &mechanism, key),
            None => {
                operations::cancel(session, KIND);
                Ok(())
            }
        }
    })
}

/// PKCS#11 v3.0 §5.10.2.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_Decrypt(
    session: CK_SESSION_HANDLE,
    data: *mut CK_BYTE,
    length: CK_ULONG,
    decrypted: *mut CK_BYTE,
    decrypted_length: *mut CK_ULONG,
) -> CK_RV {
    in_operation(session, KIND, |module, session| {
        // SAFETY: see `super`.
        let (data, decrypted) = unsafe { (bytes(data, length)?, Buffer::new(decrypted, decrypted_length)?) };
        decrypted.fill(|room| operations::decrypt(module, session, data, room))
    })
}

/// PKCS#11 v3.0 §5.10.3.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_DecryptUpdate(
    session: CK_SESSION_HANDLE,
    data: *mut CK_BYTE,
    length: CK_ULONG,
    decrypted: *mut CK_BYTE,
    decrypted_length: *mut CK_ULONG,
) -> CK_RV {
    in_operation(session, KIND, |module, session| {
        // SAFETY: see `super`.
        let (data, decrypted) = unsafe { (bytes(data, length)?, Buffer::new(decrypted, decrypted_length)?) };
        decrypted.fill(|room| operations::decrypt_update(module, session, data, room))
    })
}

/// PKCS#11 v3.0 §5.10.4.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_DecryptFinal(
    session: CK_SESSION_HANDLE,
    decrypted: *mut CK_BYTE,
    length: *mut CK_ULONG,
) -> CK_RV {
    in_operation(session, KIND, |module, session| {
        // SAFETY: see `super`.
        let decrypted = unsafe { Buffer::new(decrypted, length) }?;
        decrypted.fill(|room| operations::decrypt_final(module, session, room))
    })
}
