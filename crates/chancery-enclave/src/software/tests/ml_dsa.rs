//! ML-DSA against Wycheproof's seeds and an independent implementation.

use chancery_ipc::{KeyAlgorithm, Mechanism};
use ml_dsa::{EncodedVerifyingKey, MlDsa44, MlDsa65, MlDsa87, MlDsaParams, Signature, VerifyingKey};
use wycheproof::mldsa_sign::{TestName, TestSet};

use super::{made, opened, used};

/// The key itself: SubjectPublicKeyInfo ends with it.
fn raw(spki: &[u8], algorithm: KeyAlgorithm) -> &[u8] {
    let length = match algorithm {
        KeyAlgorithm::MlDsa44 => 1312,
        KeyAlgorithm::MlDsa65 => 1952,
        _ => 2592,
    };
    &spki[spki.len() - length..]
}

#[test]
fn seeds_give_the_public_keys_of_wycheproof() {
    let mut count = 0;
    for (name, algorithm) in [
        (TestName::MlDsa44SignSeed, KeyAlgorithm::MlDsa44),
        (TestName::MlDsa65SignSeed, KeyAlgorithm::MlDsa65),
        (TestName::MlDsa87SignSeed, KeyAlgorithm::MlDsa87),
    ] {
        for group in TestSet::load(name).unwrap().test_groups {
            let (Some(seed), Some(public)) = (group.privseed, group.pubkey) else { continue };
            if seed.len() != 32 {
                continue;
            }
            count += 1;
            assert_eq!(raw(opened(algorithm, &seed).public_key_spki(), algorithm), &public[..], "{algorithm:?}");
        }
    }
    assert!(count >= 9, "only {count} seeds");
}

/// RFC 9881 §4 and appendix C: the header, and the beginning of the key of the seed 00 01 … 1f.
#[test]
fn the_encoding_is_the_rfcs() {
    let seed: Vec<u8> = (0..32).collect();
    let key = opened(KeyAlgorithm::MlDsa44, &seed);
    let expected = "30820532300b0609608648016503040311038205210 0d7b2b47254aae0db45e7930d4a98d2c9".replace(' ', "");
    assert!(hex::encode(key.public_key_spki()).starts_with(&expected), "{}", hex::encode(&key.public_key_spki()[..48]));
}

fn judged<P: MlDsaParams>(spki: &[u8], algorithm: KeyAlgorithm, message: &[u8], signature: &[u8]) -> bool {
    let encoded = EncodedVerifyingKey::<P>::try_from(raw(spki, algorithm)).unwrap();
    let signature = Signature::<P>::try_from(signature).unwrap();
    VerifyingKey::<P>::decode(&encoded).verify_with_context(message, &[], &signature)
}

#[test]
fn another_implementation_verifies_what_is_signed() {
    for (algorithm, judge) in [
        (KeyAlgorithm::MlDsa44, judged::<MlDsa44> as fn(&[u8], KeyAlgorithm, &[u8], &[u8]) -> bool),
        (KeyAlgorithm::MlDsa65, judged::<MlDsa65>),
        (KeyAlgorithm::MlDsa87, judged::<MlDsa87>),
    ] {
        let (key, _) = made(algorithm);
        for message in [&b""[..], b"a message", &[0x3c; 3000]] {
            let signature = used(&key, Mechanism::MlDsa, message).unwrap();
            assert!(judge(key.public_key_spki(), algorithm, message, &signature), "{algorithm:?}");
            assert!(!judge(key.public_key_spki(), algorithm, b"else", &signature), "{algorithm:?}");
        }
    }
}
