//! What templates of new objects may say (docs/pkcs11.md, "Key templates").
//!
//! **Invariants**
//! * An object may come out stronger than the template asks (sensitive, private), never weaker: what would be, is refused.
//! * Nothing that a template says is dropped in silence where a client could rely on it.
//!
//! **Not here**: what key it makes (`generate`).

use crate::{
    attribute::{Attribute, Template},
    rv::{Result, Rv},
};
use cryptoki_sys::*;

/// Longest CKA_ID and CKA_LABEL that the service keeps, in bytes.
const LONGEST_NAME: usize = 255;

/// What an attribute may be.
#[derive(Clone, Copy)]
enum Rule {
    /// Read where it is used, or without consequence.
    Any,
    /// A CK_BBOOL.
    Flag,
    /// This CK_BBOOL only: the other could not be kept.
    Only(bool),
    /// Empty: what it would say is not kept.
    Empty,
    /// At most [`LONGEST_NAME`] bytes.
    Id,
    /// The same, of UTF-8.
    Label,
    /// Not for clients to say.
    ReadOnly,
}

use Rule::{Any, Empty, Flag, Id, Label, Only, ReadOnly};

type Rules = &'static [(CK_ATTRIBUTE_TYPE, Rule)];

/// Of every object (PKCS#11 v3.0 §4.4).
const STORAGE: Rules = &[
    (CKA_CLASS, Any),
    (CKA_TOKEN, Flag),
    (CKA_PRIVATE, Flag),
    (CKA_MODIFIABLE, Flag),
    (CKA_COPYABLE, Only(true)),
    (CKA_DESTROYABLE, Only(true)),
    (CKA_LABEL, Label),
    (CKA_ID, Id),
    (CKA_UNIQUE_ID, ReadOnly),
];

/// Of every key (§4.7).
const KEY: Rules = &[
    (CKA_KEY_TYPE, Any),
    (CKA_START_DATE, Empty),
    (CKA_END_DATE, Empty),
    (CKA_DERIVE, Flag),
    (CKA_LOCAL, ReadOnly),
    (CKA_KEY_GEN_MECHANISM, ReadOnly),
];

/// Of a new public key (§4.8, and by type).
const PUBLIC: Rules = &[
    (CKA_SUBJECT, Any),
    (CKA_ENCRYPT, Flag),
    (CKA_VERIFY, Flag),
    (CKA_VERIFY_RECOVER, Flag),
    (CKA_WRAP, Flag),
    (CKA_TRUSTED, Only(false)),
    (CKA_EC_PARAMS, Any),
    (CKA_MODULUS_BITS, Any),
    (CKA_PUBLIC_EXPONENT, Any),
    (CKA_PARAMETER_SET, Any),
    (CKA_EC_POINT, ReadOnly),
    (CKA_MODULUS, ReadOnly),
    (CKA_VALUE, ReadOnly),
    (CKA_PUBLIC_KEY_INFO, ReadOnly),
];

/// Of a new private key (§4.9).
const PRIVATE: Rules = &[
    (CKA_SUBJECT, Any),
    (CKA_SENSITIVE, Only(true)),
    (CKA_EXTRACTABLE, Only(false)),
    (CKA_DECRYPT, Flag),
    (CKA_SIGN, Flag),
    (CKA_SIGN_RECOVER, Flag),
    (CKA_UNWRAP, Flag),
    (CKA_WRAP_WITH_TRUSTED, Flag),
    (CKA_ALWAYS_AUTHENTICATE, Only(false)),
    (CKA_ALWAYS_SENSITIVE, ReadOnly),
    (CKA_NEVER_EXTRACTABLE, ReadOnly),
    (CKA_EC_PARAMS, Any),
    (CKA_PARAMETER_SET, Any),
    (CKA_VALUE, ReadOnly),
    (CKA_PUBLIC_KEY_INFO, ReadOnly),
];

/// Of a new secret key (§4.10). pkcs11-tool says that its keys are not sensitive, and means nothing by it.
const SECRET: Rules = &[
    (CKA_SENSITIVE, Flag),
    (CKA_EXTRACTABLE, Only(false)),
    (CKA_ENCRYPT, Flag),
    (CKA_DECRYPT, Flag),
    (CKA_SIGN, Flag),
    (CKA_VERIFY, Flag),
    (CKA_WRAP, Flag),
    (CKA_UNWRAP, Flag),
    (CKA_WRAP_WITH_TRUSTED, Flag),
    (CKA_TRUSTED, Only(false)),
    (CKA_VALUE_LEN, Any),
    (CKA_ALWAYS_SENSITIVE, ReadOnly),
    (CKA_NEVER_EXTRACTABLE, ReadOnly),
    (CKA_VALUE, ReadOnly),
    (CKA_CHECK_VALUE, ReadOnly),
];

/// Of a public key that a client brings along.
const GIVEN_PUBLIC: Rules = &[
    (CKA_TOKEN, Only(false)),
    (CKA_SUBJECT, Any),
    (CKA_ENCRYPT, Flag),
    (CKA_VERIFY, Flag),
    (CKA_VERIFY_RECOVER, Flag),
    (CKA_WRAP, Flag),
    (CKA_TRUSTED, Only(false)),
    (CKA_EC_PARAMS, Any),
    (CKA_EC_POINT, Any),
    (CKA_MODULUS, Any),
    (CKA_MODULUS_BITS, Any),
    (CKA_PUBLIC_EXPONENT, Any),
    (CKA_PARAMETER_SET, Any),
    (CKA_VALUE, Any),
    (CKA_PUBLIC_KEY_INFO, Any),
];

