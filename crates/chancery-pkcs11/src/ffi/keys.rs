//! Making keys (PKCS#11 v3.0 §5.18).

use super::{
    entry::in_session,
    mechanism::parse,
    objects::may_make,
    output::Buffer,
    pointer::{Place, bytes},
    template::template,
};
use crate::operations;
use cryptoki_sys::{CK_ATTRIBUTE, CK_BYTE, CK_MECHANISM, CK_OBJECT_HANDLE, CK_RV, CK_SESSION_HANDLE, CK_ULONG};

/// PKCS#11 v3.0 §5.18.1.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_GenerateKey(
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
    attributes: *mut CK_ATTRIBUTE,
    count: CK_ULONG,
    key: *mut CK_OBJECT_HANDLE,
) -> CK_RV {
    in_session(session, |module, session| {
        // SAFETY: see `super`.
        let (mechanism, template, key) = unsafe { (parse(mechanism)?, template(attributes, count)?, Place::new(key)?) };
        may_make(module, session, &template, true)?;
        key.put(module.objects.generate(module, session, &mechanism, &template)?);
        Ok(())
    })
}

/// PKCS#11 v3.0 §5.18.2.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_GenerateKeyPair(
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
    public_attributes: *mut CK_ATTRIBUTE,
    public_count: CK_ULONG,
    private_attributes: *mut CK_ATTRIBUTE,
    private_count: CK_ULONG,
    public: *mut CK_OBJECT_HANDLE,
    private: *mut CK_OBJECT_HANDLE,
) -> CK_RV {
    in_session(session, |module, session| {
        // SAFETY: see `super`.
        let (mechanism, public, private) = unsafe { (parse(mechanism)?, Place::new(public)?, Place::new(private)?) };
        // SAFETY: see `super`.
        let (public_template, private_template) =
            unsafe { (template(public_attributes, public_count)?, template(private_attributes, private_count)?) };
        may_make(module, session, &public_template, false)?;
        may_make(module, session, &private_template, true)?;
        let handles = module.objects.generate_pair(module, session, &mechanism, &public_template, &private_template)?;
        public.put(handles.0);
        private.put(handles.1);
        Ok(())
    })
}

/// PKCS#11 v3.0 §5.18.5.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_DeriveKey(
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
    base: CK_OBJECT_HANDLE,
    attributes: *mut CK_ATTRIBUTE,
    count: CK_ULONG,
    key: *mut CK_OBJECT_HANDLE,
) -> CK_RV {
    in_session(session, |module, session| {
        // SAFETY: see `super`.
        let (mechanism, template, key) = unsafe { (parse(mechanism)?, template(attributes, count)?, Place::new(key)?) };
        may_make(module, session, &template, true)?;
        key.put(operations::derive_key(module, session, &mechanism, base, &template)?);
        Ok(())
    })
}

/// PKCS#11 v3.0 §5.18.3.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_WrapKey(
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
    wrapping_key: CK_OBJECT_HANDLE,
    key: CK_OBJECT_HANDLE,
    wrapped: *mut CK_BYTE,
    length: *mut CK_ULONG,
) -> CK_RV {
    in_session(session, |module, session| {
        // SAFETY: see `super`.
        let (mechanism, wrapped) = unsafe { (parse(mechanism)?, Buffer::new(wrapped, length)?) };
        wrapped.fill(|room| operations::wrap_key(module, session, &mechanism, wrapping_key, key, room))
    })
}

/// PKCS#11 v3.0 §5.18.4.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_UnwrapKey(
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
    unwrapping_key: CK_OBJECT_HANDLE,
    wrapped: *mut CK_BYTE,
    length: CK_ULONG,
    attributes: *mut CK_ATTRIBUTE,
    count: CK_ULONG,
    key: *mut CK_OBJECT_HANDLE,
) -> CK_RV {
    in_session(session, |module, session| {
        // SAFETY: see `super`.
        let (mechanism, template, key) = unsafe { (parse(mechanism)?, template(attributes, count)?, Place::new(key)?) };
        // SAFETY: see `super`.
        let wrapped = unsafe { bytes(wrapped, length) }?;
        may_make(module, session, &template, true)?;
        key.put(operations::unwrap_key(module, session, &mechanism, unwrapping_key, wrapped, &template)?);
        Ok(())
    })
}
