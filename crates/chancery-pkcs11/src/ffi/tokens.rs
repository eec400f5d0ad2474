//! Tokens and their mechanisms (PKCS#11 v3.0 §5.5).

use super::{
    entry::in_module,
    general::{MANUFACTURER, library_version},
    output::Buffer,
    pointer::Place,
    text::padded,
};
use crate::{
    module::{Module, config::SlotConfig},
    operations,
    rv::Result,
};
use aws_lc_rs::digest::{SHA256, digest};
use cryptoki_sys::{
    CK_EFFECTIVELY_INFINITE, CK_MECHANISM_INFO, CK_MECHANISM_TYPE, CK_RV, CK_SLOT_ID, CK_TOKEN_INFO, CK_ULONG,
    CK_UNAVAILABLE_INFORMATION, CKF_LOGIN_REQUIRED, CKF_RNG, CKF_TOKEN_INITIALIZED, CKF_USER_PIN_INITIALIZED,
};

/// PKCS#11 v3.0 §5.5.3.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_GetTokenInfo(slot: CK_SLOT_ID, info: *mut CK_TOKEN_INFO) -> CK_RV {
    in_module(|module| {
        // SAFETY: see `super`.
        let info = unsafe { Place::new(info) }?;
        info.put(token_info(module, slot)?);
        Ok(())
    })
}

fn token_info(module: &Module, id: CK_SLOT_ID) -> Result<CK_TOKEN_INFO> {
    let slot = module.slot(id)?;
    let (sessions, writing) = module.session_counts(id);
    Ok(CK_TOKEN_INFO {
        label: padded(&slot.label),
        manufacturerID: padded(MANUFACTURER),
        model: padded("Chancery"),
        serialNumber: padded(&serial_number(slot)),
        flags: CKF_RNG | CKF_LOGIN_REQUIRED | CKF_USER_PIN_INITIALIZED | CKF_TOKEN_INITIALIZED,
        ulMaxSessionCount: CK_EFFECTIVELY_INFINITE,
        ulSessionCount: sessions as CK_ULONG,
        ulMaxRwSessionCount: CK_EFFECTIVELY_INFINITE,
        ulRwSessionCount: writing as CK_ULONG,
        ulMaxPinLen: 255,
        ulMinPinLen: 1,
        ulTotalPublicMemory: CK_UNAVAILABLE_INFORMATION,
        ulFreePublicMemory: CK_UNAVAILABLE_INFORMATION,
        ulTotalPrivateMemory: CK_UNAVAILABLE_INFORMATION,
        ulFreePrivateMemory: CK_UNAVAILABLE_INFORMATION,
        hardwareVersion: library_version(),
        firmwareVersion: library_version(),
        // Meaningless without CKF_CLOCK_ON_TOKEN.
        utcTime: padded(""),
    })
}

/// The same wherever the slot is configured the same: PKCS#11 URIs name tokens by it.
fn serial_number(slot: &SlotConfig) -> String {
    let hash = digest(&SHA256, format!("{}\n{}", slot.organization, slot.label).as_bytes());
    hex::encode(&hash.as_ref()[..8])
}

/// PKCS#11 v3.0 §5.5.5.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_GetMechanismList(
    slot: CK_SLOT_ID,
    kinds: *mut CK_MECHANISM_TYPE,
    count: *mut CK_ULONG,
) -> CK_RV {
    in_module(|module| {
        let mechanisms = operations::mechanisms(module.slot(slot)?);
        // SAFETY: see `super`.
        unsafe { Buffer::new(kinds, count) }?.put(&mechanisms)
    })
}

/// PKCS#11 v3.0 §5.5.6.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_GetMechanismInfo(
    slot: CK_SLOT_ID,
    kind: CK_MECHANISM_TYPE,
    info: *mut CK_MECHANISM_INFO,
) -> CK_RV {
    in_module(|module| {
        // SAFETY: see `super`.
        let info = unsafe { Place::new(info) }?;
        info.put(operations::mechanism_info(module.slot(slot)?, kind)?);
        Ok(())
    })
}
