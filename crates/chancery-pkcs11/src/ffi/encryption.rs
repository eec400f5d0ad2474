//! Encrypting (PKCS#11 v3.0 §5.8).

use super::stages::{begin, convert, give};
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
    let init = |module: &_, session: &_, mechanism: &_| operations::encrypt_init(module, session, mechanism, key);
    // SAFETY: see `super`.
    unsafe { begin(session, KIND, mechanism, init) }
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
    // SAFETY: see `super`.
    unsafe { convert(session, KIND, (data, length), (encrypted, encrypted_length), operations::encrypt) }
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
    // SAFETY: see `super`.
    unsafe { convert(session, KIND, (data, length), (encrypted, encrypted_length), operations::encrypt_update) }
}

/// PKCS#11 v3.0 §5.8.4.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_EncryptFinal(
    session: CK_SESSION_HANDLE,
    encrypted: *mut CK_BYTE,
    length: *mut CK_ULONG,
) -> CK_RV {
    // SAFETY: see `super`.
    unsafe { give(session, KIND, (encrypted, length), operations::encrypt_final) }
}
