//! C_WrapKey and C_UnwrapKey (PKCS#11 v3.0 §5.18.3, §5.18.4): secrets that live in this process, under keys of the service
//! (RFC 5649).
//!
//! **Invariant**: no key of the service is ever wrapped, nor is a key brought there by unwrapping.

use super::{
    keys,
    table::{Does, row_of},
};
use crate::{
    attribute::Template,
    mechanism::{Mechanism, Parameter},
    module::{Module, Session},
    objects::{Key, Object, Objects},
    output::{Output, Room},
    remote::{Doing, Failure},
    rv::{Result, Rv},
};
use chancery_api::{
    reasons,
    v1::{self, ObjectClass, Purpose},
};
use chancery_client::request_id;
use chancery_model::Algorithm;
use cryptoki_sys::*;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The most bytes that the service wraps.
const MOST_WRAPPED: usize = 4096;
/// The integrity check's constant, which clients may give as a parameter (RFC 5649 §3).
const CHECK: [u8; 4] = [0xa6, 0x59, 0x59, 0xa6];

/// The wrapping key for a mechanism.
fn wrapping(module: &Module, session: &Session, mechanism: &Mechanism, key: CK_OBJECT_HANDLE) -> Result<Arc<Key>> {
    if row_of(keys::slot(module, session)?, mechanism.kind)?.does != Does::Wrap {
        return Err(Rv(CKR_MECHANISM_INVALID));
    }
    match &mechanism.parameter {
        Parameter::None => {}
        Parameter::Bytes(bytes) if *bytes == CHECK => {}
        _ => return Err(Rv(CKR_MECHANISM_PARAM_INVALID)),
    }
    keys::held(module, session, key, |algorithm| algorithm == Algorithm::Aes256, Purpose::Wrap)
}

/// C_WrapKey.
///
/// # Errors
/// As PKCS#11 v3.0 §5.18.3; `CKR_KEY_UNEXTRACTABLE` for keys of the service.
pub fn wrap_key(
    module: &Module,
    session: &Session,
    mechanism: &Mechanism,
    wrapping_key: CK_OBJECT_HANDLE,
    key: CK_OBJECT_HANDLE,
    room: Room,
) -> Result<Output> {
    let wrapping = wrapping(module, session, mechanism, wrapping_key).map_err(|error| match error {
        Rv(CKR_KEY_HANDLE_INVALID) => Rv(CKR_WRAPPING_KEY_HANDLE_INVALID),
        Rv(CKR_KEY_TYPE_INCONSISTENT) => Rv(CKR_WRAPPING_KEY_TYPE_INCONSISTENT),
        other => other,
    })?;
    let secret = match keys::object(module, session, key)? {
        Object::Secret(secret) if secret.extractable => secret,
        Object::Key(key) if key.object.class() == ObjectClass::PublicKeyObject => {
            return Err(Rv(CKR_KEY_NOT_WRAPPABLE));
        }
        Object::Secret(_) | Object::Key(_) => return Err(Rv(CKR_KEY_UNEXTRACTABLE)),
        Object::PublicKey(_) => return Err(Rv(CKR_KEY_NOT_WRAPPABLE)),
        Object::Certificate(_) => return Err(Rv(CKR_KEY_HANDLE_INVALID)),
    };
    if !(1..=MOST_WRAPPED).contains(&secret.value.len()) {
        return Err(Rv(CKR_KEY_SIZE_RANGE));
    }
    let length = secret.value.len().next_multiple_of(8) + 8;
    if let Some(length) = room.lacks(length) {
        return Ok(Output::Needs(length));
    }
    let request =
        v1::WrapKeyRequest { name: wrapping.object.version.clone(), plaintext: Vec::new(), request_id: request_id() };
    let answer = module.remote.call(move |client, attempt| {
        let request = attempt.request(v1::WrapKeyRequest { plaintext: secret.value.to_vec(), ..request.clone() });
        async move { client.crypto().wrap_key(request).await }
    });
    match answer {
        Ok(answer) if answer.wrapped_key.len() == length => Ok(answer.wrapped_key.into()),
        Ok(_) => Err(Rv(CKR_FUNCTION_FAILED)),
        Err(failure) => Err(failure.rv(Doing::Using)),
    }
}

/// C_UnwrapKey: to a secret that lives in this process.
///
/// # Errors
/// As PKCS#11 v3.0 §5.18.4.
pub fn unwrap_key(
    module: &Module,
    session: &Session,
    mechanism: &Mechanism,
    unwrapping_key: CK_OBJECT_HANDLE,
    wrapped: &[u8],
    template: &Template,
) -> Result<CK_OBJECT_HANDLE> {
    let unwrapping = wrapping(module, session, mechanism, unwrapping_key).map_err(|error| match error {
        Rv(CKR_KEY_HANDLE_INVALID) => Rv(CKR_UNWRAPPING_KEY_HANDLE_INVALID),
        Rv(CKR_KEY_TYPE_INCONSISTENT) => Rv(CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT),
        other => other,
    })?;
    if template.number(CKA_CLASS)?.is_some_and(|class| class != CKO_SECRET_KEY) {
        return Err(Rv(CKR_TEMPLATE_INCONSISTENT));
    }
    if !(16..=MOST_WRAPPED + 8).contains(&wrapped.len()) || !wrapped.len().is_multiple_of(8) {
        return Err(Rv(CKR_WRAPPED_KEY_LEN_RANGE));
    }
    // Eight bytes of header, and at most seven of padding.
    Objects::check_secret(template, wrapped.len() - 15..=wrapped.len() - 8)?;
    let request = v1::UnwrapKeyRequest {
        name: unwrapping.object.version.clone(),
        wrapped_key: wrapped.to_vec(),
        request_id: request_id(),
    };
    let answer = module.remote.call(move |client, attempt| {
        let request = attempt.request(request.clone());
        async move { client.crypto().unwrap_key(request).await }
    });
    match answer {
        Ok(answer) => module.objects.keep_secret(module, session, Zeroizing::new(answer.plaintext), template),
        Err(Failure(error)) if error.reason.as_deref() == Some(reasons::BAD_INPUT) => Err(Rv(CKR_WRAPPED_KEY_INVALID)),
        Err(failure) => Err(failure.rv(Doing::Decrypting)),
    }
}
