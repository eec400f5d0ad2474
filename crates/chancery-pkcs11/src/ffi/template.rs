//! CK_ATTRIBUTE arrays, as clients bring them and want them filled (PKCS#11 v3.0 §5.7).

use super::pointer::{bytes, size};
use crate::{
    attribute::{Attribute, Template},
    objects::Value,
    rv::{Result, Rv},
};
use cryptoki_sys::{
    CK_ATTRIBUTE, CK_ATTRIBUTE_TYPE, CK_ULONG, CK_UNAVAILABLE_INFORMATION, CKA_ALLOWED_MECHANISMS, CKF_ARRAY_ATTRIBUTE,
    CKR_ARGUMENTS_BAD, CKR_ATTRIBUTE_SENSITIVE, CKR_ATTRIBUTE_TYPE_INVALID, CKR_ATTRIBUTE_VALUE_INVALID,
    CKR_BUFFER_TOO_SMALL, CKR_OK, CKR_TEMPLATE_INCONSISTENT,
};
use zeroize::Zeroizing;

/// No object has so many attributes: a larger number was never set.
const LONGEST_TEMPLATE: usize = 1024;
/// Nor is one so long.
const LONGEST_VALUE: usize = 1 << 20;

/// Copies a template. Nested ones are refused: no key has a template of its own for others.
///
/// # Safety
/// See [`super`].
///
/// # Errors
/// `CKR_ARGUMENTS_BAD`, `CKR_ATTRIBUTE_TYPE_INVALID`, `CKR_ATTRIBUTE_VALUE_INVALID`; `CKR_TEMPLATE_INCONSISTENT` where an
/// attribute stands twice.
pub(super) unsafe fn template(attributes: *const CK_ATTRIBUTE, count: CK_ULONG) -> Result<Template> {
    // SAFETY: the caller's promise.
    let attributes = unsafe { Attributes::new(attributes.cast_mut(), count) }?;
    let mut template = Template::default();
    for CK_ATTRIBUTE { type_: kind, pValue, ulValueLen } in attributes.iter() {
        if kind & CKF_ARRAY_ATTRIBUTE != 0 && kind != CKA_ALLOWED_MECHANISMS {
            return Err(Rv(CKR_ATTRIBUTE_TYPE_INVALID));
        }
        if template.bytes(kind).is_some() {
            return Err(Rv(CKR_TEMPLATE_INCONSISTENT));
        }
        let invalid = Rv(CKR_ATTRIBUTE_VALUE_INVALID);
        if size(ulValueLen).is_ok_and(|length| length > LONGEST_VALUE) {
            return Err(invalid);
        }
        // SAFETY: the caller's promise.
        let value = unsafe { bytes(pValue.cast(), ulValueLen) }.map_err(|_| invalid)?;
        template.0.push(Attribute { kind, value: Zeroizing::new(value.to_vec()) });
    }
    Ok(template)
}

/// A client's array.
pub(super) struct Attributes {
    first: *mut CK_ATTRIBUTE,
    count: usize,
}

impl Attributes {
    /// # Safety
    /// See [`super`].
    ///
    /// # Errors
    /// `CKR_ARGUMENTS_BAD`.
    pub(super) unsafe fn new(first: *mut CK_ATTRIBUTE, count: CK_ULONG) -> Result<Self> {
        let count = size(count)?;
        if count > LONGEST_TEMPLATE || (count > 0 && first.is_null()) {
            return Err(Rv(CKR_ARGUMENTS_BAD));
        }
        Ok(Self { first, count })
    }

    fn iter(&self) -> impl Iterator<Item = CK_ATTRIBUTE> {
        // SAFETY: the promise given to `new`: there are so many.
        (0..self.count).map(|at| unsafe { self.first.add(at).read_unaligned() })
    }

    /// What is asked for.
    pub(super) fn kinds(&self) -> Vec<CK_ATTRIBUTE_TYPE> {
        self.iter().map(|attribute| attribute.type_).collect()
    }

    /// Answers every attribute, also where some can't be given (C_GetAttributeValue).
    ///
    /// # Errors
    /// `CKR_ATTRIBUTE_SENSITIVE` before `CKR_ATTRIBUTE_TYPE_INVALID` before `CKR_BUFFER_TOO_SMALL`.
    pub(super) fn answer(self, values: &[Value]) -> Result<()> {
        let mut worst = CKR_OK;
        for (at, (mut attribute, value)) in self.iter().zip(values).enumerate() {
            let (length, rv) = match value {
                Value::Sensitive => (CK_UNAVAILABLE_INFORMATION, CKR_ATTRIBUTE_SENSITIVE),
                Value::Absent => (CK_UNAVAILABLE_INFORMATION, CKR_ATTRIBUTE_TYPE_INVALID),
                Value::Bytes(bytes) if attribute.pValue.is_null() => (bytes.len() as CK_ULONG, CKR_OK),
                // The length may be what an earlier answer left there: CK_UNAVAILABLE_INFORMATION is no room.
                Value::Bytes(bytes) if !size(attribute.ulValueLen).is_ok_and(|room| bytes.len() <= room) => {
                    (CK_UNAVAILABLE_INFORMATION, CKR_BUFFER_TOO_SMALL)
                }
                Value::Bytes(bytes) => {
                    // SAFETY: the promise given to `new`: the value's buffer has room for so many bytes.
                    unsafe { std::ptr::copy(bytes.as_ptr(), attribute.pValue.cast(), bytes.len()) };
                    (bytes.len() as CK_ULONG, CKR_OK)
                }
            };
            attribute.ulValueLen = length;
            // SAFETY: the promise given to `new`.
            unsafe { self.first.add(at).write_unaligned(attribute) };
            if severity(rv) > severity(worst) {
                worst = rv;
            }
        }
        if worst == CKR_OK { Ok(()) } else { Err(Rv(worst)) }
    }
}

fn severity(rv: u64) -> u8 {
    match rv {
        CKR_ATTRIBUTE_SENSITIVE => 3,
        CKR_ATTRIBUTE_TYPE_INVALID => 2,
        CKR_BUFFER_TOO_SMALL => 1,
        _ => 0,
    }
}
