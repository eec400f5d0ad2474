//! Sessions and login (PKCS#11 v3.0 §5.6).

use super::{
    entry::{in_module, in_session},
    pointer::{Place, bytes},
};
use crate::{operations, rv::Rv};
use cryptoki_sys::{
    CK_FLAGS, CK_NOTIFY, CK_RV, CK_SESSION_HANDLE, CK_SESSION_INFO, CK_SLOT_ID, CK_ULONG, CK_USER_TYPE, CK_UTF8CHAR,
    CKF_RW_SESSION, CKF_SERIAL_SESSION, CKR_PIN_INCORRECT, CKS_RO_PUBLIC_SESSION, CKS_RO_USER_FUNCTIONS,
    CKS_RW_PUBLIC_SESSION, CKS_RW_USER_FUNCTIONS,
};
use std::ffi::c_void;

/// PKCS#11 v3.0 §5.6.1. There is nothing to notify of.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_OpenSession(
    slot: CK_SLOT_ID,
    flags: CK_FLAGS,
    _application: *mut c_void,
    _notify: CK_NOTIFY,
    session: *mut CK_SESSION_HANDLE,
) -> CK_RV {
    in_module(|module| {
        // SAFETY: see `super`.
        let session = unsafe { Place::new(session) }?;
        session.put(module.open_session(slot, flags)?);
        Ok(())
    })
}

/// PKCS#11 v3.0 §5.6.2.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_CloseSession(session: CK_SESSION_HANDLE) -> CK_RV {
    in_module(|module| module.close_session(session))
}

/// PKCS#11 v3.0 §5.6.3.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_CloseAllSessions(slot: CK_SLOT_ID) -> CK_RV {
    in_module(|module| module.close_all_sessions(slot))
}

/// PKCS#11 v3.0 §5.6.4.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_GetSessionInfo(session: CK_SESSION_HANDLE, info: *mut CK_SESSION_INFO) -> CK_RV {
    in_session(session, |module, session| {
        // SAFETY: see `super`.
        let info = unsafe { Place::new(info) }?;
        info.put(CK_SESSION_INFO {
            slotID: session.slot,
            state: match (session.writes, module.logged_in(session.slot)) {
                (false, false) => CKS_RO_PUBLIC_SESSION,
                (false, true) => CKS_RO_USER_FUNCTIONS,
                (true, false) => CKS_RW_PUBLIC_SESSION,
                (true, true) => CKS_RW_USER_FUNCTIONS,
            },
            flags: CKF_SERIAL_SESSION | if session.writes { CKF_RW_SESSION } else { 0 },
            ulDeviceError: 0,
        });
        Ok(())
    })
}

/// PKCS#11 v3.0 §5.6.8.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_Login(
    session: CK_SESSION_HANDLE,
    user: CK_USER_TYPE,
    pin: *mut CK_UTF8CHAR,
    length: CK_ULONG,
) -> CK_RV {
    in_session(session, |module, session| {
        // SAFETY: see `super`.
        let pin = unsafe { bytes(pin, length) }?;
        module.login(session, user, pin)
    })
}

/// PKCS#11 v3.0 §5.6.9. Users of this token have no names.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_LoginUser(
    session: CK_SESSION_HANDLE,
    user: CK_USER_TYPE,
    pin: *mut CK_UTF8CHAR,
    length: CK_ULONG,
    name: *mut CK_UTF8CHAR,
    name_length: CK_ULONG,
) -> CK_RV {
    in_session(session, |module, session| {
        // SAFETY: see `super`.
        let (pin, name) = unsafe { (bytes(pin, length)?, bytes(name, name_length)?) };
        if name.is_empty() { module.login(session, user, pin) } else { Err(Rv(CKR_PIN_INCORRECT)) }
    })
}

/// PKCS#11 v3.0 §5.6.10.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_Logout(session: CK_SESSION_HANDLE) -> CK_RV {
    in_session(session, |module, session| module.logout(session.slot))
}

/// PKCS#11 v3.0 §5.6.5. What is not under way is no error.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_SessionCancel(session: CK_SESSION_HANDLE, kinds: CK_FLAGS) -> CK_RV {
    in_session(session, |_, session| {
        operations::cancel(session, kinds);
        Ok(())
    })
}
