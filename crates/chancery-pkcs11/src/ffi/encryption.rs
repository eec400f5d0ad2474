//! Encrypting (PKCS#11 v3.0 §5.8).

use super::{
    entry::{in_operation, in_session},
    mechanism,
    output::Buffer,
    pointer::bytes,
};
use crate::operations;
use cryptoki_sys::{
    CK_BYTE, CK_FLAGS, CK_MECHANISM, CK_OBJECT_HANDLE, CK_RV, CK_SESSION_HANDLE, CK_ULONG, CKF_ENCRYPT,
};

const KIND: CK_FLAGS = CKF_ENCRYPT;

/// PKCS#11 v3.0 §5.8.1. Without a mechanism it ends what is under way.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_EncryptInit(
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
    key: CK_OBJECT_HANDLE,
) -> CK_RV {
    in_session(session, |module, session| {
        // SAFETY: see `super`.
        match unsafe { mechanism::mechanism(mechanism) }? {
            Some(mechanism) => operations::encrypt_init(module, session, &mechanism, key),
            None => {
                operations::cancel(session, KIND);
                Ok(())
            }
        }
    })
}

/// PKCS#11 v3.0 §5.8.2.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_Encrypt(
    session: CK_SESSION_HANDLE,
    data: *mut CK_BYTE,
    length: CK_ULONG,
    encrypted: *mut CK_BYTE,
    encrypted_length: *mut CK_ULONG,
) -> CK_RV {
    in_operation(session, KIND, |module, session| {
        // SAFETY: see `super`.
        let (data, encrypted) = unsafe { (bytes(data, length)?, Buffer::new(encrypted, encrypted_length)?) };
        encrypted.fill(|room| operations::encrypt(module, session, data, room))
    })
}

/// PKCS#11 v3.0 §5.8.3.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_EncryptUpdate(
    session: CK_SESSION_HANDLE,
    data: *mut CK_BYTE,
    length: CK_ULONG,
    encrypted: *mut CK_BYTE,
    encrypted_length: *mut CK_ULONG,
) -> CK_RV {
    in_operation(session, KIND, |module, session| {
        // SAFETY: see `super`.
        let (data, encrypted) = unsafe { (bytes(data, length)?, Buffer::new(encrypted, encrypted_length)?) };
        encrypted.fill(|room| operations::encrypt_update(module, session, data, room))
    })
}

/// PKCS#11 v3.0 §5.8.4.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_EncryptFinal(
    session: CK_SESSION_HANDLE,
    encrypted: *mut CK_BYTE,
    length: *mut CK_ULONG,
) -> CK_RV {
    in_operation(session, KIND, |module, session| {
        // SAFETY: see `super`.
        let encrypted = unsafe { Buffer::new(encrypted, length) }?;
        encrypted.fill(|room| operations::encrypt_final(module, session, room))
    })
}
