//! Making key pairs.
//!
//! **Invariants**: a private key is made in the token as sensitive and not extractable, for signing only, and is read
//! back; a token that did not honour what matters gets its pair destroyed. `CKA_MODIFIABLE` and `CKA_COPYABLE` are
//! asked for and given up, with a log line, on a token that refuses them.

use chancery_ipc::{FaultReason, KeyAlgorithm};
use cryptoki::{
    error::{Error, RvError},
    mechanism::Mechanism,
    object::{Attribute, AttributeType, KeyType, ObjectHandle},
    session::Session,
};
use der::Encode;

use crate::{
    fault::{Failure, while_doing},
    log,
    objects::ObjectId,
    spki::{self, Curve, PublicKey},
};

/// A pair that was just made.
#[derive(Debug)]
pub(crate) struct NewPair {
    pub(crate) private: ObjectHandle,
    pub(crate) public_object: ObjectHandle,
    pub(crate) public: PublicKey,
}

/// How much of the template the token accepts, from all of it downwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Strictness {
    /// Everything.
    Full,
    /// Without CKA_COPYABLE (new in PKCS#11 v2.40).
    NoCopyable,
    /// Without CKA_COPYABLE and CKA_MODIFIABLE.
    NoPolicy,
    /// Also without saying which uses are not allowed.
    SignOnlyImplied,
}

impl Strictness {
    fn laxer(self) -> Option<Self> {
        match self {
            Self::Full => Some(Self::NoCopyable),
            Self::NoCopyable => Some(Self::NoPolicy),
            Self::NoPolicy => Some(Self::SignOnlyImplied),
            Self::SignOnlyImplied => None,
        }
    }
}

/// Makes key pairs, and remembers what the token accepted.
#[derive(Debug)]
pub(crate) struct Maker {
    strictness: Strictness,
}

impl Maker {
    pub(crate) fn new() -> Self {
        Self { strictness: Strictness::Full }
    }

    /// Makes a pair of token objects with this id and label.
    pub(crate) fn generate(
        &mut self,
        session: &Session,
        id: &ObjectId,
        label: &str,
        algorithm: KeyAlgorithm,
    ) -> Result<NewPair, Failure> {
        let plan = Plan::of(algorithm)?;
        let mut strictness = self.strictness;
        let (public_object, private) = loop {
            let (public, private) = plan.templates(id, label, strictness);
            match (session.generate_key_pair(&plan.mechanism, &public, &private), strictness.laxer()) {
                (Ok((public, private)), _) => break (public, private),
                (Err(error), Some(laxer)) if is_about_the_template(&error) => strictness = laxer,
                (Err(error), _) => return Err(while_doing("making a key pair")(error)),
            }
        };
        if strictness != self.strictness {
            log::line(&format!("the token refused part of the key template; accepted: {strictness:?}"));
            self.strictness = strictness;
        }
        let checked = check(session, private, strictness).and_then(|()| spki::read(session, public_object));
        match checked {
            Ok(public) => Ok(NewPair { private, public_object, public }),
            Err(failure) => {
                destroy(session, &[private, public_object]);
                Err(failure.after_a_change())
            }
        }
    }
}

/// Destroys what a failed operation left behind; what can't be destroyed is said.
pub(crate) fn destroy(session: &Session, objects: &[ObjectHandle]) {
    for object in objects {
        if let Err(error) = session.destroy_object(*object) {
            log::line(&while_doing("destroying a half-made key; remove it by hand")(error).message);
        }
    }
}

fn is_about_the_template(error: &Error) -> bool {
    use RvError as R;
    matches!(
        error,
        Error::Pkcs11(R::AttributeTypeInvalid | R::AttributeValueInvalid | R::AttributeReadOnly, _)
            | Error::Pkcs11(R::TemplateInconsistent | R::TemplateIncomplete, _)
    )
}

/// What the token is asked for, by algorithm.
struct Plan {
    mechanism: Mechanism<'static>,
    key_type: KeyType,
    parameters: Vec<Attribute>,
}

