//! What a token is asked to make of a key, and whether it did.
//!
//! **Invariants**: a private or secret key is sensitive and not extractable, and has the one use of its purpose; a token
//! that did not honour this is found out. `CKA_MODIFIABLE` and `CKA_COPYABLE` are given up on a token that refuses them,
//! and so is saying which uses are not allowed.

use chancery_ipc::{FaultReason, KeyOrigin, KeyPurpose};
use cryptoki::{
    error::{Error, RvError},
    object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle},
    session::Session,
};

use crate::{
    fault::{Failure, while_doing},
    objects::ObjectId,
};

/// How much of the template the token accepts, from all of it downwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Strictness {
    /// Everything.
    Full,
    /// Without CKA_COPYABLE (new in PKCS#11 v2.40).
    NoCopyable,
    /// Without CKA_COPYABLE and CKA_MODIFIABLE.
    NoPolicy,
    /// Also without saying which uses are not allowed.
    UseImplied,
}

impl Strictness {
    pub(crate) fn laxer(self) -> Option<Self> {
        match self {
            Self::Full => Some(Self::NoCopyable),
            Self::NoCopyable => Some(Self::NoPolicy),
            Self::NoPolicy => Some(Self::UseImplied),
            Self::UseImplied => None,
        }
    }
}

/// Whether an error says that the token dislikes an attribute of the template.
pub(crate) fn is_about_the_template(error: &Error) -> bool {
    use RvError as R;
    matches!(
        error,
        Error::Pkcs11(R::AttributeTypeInvalid | R::AttributeValueInvalid | R::AttributeReadOnly, _)
            | Error::Pkcs11(R::TemplateInconsistent | R::TemplateIncomplete, _)
    )
}

/// A boolean attribute that allows a use.
type Use = fn(bool) -> Attribute;

/// Uses of a private key, and those of each purpose.
const PRIVATE: [Use; 4] = [Attribute::Sign, Attribute::Decrypt, Attribute::Unwrap, Attribute::Derive];
/// Uses of a public key.
const PUBLIC: [Use; 4] = [Attribute::Verify, Attribute::Encrypt, Attribute::Wrap, Attribute::Derive];
/// Uses of a secret key.
const SECRET: [Use; 7] = [
    Attribute::Encrypt,
    Attribute::Decrypt,
    Attribute::Sign,
    Attribute::Verify,
    Attribute::Wrap,
    Attribute::Unwrap,
    Attribute::Derive,
];

/// Splits `all` into what `purpose` allows and what it does not.
fn split(all: &[Use], class: ObjectClass, purpose: KeyPurpose) -> (Vec<Use>, Vec<Use>) {
    use AttributeType as T;
    let allowed: &[AttributeType] = match (class, purpose) {
        (ObjectClass::PRIVATE_KEY, KeyPurpose::Sign) => &[T::Sign],
        (ObjectClass::PRIVATE_KEY, KeyPurpose::Encrypt) => &[T::Decrypt],
        (ObjectClass::PRIVATE_KEY, KeyPurpose::Agree) => &[T::Derive],
        (ObjectClass::PUBLIC_KEY, KeyPurpose::Sign) => &[T::Verify],
        (ObjectClass::PUBLIC_KEY, KeyPurpose::Encrypt) => &[T::Encrypt],
        (ObjectClass::SECRET_KEY, KeyPurpose::Encrypt) => &[T::Encrypt, T::Decrypt],
        (ObjectClass::SECRET_KEY, KeyPurpose::Mac) => &[T::Sign, T::Verify],
        (ObjectClass::SECRET_KEY, KeyPurpose::Wrap) => &[T::Wrap, T::Unwrap],
        _ => &[],
    };
    all.iter().partition(|allows| allowed.contains(&allows(true).attribute_type()))
}

/// What is asked for: names, purpose, and how insistently.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Template<'a> {
    pub(crate) id: &'a ObjectId,
    pub(crate) label: &'a str,
    pub(crate) key_type: KeyType,
    pub(crate) purpose: KeyPurpose,
    pub(crate) strictness: Strictness,
}

