//! Templates: attributes as clients give them, and as they ask for them (PKCS#11 v3.0 §4).

use crate::rv::{Result, Rv};
use cryptoki_sys::{CK_ATTRIBUTE_TYPE, CKR_ATTRIBUTE_VALUE_INVALID};

/// One attribute with its value's bytes, as C has them: numbers and booleans in native form.
#[derive(Clone, PartialEq, Eq)]
pub struct Attribute {
    /// CKA_*.
    pub kind: CK_ATTRIBUTE_TYPE,
    /// Its value.
    pub value: zeroize::Zeroizing<Vec<u8>>,
}

/// Attributes given by a client, in its order, none twice.
#[derive(Clone, Default)]
pub struct Template(pub Vec<Attribute>);

impl Template {
    /// The bytes of an attribute.
    pub fn bytes(&self, kind: CK_ATTRIBUTE_TYPE) -> Option<&[u8]> {
        self.0.iter().find(|attribute| attribute.kind == kind).map(|attribute| attribute.value.as_slice())
    }

    /// A CK_BBOOL, which is one byte.
    ///
    /// # Errors
    /// `CKR_ATTRIBUTE_VALUE_INVALID`.
    pub fn boolean(&self, kind: CK_ATTRIBUTE_TYPE) -> Result<Option<bool>> {
        match self.bytes(kind) {
            None => Ok(None),
            Some([0]) => Ok(Some(false)),
            Some([1]) => Ok(Some(true)),
            Some(_) => Err(Rv(CKR_ATTRIBUTE_VALUE_INVALID)),
        }
    }

    /// A CK_ULONG.
    ///
    /// # Errors
    /// `CKR_ATTRIBUTE_VALUE_INVALID`.
    pub fn number(&self, kind: CK_ATTRIBUTE_TYPE) -> Result<Option<u64>> {
        match self.bytes(kind) {
            None => Ok(None),
            Some(bytes) => bytes
                .try_into()
                .map(|bytes| Some(u64::from_ne_bytes(bytes)))
                .map_err(|_| Rv(CKR_ATTRIBUTE_VALUE_INVALID)),
        }
    }
}