impl Plan {
    fn of(algorithm: KeyAlgorithm) -> Result<Self, Failure> {
        let curve = |oid: der::asn1::ObjectIdentifier| {
            vec![Attribute::EcParams(oid.to_der().expect("a constant object identifier encodes"))]
        };
        let ec = |name: Curve| Self {
            mechanism: Mechanism::EccKeyPairGen,
            key_type: KeyType::EC,
            parameters: curve(name.oid()),
        };
        let rsa = |bits: u64| Self {
            mechanism: Mechanism::RsaPkcsKeyPairGen,
            key_type: KeyType::RSA,
            parameters: vec![Attribute::ModulusBits(bits.into()), Attribute::PublicExponent(vec![1, 0, 1])],
        };
        Ok(match algorithm {
            KeyAlgorithm::Unspecified => return Err(Failure::bad_request("no key algorithm is named")),
            KeyAlgorithm::EcP256 => ec(Curve::P256),
            KeyAlgorithm::EcP384 => ec(Curve::P384),
            KeyAlgorithm::EcP521 => ec(Curve::P521),
            KeyAlgorithm::EcSecp256k1 => ec(Curve::Secp256k1),
            KeyAlgorithm::Ed25519 => Self {
                mechanism: Mechanism::EccEdwardsKeyPairGen,
                key_type: KeyType::EC_EDWARDS,
                parameters: curve(spki::ed25519_oid()),
            },
            KeyAlgorithm::Rsa2048 => rsa(2048),
            KeyAlgorithm::Rsa3072 => rsa(3072),
            KeyAlgorithm::Rsa4096 => rsa(4096),
        })
    }

    /// The public and the private template (PKCS#11 v3.0 §4.8, §4.9).
    fn templates(&self, id: &ObjectId, label: &str, strictness: Strictness) -> (Vec<Attribute>, Vec<Attribute>) {
        let mut common = vec![
            Attribute::KeyType(self.key_type),
            Attribute::Token(true),
            Attribute::Id(id.to_vec()),
            Attribute::Label(label.into()),
        ];
        if strictness < Strictness::NoPolicy {
            common.push(Attribute::Modifiable(false));
        }
        if strictness < Strictness::NoCopyable {
            common.push(Attribute::Copyable(false));
        }
        let mut public = common.clone();
        public.extend([Attribute::Private(false), Attribute::Verify(true)]);
        public.extend(self.parameters.iter().cloned());
        let mut private = common;
        private.extend([
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Sign(true),
        ]);
        if strictness < Strictness::SignOnlyImplied {
            let unused = [Attribute::Derive(false)];
            public.extend(unused.iter().cloned().chain([Attribute::Encrypt(false), Attribute::Wrap(false)]));
            private.extend(unused.into_iter().chain([Attribute::Decrypt(false), Attribute::Unwrap(false)]));
        }
        (public, private)
    }
}

/// Reads back what the token made of the private key's template.
fn check(session: &Session, private: ObjectHandle, strictness: Strictness) -> Result<(), Failure> {
    use Attribute as A;
    use AttributeType as T;
    let wanted = [
        T::Token,
        T::Private,
        T::Sensitive,
        T::Extractable,
        T::Local,
        T::Sign,
        T::AlwaysSensitive,
        T::NeverExtractable,
        T::AlwaysAuthenticate,
        T::Decrypt,
        T::Unwrap,
        T::Derive,
        T::Modifiable,
        T::Copyable,
    ];
    let found = session.get_attributes(private, &wanted).map_err(while_doing("reading back a new key"))?;
    let must =
        [A::Token(true), A::Private(true), A::Sensitive(true), A::Extractable(false), A::Local(true), A::Sign(true)];
    let mut must_not = vec![A::AlwaysSensitive(false), A::NeverExtractable(false), A::AlwaysAuthenticate(true)];
    if strictness < Strictness::SignOnlyImplied {
        must_not.extend([A::Decrypt(true), A::Unwrap(true), A::Derive(true)]);
    }
    if strictness < Strictness::NoPolicy {
        must_not.push(A::Modifiable(true));
    }
    if strictness < Strictness::NoCopyable {
        must_not.push(A::Copyable(true));
    }
    let broken: Vec<_> = must
        .iter()
        .filter(|attribute| !found.contains(attribute))
        .map(|attribute| format!("not {attribute:?}"))
        .chain(must_not.iter().filter(|attribute| found.contains(attribute)).map(|attribute| format!("{attribute:?}")))
        .collect();
    if broken.is_empty() {
        return Ok(());
    }
    let message =
        format!("the token made a private key unlike the one asked for ({}); it is destroyed", broken.join(", "));
    Err(Failure::new(FaultReason::TokenFault, message))
}
