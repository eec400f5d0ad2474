//! What every function begins and ends with.

use super::process;
use crate::{
    module::{Module, Session},
    operations,
    rv::{Result, Rv},
};
use cryptoki_sys::{CK_FLAGS, CK_RV, CK_SESSION_HANDLE, CKR_ARGUMENTS_BAD, CKR_GENERAL_ERROR, CKR_OK};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A function that may be called at any time.
pub(super) fn guard(body: impl FnOnce() -> Result<()>) -> CK_RV {
    // What a panic leaves behind is never relied on: locks are taken whether poisoned or not, and hold single values.
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => CKR_OK,
        Ok(Err(Rv(rv))) => rv,
        Err(panic) => {
            // Dropping it might panic once more.
            std::mem::forget(panic);
            CKR_GENERAL_ERROR
        }
    }
}

/// A function that needs the module. It keeps its share of it until it returns, whoever calls C_Finalize meanwhile.
pub(super) fn in_module(body: impl FnOnce(&Module) -> Result<()>) -> CK_RV {
    guard(|| body(&*process::module()?))
}

/// A function of a session.
pub(super) fn in_session(handle: CK_SESSION_HANDLE, body: impl FnOnce(&Module, &Session) -> Result<()>) -> CK_RV {
    in_module(|module| body(module, &*module.session(handle)?))
}

/// A function of what a session has under way: of the kind that one CKF_* names. An error ends that, also where it is in
/// the arguments (PKCS#11 v3.0 §5.2); all others are for `operations` to act upon.
pub(super) fn in_operation(
    handle: CK_SESSION_HANDLE,
    kind: CK_FLAGS,
    body: impl FnOnce(&Module, &Session) -> Result<()>,
) -> CK_RV {
    in_session(handle, |module, session| {
        body(module, session).inspect_err(|rv| {
            if *rv == Rv(CKR_ARGUMENTS_BAD) {
                operations::cancel(session, kind);
            }
        })
    })
}
