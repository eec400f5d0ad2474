//! What the functions of an operation share, of whatever kind it is: each begins it, takes input, gives output, or both
//! (PKCS#11 v3.0 §5.2).
//!
//! **Not here**: what the operations do (`operations`), which functions there are.

use super::{
    entry::{in_operation, in_session},
    mechanism,
    output::Buffer,
    pointer::bytes,
};
use crate::{
    mechanism::Mechanism,
    module::{Module, Session},
    operations,
    output::{Output, Room},
    rv::Result,
};
use cryptoki_sys::{CK_BYTE, CK_FLAGS, CK_MECHANISM, CK_RV, CK_SESSION_HANDLE, CK_ULONG};

/// C_…Init. Without a mechanism it ends what is under way of the kind that one CKF_* names.
///
/// # Safety
/// See [`super`].
pub(super) unsafe fn begin(
    session: CK_SESSION_HANDLE,
    kind: CK_FLAGS,
    mechanism: *const CK_MECHANISM,
    init: impl FnOnce(&Module, &Session, &Mechanism) -> Result<()>,
) -> CK_RV {
    in_session(session, |module, session| {
        // SAFETY: the caller's promise.
        match unsafe { mechanism::mechanism(mechanism) }? {
            Some(mechanism) => init(module, session, &mechanism),
            None => {
                operations::cancel(session, kind);
                Ok(())
            }
        }
    })
}

/// A function that takes bytes.
///
/// # Safety
/// See [`super`].
pub(super) unsafe fn take(
    session: CK_SESSION_HANDLE,
    kind: CK_FLAGS,
    (data, length): (*const CK_BYTE, CK_ULONG),
    work: impl FnOnce(&Module, &Session, &[u8]) -> Result<()>,
) -> CK_RV {
    in_operation(session, kind, |module, session| {
        // SAFETY: the caller's promise.
        let data = unsafe { bytes(data, length) }?;
        work(module, session, data)
    })
}

/// A function that gives bytes.
///
/// # Safety
/// See [`super`].
pub(super) unsafe fn give(
    session: CK_SESSION_HANDLE,
    kind: CK_FLAGS,
    (result, length): (*mut CK_BYTE, *mut CK_ULONG),
    work: impl FnOnce(&Module, &Session, Room) -> Result<Output>,
) -> CK_RV {
    in_operation(session, kind, |module, session| {
        // SAFETY: the caller's promise.
        let result = unsafe { Buffer::new(result, length) }?;
        result.fill(|room| work(module, session, room))
    })
}

/// A function that takes bytes and gives others.
///
/// # Safety
/// See [`super`].
pub(super) unsafe fn convert(
    session: CK_SESSION_HANDLE,
    kind: CK_FLAGS,
    (data, length): (*const CK_BYTE, CK_ULONG),
    (result, result_length): (*mut CK_BYTE, *mut CK_ULONG),
    work: impl FnOnce(&Module, &Session, &[u8], Room) -> Result<Output>,
) -> CK_RV {
    in_operation(session, kind, |module, session| {
        // SAFETY: the caller's promise.
        let (data, result) = unsafe { (bytes(data, length)?, Buffer::new(result, result_length)?) };
        result.fill(|room| work(module, session, data, room))
    })
}