impl Template<'_> {
    /// Of a public key, less what defines the key itself (PKCS#11 v3.0 §4.8).
    pub(crate) fn public(&self) -> Vec<Attribute> {
        let mut template = self.shared();
        template.push(Attribute::Private(false));
        self.add_uses(&mut template, &PUBLIC, ObjectClass::PUBLIC_KEY);
        template
    }

    /// Of a private key (PKCS#11 v3.0 §4.9).
    pub(crate) fn private(&self) -> Vec<Attribute> {
        self.confined(&PRIVATE, ObjectClass::PRIVATE_KEY)
    }

    /// Of a secret key, less its length (PKCS#11 v3.0 §4.10).
    pub(crate) fn secret(&self) -> Vec<Attribute> {
        self.confined(&SECRET, ObjectClass::SECRET_KEY)
    }

    fn confined(&self, uses: &[Use], class: ObjectClass) -> Vec<Attribute> {
        let mut template = self.shared();
        template.extend([Attribute::Private(true), Attribute::Sensitive(true), Attribute::Extractable(false)]);
        self.add_uses(&mut template, uses, class);
        template
    }

    fn shared(&self) -> Vec<Attribute> {
        let mut template = vec![
            Attribute::KeyType(self.key_type),
            Attribute::Token(true),
            Attribute::Id(self.id.to_vec()),
            Attribute::Label(self.label.into()),
        ];
        if self.strictness < Strictness::NoPolicy {
            template.push(Attribute::Modifiable(false));
        }
        if self.strictness < Strictness::NoCopyable {
            template.push(Attribute::Copyable(false));
        }
        template
    }

    fn add_uses(&self, template: &mut Vec<Attribute>, uses: &[Use], class: ObjectClass) {
        let (allowed, refused) = split(uses, class, self.purpose);
        template.extend(allowed.iter().map(|allows| allows(true)));
        if self.strictness < Strictness::UseImplied {
            template.extend(refused.iter().map(|allows| allows(false)));
        }
    }

    /// Reads back what the token made of the template of a private or secret key that it generated, or that came from
    /// elsewhere and so is neither local nor was always confined (PKCS#11 v3.0 §4.9).
    pub(crate) fn check(
        &self,
        session: &Session,
        class: ObjectClass,
        key: ObjectHandle,
        origin: KeyOrigin,
    ) -> Result<(), Failure> {
        use Attribute as A;
        let generated = origin == KeyOrigin::Generated;
        let uses: &[Use] = if class == ObjectClass::SECRET_KEY { &SECRET } else { &PRIVATE };
        let (allowed, refused) = split(uses, class, self.purpose);
        let mut must =
            vec![A::Token(true), A::Private(true), A::Sensitive(true), A::Extractable(false), A::Local(generated)];
        must.extend(allowed.iter().map(|allows| allows(true)));
        let mut must_not = vec![A::AlwaysAuthenticate(true)];
        if generated {
            must_not.extend([A::AlwaysSensitive(false), A::NeverExtractable(false)]);
        }
        if self.strictness < Strictness::UseImplied {
            must_not.extend(refused.iter().map(|allows| allows(true)));
        }
        if self.strictness < Strictness::NoPolicy {
            must_not.push(A::Modifiable(true));
        }
        if self.strictness < Strictness::NoCopyable {
            must_not.push(A::Copyable(true));
        }
        let wanted: Vec<_> = must.iter().chain(&must_not).map(Attribute::attribute_type).collect();
        let found = session.get_attributes(key, &wanted).map_err(while_doing("reading back a new key"))?;
        let broken: Vec<_> = must
            .iter()
            .filter(|attribute| !found.contains(attribute))
            .map(|attribute| format!("not {attribute:?}"))
            .chain(
                must_not.iter().filter(|attribute| found.contains(attribute)).map(|attribute| format!("{attribute:?}")),
            )
            .collect();
        if broken.is_empty() {
            return Ok(());
        }
        let message = format!("the token made a key unlike the one asked for ({}); it is destroyed", broken.join(", "));
        Err(Failure::new(FaultReason::TokenFault, message))
    }
}

/// Whether a private or secret key in the token has the uses of `purpose`.
pub(crate) fn serves(
    session: &Session,
    class: ObjectClass,
    key: ObjectHandle,
    purpose: KeyPurpose,
) -> Result<bool, Failure> {
    let uses: &[Use] = if class == ObjectClass::SECRET_KEY { &SECRET } else { &PRIVATE };
    let (allowed, _) = split(uses, class, purpose);
    let wanted: Vec<_> = allowed.iter().map(|allows| allows(true)).collect();
    let types: Vec<_> = wanted.iter().map(Attribute::attribute_type).collect();
    let found = session.get_attributes(key, &types).map_err(while_doing("reading a key"))?;
    Ok(!wanted.is_empty() && wanted.iter().all(|attribute| found.contains(attribute)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(purpose: KeyPurpose) -> Template<'static> {
        Template { id: &[7; 32], label: "l", key_type: KeyType::AES, purpose, strictness: Strictness::Full }
    }

    /// Of all uses that PKCS#11 knows, a key gets those of its purpose and is told to refuse the rest.
    #[test]
    fn a_key_gets_the_uses_of_its_purpose_only() {
        use Attribute as A;
        let uses = |template: Vec<A>| -> Vec<A> {
            let known: Vec<_> = SECRET.iter().map(|allows| allows(true).attribute_type()).collect();
            template.into_iter().filter(|a| known.contains(&a.attribute_type())).collect()
        };
        let sign = uses(template(KeyPurpose::Sign).private());
        assert_eq!(sign, [A::Sign(true), A::Decrypt(false), A::Unwrap(false), A::Derive(false)]);
        let agree = uses(template(KeyPurpose::Agree).private());
        assert_eq!(agree, [A::Derive(true), A::Sign(false), A::Decrypt(false), A::Unwrap(false)]);
        let encrypt = uses(template(KeyPurpose::Encrypt).secret());
        assert_eq!(encrypt[..2], [A::Encrypt(true), A::Decrypt(true)]);
        assert!(encrypt[2..].iter().all(|a| matches!(
            a,
            A::Sign(false) | A::Verify(false) | A::Wrap(false) | A::Unwrap(false) | A::Derive(false)
        )));
        assert_eq!(encrypt.len(), 7);
    }
}
