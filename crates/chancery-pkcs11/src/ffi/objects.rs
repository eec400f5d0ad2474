//! Objects (PKCS#11 v3.0 §5.7).
//!
//! **Invariant**: a read-only session changes nothing that outlives it.

use super::{
    entry::in_session,
    pointer::Place,
    template::{Attributes, template},
};
use crate::{
    attribute::Template,
    module::{Module, Session},
    objects::Value,
    rv::{Result, Rv},
};
use cryptoki_sys::{
    CK_ATTRIBUTE, CK_OBJECT_HANDLE, CK_RV, CK_SESSION_HANDLE, CK_ULONG, CK_UNAVAILABLE_INFORMATION, CKA_PRIVATE,
    CKA_TOKEN, CKR_SESSION_READ_ONLY, CKR_USER_NOT_LOGGED_IN,
};

/// PKCS#11 v3.0 §5.7.1.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_CreateObject(
    session: CK_SESSION_HANDLE,
    attributes: *mut CK_ATTRIBUTE,
    count: CK_ULONG,
    object: *mut CK_OBJECT_HANDLE,
) -> CK_RV {
    in_session(session, |module, session| {
        // SAFETY: see `super`.
        let (template, object) = unsafe { (template(attributes, count)?, Place::new(object)?) };
        may_make(module, session, &template, false)?;
        object.put(module.objects.create(module, session, &template)?);
        Ok(())
    })
}

/// PKCS#11 v3.0 §5.7.2.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_CopyObject(
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
    attributes: *mut CK_ATTRIBUTE,
    count: CK_ULONG,
    copy: *mut CK_OBJECT_HANDLE,
) -> CK_RV {
    in_session(session, |module, session| {
        // SAFETY: see `super`.
        let (template, copy) = unsafe { (template(attributes, count)?, Place::new(copy)?) };
        match template.boolean(CKA_TOKEN)? {
            Some(false) => {}
            Some(true) => may_make(module, session, &template, false)?,
            None => may_change(module, session, object)?,
        }
        copy.put(module.objects.copy(module, session, object, &template)?);
        Ok(())
    })
}

/// PKCS#11 v3.0 §5.7.3.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_DestroyObject(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE) -> CK_RV {
    in_session(session, |module, session| {
        may_change(module, session, object)?;
        module.objects.destroy(module, session, object)
    })
}

/// PKCS#11 v3.0 §5.7.4. An object has no size here.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_GetObjectSize(
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
    size: *mut CK_ULONG,
) -> CK_RV {
    in_session(session, |module, session| {
        // SAFETY: see `super`.
        let size = unsafe { Place::new(size) }?;
        module.objects.object(module, session, object)?;
        size.put(CK_UNAVAILABLE_INFORMATION);
        Ok(())
    })
}

/// PKCS#11 v3.0 §5.7.5.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_GetAttributeValue(
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
    attributes: *mut CK_ATTRIBUTE,
    count: CK_ULONG,
) -> CK_RV {
    in_session(session, |module, session| {
        // SAFETY: see `super`.
        let attributes = unsafe { Attributes::new(attributes, count) }?;
        let values = module.objects.values(module, session, object, &attributes.kinds())?;
        attributes.answer(&values)
    })
}

/// PKCS#11 v3.0 §5.7.6.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_SetAttributeValue(
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
    attributes: *mut CK_ATTRIBUTE,
    count: CK_ULONG,
) -> CK_RV {
    in_session(session, |module, session| {
        // SAFETY: see `super`.
        let template = unsafe { template(attributes, count) }?;
        may_change(module, session, object)?;
        module.objects.set(module, session, object, &template)
    })
}

/// Whether a session may make an object; `private` is what it is unless the template says so.
///
/// # Errors
/// `CKR_SESSION_READ_ONLY`, `CKR_USER_NOT_LOGGED_IN`, and a template's own.
pub(super) fn may_make(module: &Module, session: &Session, template: &Template, private: bool) -> Result<()> {
    if template.boolean(CKA_TOKEN)?.unwrap_or(false) && !session.writes {
        return Err(Rv(CKR_SESSION_READ_ONLY));
    }
    if template.boolean(CKA_PRIVATE)?.unwrap_or(private) && !module.logged_in(session.slot) {
        return Err(Rv(CKR_USER_NOT_LOGGED_IN));
    }
    Ok(())
}

/// Whether a session may change an object.
fn may_change(module: &Module, session: &Session, object: CK_OBJECT_HANDLE) -> Result<()> {
    if session.writes {
        return Ok(());
    }
    match module.objects.values(module, session, object, &[CKA_TOKEN])?.as_slice() {
        [Value::Bytes(token)] if token.as_slice() == [0] => Ok(()),
        _ => Err(Rv(CKR_SESSION_READ_ONLY)),
    }
}