/// Of a secret that lives here: it ends with the session, and may be read or wrapped where its client says so.
const LOCAL_SECRET: Rules = &[(CKA_TOKEN, Only(false)), (CKA_EXTRACTABLE, Flag)];

/// Of a secret that a client brings along.
const GIVEN_SECRET: Rules = &[(CKA_VALUE, Any)];

/// Of a certificate (§4.6). What it says is read from its value.
const CERTIFICATE: Rules = &[
    (CKA_CERTIFICATE_TYPE, Any),
    (CKA_CERTIFICATE_CATEGORY, Any),
    (CKA_VALUE, Any),
    (CKA_SUBJECT, Any),
    (CKA_ISSUER, Any),
    (CKA_SERIAL_NUMBER, Any),
    (CKA_PUBLIC_KEY_INFO, Any),
    (CKA_CHECK_VALUE, Any),
    (CKA_START_DATE, Any),
    (CKA_END_DATE, Any),
    (CKA_URL, Empty),
    (CKA_TRUSTED, Only(false)),
];

/// What is to be made of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum New {
    /// The public half of a pair.
    PublicHalf,
    /// The private half.
    PrivateHalf,
    /// A secret key at the service.
    SecretKey,
    /// A secret that is made here, derived or unwrapped.
    LocalSecret,
    /// A secret that a client brings along.
    GivenSecret,
    /// A public key that a client brings along.
    GivenPublic,
    /// A certificate.
    Certificate,
}

impl New {
    /// Rules, the first for an attribute before others.
    fn rules(self) -> &'static [Rules] {
        match self {
            Self::PublicHalf => &[STORAGE, KEY, PUBLIC],
            Self::PrivateHalf => &[STORAGE, KEY, PRIVATE],
            Self::SecretKey => &[STORAGE, KEY, SECRET],
            Self::LocalSecret => &[LOCAL_SECRET, STORAGE, KEY, SECRET],
            Self::GivenSecret => &[GIVEN_SECRET, LOCAL_SECRET, STORAGE, KEY, SECRET],
            Self::GivenPublic => &[GIVEN_PUBLIC, STORAGE, KEY],
            Self::Certificate => &[CERTIFICATE, STORAGE],
        }
    }

    fn class(self) -> CK_OBJECT_CLASS {
        match self {
            Self::PublicHalf | Self::GivenPublic => CKO_PUBLIC_KEY,
            Self::PrivateHalf => CKO_PRIVATE_KEY,
            Self::SecretKey | Self::LocalSecret | Self::GivenSecret => CKO_SECRET_KEY,
            Self::Certificate => CKO_CERTIFICATE,
        }
    }

    /// Checks a template.
    ///
    /// # Errors
    /// `CKR_ATTRIBUTE_TYPE_INVALID`, `_READ_ONLY`, `_VALUE_INVALID`; `CKR_TEMPLATE_INCONSISTENT` for what can't be.
    pub(super) fn check(self, template: &Template) -> Result<()> {
        check(template, self.rules())?;
        agrees(template, CKA_CLASS, self.class())
    }
}

/// Checks that a template says of a number what is so anyhow, or nothing.
///
/// # Errors
/// `CKR_TEMPLATE_INCONSISTENT`.
pub(super) fn agrees(template: &Template, kind: CK_ATTRIBUTE_TYPE, value: CK_ULONG) -> Result<()> {
    match template.number(kind)? {
        Some(given) if given != value => Err(Rv(CKR_TEMPLATE_INCONSISTENT)),
        _ => Ok(()),
    }
}

/// Checks each attribute by the rule that there is for it.
fn check(template: &Template, rules: &[Rules]) -> Result<()> {
    template.0.iter().try_for_each(|attribute| {
        let rule = rules.iter().copied().flatten().find(|(kind, _)| *kind == attribute.kind);
        match rule {
            Some((_, rule)) => rule.check(attribute),
            None => Err(Rv(CKR_ATTRIBUTE_TYPE_INVALID)),
        }
    })
}

impl Rule {
    fn check(self, attribute: &Attribute) -> Result<()> {
        let value = attribute.value.as_slice();
        let (right, otherwise) = match self {
            Any => (true, CKR_ATTRIBUTE_VALUE_INVALID),
            Flag => (matches!(value, [0 | 1]), CKR_ATTRIBUTE_VALUE_INVALID),
            Only(_) if !matches!(value, [0 | 1]) => (false, CKR_ATTRIBUTE_VALUE_INVALID),
            Only(flag) => (value == [u8::from(flag)], CKR_TEMPLATE_INCONSISTENT),
            Empty => (value.is_empty(), CKR_TEMPLATE_INCONSISTENT),
            Id => (is_id(value), CKR_ATTRIBUTE_VALUE_INVALID),
            Label => (is_label(value), CKR_ATTRIBUTE_VALUE_INVALID),
            ReadOnly => (false, CKR_ATTRIBUTE_READ_ONLY),
        };
        if right { Ok(()) } else { Err(Rv(otherwise)) }
    }
}

/// Whether it can be a CKA_ID.
pub(super) fn is_id(value: &[u8]) -> bool {
    value.len() <= LONGEST_NAME
}

/// Whether it can be a CKA_LABEL.
pub(super) fn is_label(value: &[u8]) -> bool {
    value.len() <= LONGEST_NAME && core::str::from_utf8(value).is_ok()
}
