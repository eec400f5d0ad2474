//! Decrypting (PKCS#11 v3.0 §5.10).

use super::stages::{begin, convert, give};
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
    let init = |module: &_, session: &_, mechanism: &_| operations::decrypt_init(module, session, mechanism, key);
    // SAFETY: see `super`.
    unsafe { begin(session, KIND, mechanism, init) }
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
    // SAFETY: see `super`.
    unsafe { convert(session, KIND, (data, length), (decrypted, decrypted_length), operations::decrypt) }
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
    // SAFETY: see `super`.
    unsafe { convert(session, KIND, (data, length), (decrypted, decrypted_length), operations::decrypt_update) }
}

/// PKCS#11 v3.0 §5.10.4.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_DecryptFinal(
    session: CK_SESSION_HANDLE,
    decrypted: *mut CK_BYTE,
    length: *mut CK_ULONG,
) -> CK_RV {
    // SAFETY: see `super`.
    unsafe { give(session, KIND, (decrypted, length), operations::decrypt_final) }
}
