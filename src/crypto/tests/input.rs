//! What is signed with which key.

use super::{bare_spki, ml_dsa};
use crate::{
    crypto::tests::openssl::Openssl,
    crypto::{Form, Input, InputError, PublicKey, Signable, for_enclave, hash},
    model::{Algorithm, Hash, RsaPadding, SignatureFormat},
};
use chancery_ipc::Mechanism as Enclave;
use ml_dsa::{Keypair, MlDsa44, MlDsa65, MlDsa87, MlDsaParams, SigningKey, signature::Signer};

fn key(openssl: &Openssl, algorithm: Algorithm) -> PublicKey {
    PublicKey::parse(algorithm, &openssl.key(algorithm).public).unwrap()
}

fn digest(hash: Option<Hash>, length: usize) -> Signable {
    Signable::Digest { hash, value: vec![1; length] }
}

fn message(hash: Option<Hash>) -> Signable {
    Signable::Message { hash, value: b"message".to_vec(), user_id: None }
}

#[test]
fn what_does_not_fit_the_algorithm_is_refused() {
    let openssl = Openssl::new();
    let [p256, rsa, ed25519, sm2, x25519] =
        [Algorithm::EcP256, Algorithm::Rsa2048, Algorithm::Ed25519, Algorithm::Sm2, Algorithm::X25519]
            .map(|algorithm| key(&openssl, algorithm));
    let fits = |signable: Signable, key: &PublicKey| signable.fit(key, None).is_ok();
    assert!(fits(digest(Some(Hash::Sha512), 64), &p256), "any hash with any curve");
    assert!(fits(digest(Some(Hash::Sm3), 32), &p256) && fits(message(Some(Hash::Sm3)), &p256));
    assert!(!fits(digest(Some(Hash::Sha256), 31), &p256));
    assert!(fits(digest(None, 1), &p256) && fits(digest(None, 64), &p256));
    assert!(!fits(digest(None, 0), &p256) && !fits(digest(None, 65), &p256));
    assert!(fits(digest(Some(Hash::Sha384), 48), &rsa));
    assert_eq!(digest(None, 32).fit(&rsa, None), Err(InputError::NeedsHash));
    for sm3 in [digest(Some(Hash::Sm3), 32), message(Some(Hash::Sm3))] {
        assert_eq!(sm3.clone().fit(&rsa, None), Err(InputError::NeedsSha2));
        assert_eq!(sm3.fit(&rsa, Some(RsaPadding::Pss)), Err(InputError::NeedsSha2));
    }
    assert!(fits(message(None), &ed25519));
    assert_eq!(digest(Some(Hash::Sha256), 32).fit(&ed25519, None), Err(InputError::NeedsMessage(Algorithm::Ed25519)));
    assert_eq!(message(Some(Hash::Sha512)).fit(&ed25519, None), Err(InputError::NeedsNoHash(Algorithm::Ed25519)));
    assert!(fits(digest(Some(Hash::Sm3), 32), &sm2) && fits(digest(None, 32), &sm2) && fits(message(None), &sm2));
    assert!(!fits(digest(None, 31), &sm2) && !fits(digest(Some(Hash::Sm3), 33), &sm2));
    for other in [digest(Some(Hash::Sha256), 32), message(Some(Hash::Sha256))] {
        assert_eq!(other.fit(&sm2, None), Err(InputError::NeedsSm3));
    }
    for any in [digest(None, 32), message(None)] {
        assert_eq!(any.fit(&x25519, None), Err(InputError::SignsNothing(Algorithm::X25519)));
    }
    assert_eq!(message(None).fit(&p256, Some(RsaPadding::Pss)), Err(InputError::NeedsNoPadding));
    let named = |length| Signable::Message { hash: None, value: vec![1], user_id: Some(vec![b'a'; length]) };
    assert_eq!(named(4).fit(&p256, None), Err(InputError::NeedsNoUserId));
    assert!(fits(named(0), &sm2) && fits(named(8191), &sm2));
    assert_eq!(named(8192).fit(&sm2, None), Err(InputError::UserIdTooLong(8192)));
}

