//! What objects answer when their attributes are asked for (PKCS#11 v3.0 §4).
//!
//! **Invariants**
//! * A table has every attribute of its class and key type; secrets are in it as [`Value::Sensitive`], without a value.
//! * What is matched in a search is what C_GetAttributeValue would give.
//!
//! **Not here**: changing attributes (`change`), attributes of new keys (`generate`).

mod certificate;
mod key;

pub(super) use certificate::certificate;
pub(super) use key::{given, key, local_public, local_secret};

use super::Value;
use crate::attribute::Template;
use cryptoki_sys::*;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// An object's attributes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Table(BTreeMap<CK_ATTRIBUTE_TYPE, Value>);

/// What every object has (§4.4).
pub(super) struct Storage<'a> {
    pub(super) class: CK_OBJECT_CLASS,
    pub(super) id: &'a [u8],
    pub(super) label: &'a [u8],
    /// CKA_TOKEN: it does not end with a session.
    pub(super) token: bool,
    /// CKA_PRIVATE: shown to a logged-in user only.
    pub(super) private: bool,
    pub(super) modifiable: bool,
    /// CKA_UNIQUE_ID.
    pub(super) unique: &'a str,
}

impl Table {
    fn of(storage: &Storage<'_>) -> Self {
        let mut table = Self::default();
        table.number(CKA_CLASS, storage.class);
        table.bytes(CKA_ID, storage.id);
        table.bytes(CKA_LABEL, storage.label);
        table.flags(&[
            (CKA_TOKEN, storage.token),
            (CKA_PRIVATE, storage.private),
            (CKA_MODIFIABLE, storage.modifiable),
            (CKA_COPYABLE, true),
            (CKA_DESTROYABLE, true),
        ]);
        table.bytes(CKA_UNIQUE_ID, storage.unique.as_bytes());
        table
    }

    /// Sets an attribute.
    pub(super) fn bytes(&mut self, kind: CK_ATTRIBUTE_TYPE, value: impl Into<Vec<u8>>) {
        self.0.insert(kind, Value::Bytes(Zeroizing::new(value.into())));
    }

    fn number(&mut self, kind: CK_ATTRIBUTE_TYPE, value: CK_ULONG) {
        self.bytes(kind, value.to_ne_bytes());
    }

    /// Sets CK_BBOOLs.
    pub(super) fn flags(&mut self, flags: &[(CK_ATTRIBUTE_TYPE, bool)]) {
        for (kind, flag) in flags {
            self.bytes(*kind, [u8::from(*flag)]);
        }
    }

    fn sensitive(&mut self, kinds: &[CK_ATTRIBUTE_TYPE]) {
        self.0.extend(kinds.iter().map(|kind| (*kind, Value::Sensitive)));
    }

    /// The value of an attribute.
    pub(super) fn value(&self, kind: CK_ATTRIBUTE_TYPE) -> Value {
        self.0.get(&kind).cloned().unwrap_or(Value::Absent)
    }

    /// The bytes of an attribute that it has.
    pub(super) fn bytes_of(&self, kind: CK_ATTRIBUTE_TYPE) -> Option<&[u8]> {
        match self.0.get(&kind) {
            Some(Value::Bytes(bytes)) => Some(bytes.as_slice()),
            _ => None,
        }
    }

    /// Whether the object has all attributes of `template`, with these values.
    pub(super) fn matches(&self, template: &Template) -> bool {
        template.0.iter().all(|attribute| self.has(attribute.kind, &attribute.value))
    }

    /// Whether an attribute has this value.
    pub(super) fn has(&self, kind: CK_ATTRIBUTE_TYPE, value: &[u8]) -> bool {
        self.bytes_of(kind) == Some(value)
    }
}

/// `contents` as a DER value of one tag.
pub(super) fn der(tag: u8, contents: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match contents.len() {
        length @ 0..0x80 => out.push(length as u8),
        length => {
            let bytes = length.to_be_bytes();
            let bytes = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
            out.push(0x80 | bytes.len() as u8);
            out.extend(bytes);
        }
    }
    out.extend(contents);
    out
}
