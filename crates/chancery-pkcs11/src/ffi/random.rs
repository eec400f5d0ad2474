//! Random numbers (PKCS#11 v3.0 §5.19): the operating system's, without a request to the service.

use super::{entry::in_session, pointer::size};
use crate::rv::Rv;
use cryptoki_sys::{
    CK_BYTE, CK_RV, CK_SESSION_HANDLE, CK_ULONG, CKR_ARGUMENTS_BAD, CKR_FUNCTION_FAILED, CKR_RANDOM_SEED_NOT_SUPPORTED,
};
use std::{mem::MaybeUninit, slice::from_raw_parts_mut};

/// PKCS#11 v3.0 §5.19.1.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_SeedRandom(
    session: CK_SESSION_HANDLE,
    _seed: *mut CK_BYTE,
    _length: CK_ULONG,
) -> CK_RV {
    in_session(session, |_, _| Err(Rv(CKR_RANDOM_SEED_NOT_SUPPORTED)))
}

/// PKCS#11 v3.0 §5.19.2.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_GenerateRandom(
    session: CK_SESSION_HANDLE,
    random: *mut CK_BYTE,
    length: CK_ULONG,
) -> CK_RV {
    in_session(session, |_, _| {
        let length = size(length)?;
        if length == 0 {
            return Ok(());
        }
        if random.is_null() {
            return Err(Rv(CKR_ARGUMENTS_BAD));
        }
        // SAFETY: see `super`; nothing is read there.
        let random = unsafe { from_raw_parts_mut(random.cast::<MaybeUninit<u8>>(), length) };
        getrandom::fill_uninit(random).map(drop).map_err(|_| Rv(CKR_FUNCTION_FAILED))
    })
}