#[test]
fn the_enclave_is_told_to_sign_what_the_algorithm_signs() {
    let openssl = Openssl::new();
    let der = |key: &PublicKey| Form::new(key.algorithm(), SignatureFormat::Der, None).unwrap();
    let asked = |input: &Input, key: &PublicKey| for_enclave(input, der(key));
    let p256 = key(&openssl, Algorithm::EcP256);
    let input = message(None).fit(&p256, None).unwrap();
    assert_eq!(asked(&input, &p256), (Enclave::Ecdsa, hash(Hash::Sha256, b"message")));
    let eos = Form::new(Algorithm::EcP256, SignatureFormat::Eos, None).unwrap();
    assert_eq!(for_enclave(&input, eos), (Enclave::EcdsaCanonical, hash(Hash::Sha256, b"message")));
    let rsa = key(&openssl, Algorithm::Rsa2048);
    for (hash, mechanism) in [
        (Hash::Sha256, Enclave::RsaPssSha256),
        (Hash::Sha384, Enclave::RsaPssSha384),
        (Hash::Sha512, Enclave::RsaPssSha512),
    ] {
        let pss = message(Some(hash)).fit(&rsa, Some(RsaPadding::Pss)).unwrap();
        assert_eq!(asked(&pss, &rsa).0, mechanism);
        // openssl signs the DigestInfo that we make as it signs the message.
        let signer = openssl.key(Algorithm::Rsa2048);
        let (_, info) = asked(&message(Some(hash)).fit(&rsa, None).unwrap(), &rsa);
        let (made, same) = (openssl.path(), openssl.path());
        openssl.run("rsautl -sign -inkey @ -in @ -out @", &[&signer.path, &openssl.file(&info), &made]);
        openssl.run(&format!("dgst -{hash} -sign @ -out @ @"), &[&signer.path, &same, &openssl.file(b"message")]);
        assert_eq!(std::fs::read(made).unwrap(), std::fs::read(same).unwrap(), "{hash}");
    }
}

/// Keys and signatures of the ml-dsa crate.
fn signed_elsewhere<P: MlDsaParams>(seed: u8) -> (Vec<u8>, Vec<u8>) {
    let key = SigningKey::<P>::from_seed(&[seed; 32].into());
    let signature = key.sign(b"message");
    (key.verifying_key().encode().to_vec(), signature.encode().to_vec())
}

#[test]
fn ml_dsa_signatures_of_another_implementation_verify() {
    for (algorithm, number, (public, signature), length) in [
        (Algorithm::MlDsa44, 17, signed_elsewhere::<MlDsa44>(1), 2420),
        (Algorithm::MlDsa65, 18, signed_elsewhere::<MlDsa65>(2), 3309),
        (Algorithm::MlDsa87, 19, signed_elsewhere::<MlDsa87>(3), 4627),
    ] {
        assert_eq!(signature.len(), length, "FIPS 204 table 2");
        let spki = bare_spki(&ml_dsa(number), &public);
        let key = PublicKey::parse(algorithm, &spki).unwrap();
        assert_eq!(key.bits(), public);
        let input = message(None).fit(&key, None).unwrap();
        assert_eq!(for_enclave(&input, Form::new(algorithm, SignatureFormat::Der, None).unwrap()).0, Enclave::MlDsa);
        assert!(key.verify(&input, &signature), "{algorithm}");
        let other = Signable::Message { hash: None, value: b"Message".to_vec(), user_id: None };
        assert!(!key.verify(&other.fit(&key, None).unwrap(), &signature));
        assert_eq!(digest(None, 32).fit(&key, None), Err(InputError::NeedsMessage(algorithm)));
        assert_eq!(message(Some(Hash::Sha256)).fit(&key, None), Err(InputError::NeedsNoHash(algorithm)));
        // A key of one parameter set is none of another.
        let others = [Algorithm::MlDsa44, Algorithm::MlDsa65, Algorithm::MlDsa87, Algorithm::Ed25519, Algorithm::Sm2];
        for other in others.into_iter().filter(|other| *other != algorithm) {
            assert!(PublicKey::parse(other, &spki).is_err(), "{algorithm} as {other}");
        }
    }
}
