//! What stands behind one handle, with its attributes.
//!
//! **Invariant**: an entry never changes; what changes at the service is a new entry behind the same handle.

use super::{
    Key, Object, Value,
    attributes::{self, Storage, Table},
    kinds,
};
use crate::module::config::Sm2Profile;
use chancery_api::v1::{self, ObjectClass, Standing};
use chancery_crypto::PublicKey;
use cryptoki_sys::*;
use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering},
};

/// The next handle. Zero is CK_INVALID_HANDLE.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// A handle that no object of this process ever had.
pub(super) fn new_handle() -> CK_OBJECT_HANDLE {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// CKA_CLASS of an object of the service.
pub(super) fn class(object: &v1::Object) -> CK_OBJECT_CLASS {
    match object.class() {
        ObjectClass::CertificateObject => CKO_CERTIFICATE,
        ObjectClass::PublicKeyObject => CKO_PUBLIC_KEY,
        ObjectClass::PrivateKeyObject => CKO_PRIVATE_KEY,
        ObjectClass::SecretKeyObject => CKO_SECRET_KEY,
        ObjectClass::Unspecified => CK_UNAVAILABLE_INFORMATION,
    }
}

/// See the module.
pub(super) struct Entry {
    /// As operations get it.
    pub(super) object: Object,
    /// The session with which it ends.
    pub(super) session: Option<CK_SESSION_HANDLE>,
    profile: Sm2Profile,
    table: OnceLock<Table>,
}

impl Entry {
    /// An object of the service.
    pub(super) fn served(object: v1::Object, session: Option<CK_SESSION_HANDLE>, profile: Sm2Profile) -> Self {
        let object = if object.class() == ObjectClass::CertificateObject {
            Object::Certificate(Arc::new(object))
        } else {
            let public_key = kinds::model(object.algorithm())
                .and_then(|algorithm| PublicKey::registered(algorithm, &object.public_key).ok());
            Object::Key(Arc::new(Key { object, public_key }))
        };
        Self { object, session, profile, table: OnceLock::new() }
    }

    /// One that lives here, until the session ends.
    pub(super) fn local(object: Object, session: CK_SESSION_HANDLE, table: Table) -> Self {
        Self { object, session: Some(session), profile: Sm2Profile::default(), table: OnceLock::from(table) }
    }

    /// As the service has it; `None`: it lives here.
    pub(super) fn service(&self) -> Option<&v1::Object> {
        match &self.object {
            Object::Key(key) => Some(&key.object),
            Object::Certificate(object) => Some(&**object).filter(|object| !object.name.is_empty()),
            Object::PublicKey(_) | Object::Secret(_) => None,
        }
    }

    /// When its key version was made, if it is of one: seconds since 1970, and nanoseconds.
    pub(super) fn made(&self) -> Option<(i64, i32)> {
        self.service().and_then(|object| object.create_time).map(|made| (made.seconds, made.nanos))
    }

    /// Whether it ends with a session (CKA_TOKEN false).
    pub(super) fn ends(&self) -> bool {
        self.session.is_some() || self.service().is_some_and(|object| object.standing() == Standing::Session)
    }

    /// Whether only a logged-in user may see it (CKA_PRIVATE).
    pub(super) fn private(&self) -> bool {
        match self.service() {
            Some(object) => matches!(class(object), CKO_PRIVATE_KEY | CKO_SECRET_KEY),
            None => self.table().has(CKA_PRIVATE, &[1]),
        }
    }

    /// Its attributes.
    pub(super) fn table(&self) -> &Table {
        self.table.get_or_init(|| match &self.object {
            Object::Key(key) => attributes::key(key, !self.ends(), self.profile),
            Object::Certificate(object) => {
                let storage = Storage {
                    class: CKO_CERTIFICATE,
                    id: &object.id,
                    label: &object.label,
                    token: !self.ends(),
                    private: false,
                    modifiable: object.modifiable,
                    unique: &object.name,
                };
                attributes::certificate(&storage, &object.certificate, !object.version.is_empty())
            }
            // Made with its table.
            Object::PublicKey(_) | Object::Secret(_) => Table::default(),
        })
    }

    /// The value of an attribute.
    pub(super) fn value(&self, kind: CK_ATTRIBUTE_TYPE) -> Value {
        match &self.object {
            Object::Secret(secret) if secret.readable && kind == CKA_VALUE => Value::Bytes(secret.value.clone()),
            _ => self.table().value(kind),
        }
    }

    /// The bytes of an attribute, as the indexes hold them.
    pub(super) fn bytes(&self, kind: CK_ATTRIBUTE_TYPE) -> Vec<u8> {
        match (self.service(), kind) {
            (Some(object), CKA_ID) => object.id.clone(),
            (Some(object), CKA_LABEL) => object.label.clone(),
            _ => self.table().bytes_of(kind).unwrap_or_default().to_vec(),
        }
    }

    /// CKA_CLASS.
    pub(super) fn class(&self) -> CK_OBJECT_CLASS {
        match &self.object {
            Object::Key(key) => class(&key.object),
            Object::Certificate(_) => CKO_CERTIFICATE,
            Object::PublicKey(_) => CKO_PUBLIC_KEY,
            Object::Secret(_) => CKO_SECRET_KEY,
        }
    }
}
