//! Making keys in the token.
//!
//! **Invariants**: what was made is read back, and destroyed where it is not what was asked for (`template`); a key is
//! made for one purpose.

use chancery_ipc::{FaultReason, KeyAlgorithm, KeyOrigin, KeyPurpose};
use cryptoki::{
    error::Error,
    mechanism::Mechanism,
    object::{Attribute, KeyType, ObjectClass, ObjectHandle},
    session::Session,
};
use der::Encode;

use crate::{
    fault::{Failure, while_doing},
    log,
    objects::ObjectId,
    spki::{self, Curve, PublicKey},
    template::{Strictness, Template, is_about_the_template},
};

/// Bytes of a secret key: AES-256, HMAC-SHA256.
pub(crate) const SECRET_BYTES: u64 = 32;

/// A key that was just made.
#[derive(Debug)]
pub(crate) struct NewKey {
    /// The private or secret key.
    pub(crate) object: ObjectHandle,
    /// The public key's object and what it says; a secret key has none.
    pub(crate) public: Option<(ObjectHandle, PublicKey)>,
}

impl NewKey {
    /// SubjectPublicKeyInfo; empty for a secret key.
    pub(crate) fn public_key(self) -> Vec<u8> {
        self.public.map_or_else(Vec::new, |(_, key)| key.der)
    }

    /// Its objects, the secret one first.
    pub(crate) fn objects(&self) -> Vec<ObjectHandle> {
        std::iter::once(self.object).chain(self.public.as_ref().map(|(object, _)| *object)).collect()
    }
}

/// What to make.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) id: &'a ObjectId,
    pub(crate) label: &'a str,
    pub(crate) algorithm: KeyAlgorithm,
    pub(crate) purpose: KeyPurpose,
}

/// Makes keys, and remembers what the token accepted.
#[derive(Debug)]
pub(crate) struct Maker {
    strictness: Strictness,
}

impl Maker {
    pub(crate) fn new() -> Self {
        Self { strictness: Strictness::Full }
    }

    /// Makes a pair, or a secret key, of token objects with this id and label.
    pub(crate) fn generate(&mut self, session: &Session, wanted: Wanted<'_>) -> Result<NewKey, Failure> {
        match secret_plan(wanted.algorithm) {
            Some((mechanism, key_type)) => self.secret(session, wanted, &mechanism, key_type),
            None => self.pair(session, wanted, &PairPlan::of(wanted.algorithm)?),
        }
    }

    fn pair(&mut self, session: &Session, wanted: Wanted<'_>, plan: &PairPlan) -> Result<NewKey, Failure> {
        let ((public, private), template) =
            self.relaxing(wanted, plan.key_type, while_doing("making a key pair"), |template| {
                let mut public = template.public();
                public.extend(plan.parameters.iter().cloned());
                session.generate_key_pair(&plan.mechanism, &public, &template.private())
            })?;
        let checked = template
            .check(session, ObjectClass::PRIVATE_KEY, private, KeyOrigin::Generated)
            .and_then(|()| spki::read(session, public));
        match checked {
            Ok(key) => Ok(NewKey { object: private, public: Some((public, key)) }),
            Err(failure) => {
                destroy(session, &[private, public]);
                Err(failure.after_a_change())
            }
        }
    }

    fn secret(
        &mut self,
        session: &Session,
        wanted: Wanted<'_>,
        mechanism: &Mechanism<'_>,
        key_type: KeyType,
    ) -> Result<NewKey, Failure> {
        let (object, template) = self.relaxing(wanted, key_type, while_doing("making a secret key"), |template| {
            let mut secret = template.secret();
            secret.push(Attribute::ValueLen(SECRET_BYTES.into()));
            session.generate_key(mechanism, &secret)
        })?;
        if let Err(failure) = template.check(session, ObjectClass::SECRET_KEY, object, KeyOrigin::Generated) {
            destroy(session, &[object]);
            return Err(failure.after_a_change());
        }
        Ok(NewKey { object, public: None })
    }

    /// Asks with ever laxer templates until the token takes one; gives what was made and the template it took.
    pub(crate) fn relaxing<'a, T>(
        &mut self,
        wanted: Wanted<'a>,
        key_type: KeyType,
        failed: impl Fn(Error) -> Failure,
        ask: impl Fn(&Template<'a>) -> Result<T, Error>,
    ) -> Result<(T, Template<'a>), Failure> {
        let Wanted { id, label, purpose, .. } = wanted;
        let mut strictness = self.strictness;
        loop {
            let template = Template { id, label, key_type, purpose, strictness };
            match (ask(&template), strictness.laxer()) {
                (Ok(made), _) => {
                    if strictness != self.strictness {
                        log::line(&format!("the token refused part of the key template; accepted: {strictness:?}"));
                        self.strictness = strictness;
                    }
                    return Ok((made, template));
                }
                (Err(error), Some(laxer)) if is_about_the_template(&error) => strictness = laxer,
                (Err(error), _) => return Err(failed(error)),
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

/// How a secret key of this algorithm is made, if it is one.
pub(crate) fn secret_plan(algorithm: KeyAlgorithm) -> Option<(Mechanism<'static>, KeyType)> {
    match algorithm {
        KeyAlgorithm::Aes256 => Some((Mechanism::AesKeyGen, KeyType::AES)),
        KeyAlgorithm::HmacSha256 => Some((Mechanism::GenericSecretKeyGen, KeyType::GENERIC_SECRET)),
        _ => None,
    }
}

/// What the token is asked for, by algorithm.
pub(crate) struct PairPlan {
    mechanism: Mechanism<'static>,
    pub(crate) key_type: KeyType,
    parameters: Vec<Attribute>,
}

impl PairPlan {
    pub(crate) fn of(algorithm: KeyAlgorithm) -> Result<Self, Failure> {
        let curve = |oid: der::asn1::ObjectIdentifier| {
            vec![Attribute::EcParams(oid.to_der().expect("a constant object identifier encodes"))]
        };
        if let Some(name) = Curve::of(algorithm) {
            let parameters = curve(name.oid());
            return Ok(Self { mechanism: Mechanism::EccKeyPairGen, key_type: KeyType::EC, parameters });
        }
        let rsa = |bits: u64| Self {
            mechanism: Mechanism::RsaPkcsKeyPairGen,
            key_type: KeyType::RSA,
            parameters: vec![Attribute::ModulusBits(bits.into()), Attribute::PublicExponent(vec![1, 0, 1])],
        };
        Ok(match algorithm {
            KeyAlgorithm::Ed25519 => Self {
                mechanism: Mechanism::EccEdwardsKeyPairGen,
                key_type: KeyType::EC_EDWARDS,
                parameters: curve(spki::ed25519_oid()),
            },
            KeyAlgorithm::Rsa2048 => rsa(2048),
            KeyAlgorithm::Rsa3072 => rsa(3072),
            KeyAlgorithm::Rsa4096 => rsa(4096),
            other => {
                let message = format!("no token makes keys of {other:?} here: choose protection ENCLAVE");
                return Err(Failure::new(FaultReason::Unsupported, message));
            }
        })
    }
}
