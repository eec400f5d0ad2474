//! C_DigestInit, C_Digest, C_DigestUpdate, C_DigestKey, C_DigestFinal (PKCS#11 v3.0 §5.12).

use super::{
    hashing::{Hasher, Hashing},
    keys,
    stage::Turn,
    table::{Does, row_of},
};
use crate::{
    mechanism::{Mechanism, Parameter},
    module::{Module, Session},
    objects::Object,
    output::{Output, Room},
    rv::{Result, Rv},
};
use cryptoki_sys::{
    CK_OBJECT_HANDLE, CKR_KEY_HANDLE_INVALID, CKR_KEY_INDIGESTIBLE, CKR_MECHANISM_INVALID, CKR_MECHANISM_PARAM_INVALID,
    CKR_OPERATION_NOT_INITIALIZED,
};

/// A digest under way.
pub(super) struct Digesting {
    hashing: Hashing,
    hasher: Hasher,
}

/// C_DigestInit.
///
/// # Errors
/// As PKCS#11 v3.0 §5.12.1.
pub fn digest_init(module: &Module, session: &Session, mechanism: &Mechanism) -> Result<()> {
    let Does::Digest(hashing) = row_of(keys::slot(module, session)?, mechanism.kind)?.does else {
        return Err(Rv(CKR_MECHANISM_INVALID));
    };
    if mechanism.parameter != Parameter::None {
        return Err(Rv(CKR_MECHANISM_PARAM_INVALID));
    }
    session.operations().digest.begin(Digesting { hashing, hasher: hashing.begin() })
}

/// C_Digest.
///
/// # Errors
/// As PKCS#11 v3.0 §5.12.2.
pub fn digest(_: &Module, session: &Session, data: &[u8], room: Room) -> Result<Output> {
    let turn = session.operations().digest.whole(|digesting| room.lacks(digesting.hashing.length()))?;
    Ok(finish(turn, data))
}

/// C_DigestUpdate.
///
/// # Errors
/// As PKCS#11 v3.0 §5.12.3.
pub fn digest_update(_: &Module, session: &Session, part: &[u8]) -> Result<()> {
    session.operations().digest.part(|digesting| {
        digesting.hasher.update(part);
        Ok(())
    })
}

/// C_DigestKey: of secrets that live in this process. Those of the service are never seen here.
///
/// # Errors
/// As PKCS#11 v3.0 §5.12.4.
pub fn digest_key(module: &Module, session: &Session, key: CK_OBJECT_HANDLE) -> Result<()> {
    if session.operations().digest.idle().is_ok() {
        return Err(Rv(CKR_OPERATION_NOT_INITIALIZED));
    }
    let value = match keys::object(module, session, key) {
        Ok(Object::Secret(secret)) => Ok(secret),
        Ok(Object::Key(_) | Object::PublicKey(_)) => Err(Rv(CKR_KEY_INDIGESTIBLE)),
        Ok(Object::Certificate(_)) => Err(Rv(CKR_KEY_HANDLE_INVALID)),
        Err(error) => Err(error),
    };
    session.operations().digest.part(|digesting| {
        digesting.hasher.update(&value?.value);
        Ok(())
    })
}

/// C_DigestFinal.
///
/// # Errors
/// As PKCS#11 v3.0 §5.12.5.
pub fn digest_final(_: &Module, session: &Session, room: Room) -> Result<Output> {
    let turn = session.operations().digest.last(|digesting| room.lacks(digesting.hashing.length()))?;
    Ok(finish(turn, &[]))
}

fn finish(turn: Turn<Digesting>, data: &[u8]) -> Output {
    match turn {
        Turn::Needs(length) => Output::Needs(length),
        Turn::Go(mut digesting) => {
            digesting.hasher.update(data);
            Output::from(digesting.hasher.finish())
        }
    }
}
