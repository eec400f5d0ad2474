//! Finding objects (PKCS#11 v3.0 §5.7.7): the list is made at once, C_FindObjects hands it out.

use super::{
    entry::in_session,
    pointer::{Place, size},
    template::template,
};
use crate::rv::Rv;
use cryptoki_sys::{
    CK_ATTRIBUTE, CK_OBJECT_HANDLE, CK_RV, CK_SESSION_HANDLE, CK_ULONG, CKR_ARGUMENTS_BAD, CKR_OPERATION_ACTIVE,
    CKR_OPERATION_NOT_INITIALIZED,
};

/// PKCS#11 v3.0 §5.7.7.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_FindObjectsInit(
    session: CK_SESSION_HANDLE,
    attributes: *mut CK_ATTRIBUTE,
    count: CK_ULONG,
) -> CK_RV {
    in_session(session, |module, session| {
        // SAFETY: see `super`.
        let wanted = unsafe { template(attributes, count) }?;
        if session.operations().found.is_some() {
            return Err(Rv(CKR_OPERATION_ACTIVE));
        }
        let found = module.objects.find(module, session, &wanted)?;
        let mut operations = session.operations();
        // Another thread may have begun a search meanwhile.
        if operations.found.is_some() {
            return Err(Rv(CKR_OPERATION_ACTIVE));
        }
        operations.found = Some(found.into());
        Ok(())
    })
}

/// PKCS#11 v3.0 §5.7.8.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_FindObjects(
    session: CK_SESSION_HANDLE,
    handles: *mut CK_OBJECT_HANDLE,
    most: CK_ULONG,
    count: *mut CK_ULONG,
) -> CK_RV {
    in_session(session, |_, session| {
        // SAFETY: see `super`.
        let count = unsafe { Place::new(count) }?;
        let most = size(most)?;
        if handles.is_null() && most > 0 {
            return Err(Rv(CKR_ARGUMENTS_BAD));
        }
        let mut operations = session.operations();
        let left = operations.found.as_mut().ok_or(Rv(CKR_OPERATION_NOT_INITIALIZED))?;
        let given = most.min(left.len());
        for (at, handle) in left.drain(..given).enumerate() {
            // SAFETY: see `super`: there is room for `most`.
            unsafe { handles.add(at).write_unaligned(handle) };
        }
        count.put(given as CK_ULONG);
        Ok(())
    })
}

/// PKCS#11 v3.0 §5.7.9.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_FindObjectsFinal(session: CK_SESSION_HANDLE) -> CK_RV {
    in_session(session, |_, session| {
        session.operations().found.take().map(drop).ok_or(Rv(CKR_OPERATION_NOT_INITIALIZED))
    })
}
