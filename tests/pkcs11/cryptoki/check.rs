//! What programs do with the crate, once each, and 16 threads of it.

use crate::{Token, only, point};
use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use cryptoki::{
    error::{Error, RvError},
    mechanism::{
        Mechanism, MechanismType,
        eddsa::{EddsaParams, EddsaSignatureScheme},
        rsa::{PkcsMgfType, PkcsPssParams},
    },
    object::{Attribute, AttributeType, ObjectClass, ObjectHandle},
    session::Session,
};
use p256::ecdsa::{Signature, VerifyingKey, signature::hazmat::PrehashVerifier};
use sha2::{Digest, Sha256, Sha384};

const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];
const ED25519_CURVE: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];
const MESSAGE: &[u8] = b"a block of the channel";

/// Every check, in turn.
pub(crate) fn all(token: &Token) {
    let session = token.session();
    token.login(&session);
    mechanisms(token);
    p256(token, &session);
    p384(&session);
    ed25519(&session);
    rsa(&session);
    random(&session);
    closed_key(&session);
}

fn mechanisms(token: &Token) {
    let known = token.context.get_mechanism_list(token.slot).unwrap();
    for wanted in [MechanismType::ECDSA, MechanismType::ECC_KEY_PAIR_GEN, MechanismType::EDDSA] {
        assert!(known.contains(&wanted), "{wanted}");
    }
    let info = token.context.get_mechanism_info(token.slot, MechanismType::ECDSA).unwrap();
    assert!(info.sign() && info.verify(), "{info:?}");
}

/// A pair of token objects that share an id and a label of their own.
fn pair(session: &Session, mechanism: &Mechanism<'_>, public: Vec<Attribute>) -> (ObjectHandle, ObjectHandle, Vec<u8>) {
    let mut id = vec![0; 20];
    getrandom::fill(&mut id).unwrap();
    let named = |rest: Vec<Attribute>| {
        let name = [Attribute::Token(true), Attribute::Id(id.clone()), Attribute::Label(hex::encode(&id).into())];
        [name.to_vec(), rest].concat()
    };
    let private = vec![Attribute::Private(true), Attribute::Sign(true), Attribute::Sensitive(true)];
    let public = [vec![Attribute::Verify(true)], public].concat();
    let (public, private) = session.generate_key_pair(mechanism, &named(public), &named(private)).unwrap();
    for (class, made) in [(ObjectClass::PUBLIC_KEY, public), (ObjectClass::PRIVATE_KEY, private)] {
        assert_eq!(only(session, &[Attribute::Class(class), Attribute::Id(id.clone())]), made);
        assert_eq!(only(session, &[Attribute::Class(class), Attribute::Label(hex::encode(&id).into())]), made);
    }
    (public, private, id)
}

fn p256(token: &Token, session: &Session) {
    let (public, private, _) = pair(session, &Mechanism::EccKeyPairGen, vec![Attribute::EcParams(P256.to_vec())]);
    let verifier = VerifyingKey::from_sec1_bytes(&point(session, public)).unwrap();
    let digest = Sha256::digest(MESSAGE);
    let signature = session.sign(&Mechanism::Ecdsa, private, &digest).unwrap();
    verifier.verify_prehash(&digest, &Signature::from_slice(&signature).unwrap()).unwrap();
    session.verify(&Mechanism::Ecdsa, public, &digest, &signature).unwrap();
    let refused = session.verify(&Mechanism::Ecdsa, public, &Sha256::digest(b"another"), &signature);
    assert!(matches!(refused, Err(Error::Pkcs11(RvError::SignatureInvalid, _))), "{refused:?}");

    // In one part and in several, with the hash in the module.
    session.sign_init(&Mechanism::EcdsaSha256, private).unwrap();
    for part in MESSAGE.chunks(5) {
        session.sign_update(part).unwrap();
    }
    for signature in [session.sign_final(), session.sign(&Mechanism::EcdsaSha256, private, MESSAGE)] {
        let signature = Signature::from_slice(&signature.unwrap()).unwrap();
        verifier.verify_prehash(&digest, &signature).unwrap();
    }
    sixteen_threads(token, private, &verifier);
}

/// Sixteen threads sign with one key, each in a session of its own.
fn sixteen_threads(token: &Token, private: ObjectHandle, verifier: &VerifyingKey) {
    std::thread::scope(|scope| {
        for thread in 0..16_u8 {
            scope.spawn(move || {
                let session = token.session();
                for round in 0..20_u8 {
                    let digest = Sha256::digest([thread, round]);
                    let signature = session.sign(&Mechanism::Ecdsa, private, &digest).unwrap();
                    verifier.verify_prehash(&digest, &Signature::from_slice(&signature).unwrap()).unwrap();
                }
            });
        }
    });
}

fn p384(session: &Session) {
    let (public, private, _) = pair(session, &Mechanism::EccKeyPairGen, vec![Attribute::EcParams(P384.to_vec())]);
    let signature = session.sign(&Mechanism::Ecdsa, private, &Sha384::digest(MESSAGE)).unwrap();
    UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point(session, public)).verify(MESSAGE, &signature).unwrap();
}

fn ed25519(session: &Session) {
    let curve = vec![Attribute::EcParams(ED25519_CURVE.to_vec())];
    let (public, private, _) = pair(session, &Mechanism::EccEdwardsKeyPairGen, curve);
    let pure = Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Ed25519));
    let signature = session.sign(&pure, private, MESSAGE).unwrap();
    UnparsedPublicKey::new(&ED25519, point(session, public)).verify(MESSAGE, &signature).unwrap();
}

fn rsa(session: &Session) {
    let size = vec![Attribute::ModulusBits(2048.into()), Attribute::PublicExponent(vec![1, 0, 1])];
    let (public, private, _) = pair(session, &Mechanism::RsaPkcsKeyPairGen, size);
    let attributes = session.get_attributes(public, &[AttributeType::Modulus, AttributeType::PublicExponent]).unwrap();
    let [Attribute::Modulus(n), Attribute::PublicExponent(e)] = &attributes[..] else { panic!("{attributes:?}") };
    let public = RsaPublicKeyComponents { n, e };
    let signature = session.sign(&Mechanism::Sha256RsaPkcs, private, MESSAGE).unwrap();
    public.verify(&RSA_PKCS1_2048_8192_SHA256, MESSAGE, &signature).unwrap();
    let parameters = PkcsPssParams { hash_alg: MechanismType::SHA256, mgf: PkcsMgfType::MGF1_SHA256, s_len: 32.into() };
    let signature = session.sign(&Mechanism::Sha256RsaPkcsPss(parameters), private, MESSAGE).unwrap();
    public.verify(&RSA_PSS_2048_8192_SHA256, MESSAGE, &signature).unwrap();
}

fn random(session: &Session) {
    let (first, second) = (session.generate_random_vec(32).unwrap(), session.generate_random_vec(32).unwrap());
    assert_ne!(first, second);
    assert_eq!(session.digest(&Mechanism::Sha256, MESSAGE).unwrap(), Sha256::digest(MESSAGE)[..]);
}

/// The value of a private key is not to be had.
fn closed_key(session: &Session) {
    let (_, private, _) = pair(session, &Mechanism::EccKeyPairGen, vec![Attribute::EcParams(P256.to_vec())]);
    let info = session.get_attribute_info(private, &[AttributeType::Value]).unwrap();
    assert!(matches!(info[..], [cryptoki::object::AttributeInfo::Sensitive]), "{info:?}");
}
