//! Slots (PKCS#11 v3.0 §5.5): each of the configuration's, always with its token.

use super::{
    entry::in_module,
    general::{MANUFACTURER, library_version},
    output::Buffer,
    pointer::Place,
    text::padded,
};
use crate::rv::Rv;
use cryptoki_sys::{
    CK_BBOOL, CK_FLAGS, CK_RV, CK_SLOT_ID, CK_SLOT_INFO, CK_ULONG, CKF_DONT_BLOCK, CKF_TOKEN_PRESENT,
    CKR_ARGUMENTS_BAD, CKR_FUNCTION_NOT_SUPPORTED, CKR_NO_EVENT,
};
use std::ffi::c_void;

/// PKCS#11 v3.0 §5.5.1.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_GetSlotList(
    _present: CK_BBOOL,
    slots: *mut CK_SLOT_ID,
    count: *mut CK_ULONG,
) -> CK_RV {
    in_module(|module| {
        let ids: Vec<_> = module.slots().collect();
        // SAFETY: see `super`.
        unsafe { Buffer::new(slots, count) }?.put(&ids)
    })
}

/// PKCS#11 v3.0 §5.5.2.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_GetSlotInfo(slot: CK_SLOT_ID, info: *mut CK_SLOT_INFO) -> CK_RV {
    in_module(|module| {
        // SAFETY: see `super`.
        let info = unsafe { Place::new(info) }?;
        info.put(CK_SLOT_INFO {
            slotDescription: padded(&format!("Chancery: {}", module.slot(slot)?.organization)),
            manufacturerID: padded(MANUFACTURER),
            flags: CKF_TOKEN_PRESENT,
            hardwareVersion: library_version(),
            firmwareVersion: library_version(),
        });
        Ok(())
    })
}

/// PKCS#11 v3.0 §5.5.4. Tokens never come or go.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_WaitForSlotEvent(
    flags: CK_FLAGS,
    _slot: *mut CK_SLOT_ID,
    reserved: *mut c_void,
) -> CK_RV {
    in_module(|_| {
        let rv = match (reserved.is_null(), flags & CKF_DONT_BLOCK) {
            (false, _) => CKR_ARGUMENTS_BAD,
            // It would wait for ever.
            (true, 0) => CKR_FUNCTION_NOT_SUPPORTED,
            (true, _) => CKR_NO_EVENT,
        };
        Err(Rv(rv))
    })
}
