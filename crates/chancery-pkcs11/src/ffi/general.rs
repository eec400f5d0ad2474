//! General-purpose functions (PKCS#11 v3.0 §5.4), and the two of legacy parallel functions (§5.20).

use super::{
    entry::{guard, in_module},
    pointer::{Place, read},
    process,
    text::padded,
};
use crate::rv::{Result, Rv};
use cryptoki_sys::{
    CK_C_INITIALIZE_ARGS, CK_INFO, CK_RV, CK_SESSION_HANDLE, CK_VERSION, CKR_ARGUMENTS_BAD, CKR_FUNCTION_NOT_PARALLEL,
};
use std::ffi::c_void;

/// Who made the module, its slots and tokens.
pub(super) const MANUFACTURER: &str = "Chancery";

/// PKCS#11 v3.0 §5.4.1. Flags and mutex functions are accepted and change nothing: every function may be called from any
/// thread, and the one thread of the module starts with the first request to the service.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_Initialize(arguments: *mut c_void) -> CK_RV {
    guard(|| {
        if !arguments.is_null() {
            // SAFETY: see `super`.
            let given = unsafe { read(arguments.cast::<CK_C_INITIALIZE_ARGS>()) }?;
            let callbacks = [
                given.CreateMutex.is_some(),
                given.DestroyMutex.is_some(),
                given.LockMutex.is_some(),
                given.UnlockMutex.is_some(),
            ];
            if !given.pReserved.is_null() || callbacks.iter().any(|callback| *callback != callbacks[0]) {
                return Err(Rv(CKR_ARGUMENTS_BAD));
            }
        }
        process::initialize()
    })
}

/// PKCS#11 v3.0 §5.4.2.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_Finalize(reserved: *mut c_void) -> CK_RV {
    guard(|| if reserved.is_null() { process::finalize() } else { Err(Rv(CKR_ARGUMENTS_BAD)) })
}

/// PKCS#11 v3.0 §5.4.3, for those who use the functions of v2.40.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_GetInfo(info: *mut CK_INFO) -> CK_RV {
    // SAFETY: see `super`.
    unsafe { put_info(info, CK_VERSION { major: 2, minor: 40 }) }
}

/// The same for those who use the functions of v3.0.
pub(super) unsafe extern "C" fn info_3_0(info: *mut CK_INFO) -> CK_RV {
    // SAFETY: see `super`.
    unsafe { put_info(info, CK_VERSION { major: 3, minor: 0 }) }
}

unsafe fn put_info(info: *mut CK_INFO, version: CK_VERSION) -> CK_RV {
    in_module(|_| {
        // SAFETY: see `super`.
        unsafe { Place::new(info) }?.put(CK_INFO {
            cryptokiVersion: version,
            manufacturerID: padded(MANUFACTURER),
            flags: 0,
            libraryDescription: padded("Chancery PKCS#11 module"),
            libraryVersion: library_version(),
        });
        Ok(())
    })
}

/// Of this crate.
pub(super) fn library_version() -> CK_VERSION {
    let part = |text: &str| text.parse().unwrap_or(0);
    CK_VERSION { major: part(env!("CARGO_PKG_VERSION_MAJOR")), minor: part(env!("CARGO_PKG_VERSION_MINOR")) }
}

/// PKCS#11 v3.0 §5.20.1.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_GetFunctionStatus(_session: CK_SESSION_HANDLE) -> CK_RV {
    in_module(|_| not_parallel())
}

/// PKCS#11 v3.0 §5.20.2.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_CancelFunction(_session: CK_SESSION_HANDLE) -> CK_RV {
    in_module(|_| not_parallel())
}

fn not_parallel() -> Result<()> {
    Err(Rv(CKR_FUNCTION_NOT_PARALLEL))
}
