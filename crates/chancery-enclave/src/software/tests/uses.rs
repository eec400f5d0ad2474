//! Which mechanism is for which key, and which inputs it takes.

use std::collections::BTreeSet;

use chancery_ipc::{FaultReason, KeyAlgorithm, Mechanism};

use super::{System, made, opened, openssl_key, openssl_options, used, with};
use crate::software::{SoftwareKey, check_import};

const MECHANISMS: [Mechanism; 25] = [
    Mechanism::Ecdsa,
    Mechanism::Eddsa,
    Mechanism::RsaPkcs1,
    Mechanism::RsaPssSha256,
    Mechanism::RsaPssSha384,
    Mechanism::RsaPssSha512,
    Mechanism::EcdsaCanonical,
    Mechanism::Sm2,
    Mechanism::MlDsa,
    Mechanism::RsaOaepSha1Decrypt,
    Mechanism::RsaOaepSha256Decrypt,
    Mechanism::RsaOaepSha384Decrypt,
    Mechanism::RsaOaepSha512Decrypt,
    Mechanism::Sm2Decrypt,
    Mechanism::Ecdh,
    Mechanism::GcmEncrypt,
    Mechanism::GcmEncryptGivenNonce,
    Mechanism::GcmDecrypt,
    Mechanism::CbcEncrypt,
    Mechanism::CbcDecrypt,
    Mechanism::CbcPadEncrypt,
    Mechanism::CbcPadDecrypt,
    Mechanism::HmacSha256,
    Mechanism::KwpWrap,
    Mechanism::KwpUnwrap,
];

/// RSA keys of the larger sizes take seconds to make.
const ALGORITHMS: [KeyAlgorithm; 14] = [
    KeyAlgorithm::EcP256,
    KeyAlgorithm::EcP384,
    KeyAlgorithm::EcP521,
    KeyAlgorithm::EcSecp256k1,
    KeyAlgorithm::Ed25519,
    KeyAlgorithm::Rsa2048,
    KeyAlgorithm::Sm2,
    KeyAlgorithm::MlDsa44,
    KeyAlgorithm::MlDsa65,
    KeyAlgorithm::MlDsa87,
    KeyAlgorithm::X25519,
    KeyAlgorithm::Aes256,
    KeyAlgorithm::Sm4,
    KeyAlgorithm::HmacSha256,
];

/// The last two are not SM4's.
const BY_AES: [Mechanism; 9] = [
    Mechanism::GcmEncrypt,
    Mechanism::GcmEncryptGivenNonce,
    Mechanism::GcmDecrypt,
    Mechanism::CbcEncrypt,
    Mechanism::CbcDecrypt,
    Mechanism::CbcPadEncrypt,
    Mechanism::CbcPadDecrypt,
    Mechanism::KwpWrap,
    Mechanism::KwpUnwrap,
];

const BY_RSA: [Mechanism; 8] = [
    Mechanism::RsaPkcs1,
    Mechanism::RsaPssSha256,
    Mechanism::RsaPssSha384,
    Mechanism::RsaPssSha512,
    Mechanism::RsaOaepSha1Decrypt,
    Mechanism::RsaOaepSha256Decrypt,
    Mechanism::RsaOaepSha384Decrypt,
    Mechanism::RsaOaepSha512Decrypt,
];

fn allowed(algorithm: KeyAlgorithm) -> &'static [Mechanism] {
    use KeyAlgorithm as A;
    use Mechanism as M;
    match algorithm {
        A::EcP256 => &[M::Ecdsa, M::EcdsaCanonical, M::Ecdh],
        A::EcP384 | A::EcP521 => &[M::Ecdsa, M::Ecdh],
        A::EcSecp256k1 => &[M::Ecdsa, M::EcdsaCanonical],
        A::Ed25519 => &[M::Eddsa],
        A::Sm2 => &[M::Sm2, M::Sm2Decrypt],
        A::MlDsa44 | A::MlDsa65 | A::MlDsa87 => &[M::MlDsa],
        A::X25519 => &[M::Ecdh],
        A::Aes256 => &BY_AES,
        A::Sm4 => &BY_AES[..7],
        A::HmacSha256 => &[M::HmacSha256],
        _ => &BY_RSA,
    }
}

#[test]
fn every_other_pair_is_a_wrong_use() {
    for algorithm in ALGORITHMS {
        let (key, _) = made(algorithm);
        assert_eq!(used(&key, Mechanism::Unspecified, &[7; 32]).err(), Some(FaultReason::BadRequest));
        for mechanism in MECHANISMS {
            let wrong = used(&key, mechanism, &[7; 32]).err() == Some(FaultReason::WrongUse);
            assert_eq!(wrong, !allowed(algorithm).contains(&mechanism), "{algorithm:?} {mechanism:?}");
        }
    }
}

/// Opened again from its secret encoding, it is the same key; and what the bytes of one are is no key of another.
#[test]
fn a_key_opens_from_its_secret_encoding_and_as_nothing_longer_or_shorter() {
    let mut seen = BTreeSet::new();
    for algorithm in ALGORITHMS {
        let (key, secret) = made(algorithm);
        let again = opened(algorithm, &secret);
        assert_eq!((again.algorithm(), again.public_key_spki()), (algorithm, key.public_key_spki()));
        assert!(seen.insert(secret.to_vec()), "every key is new");
        for wrong in [&secret[1..], &[&secret[..], &[0]].concat(), &[]] {
            let reason = SoftwareKey::from_secret(algorithm, wrong).err().map(|failure| failure.reason);
            assert_eq!(reason, Some(FaultReason::BadKey), "{algorithm:?}: {} bytes", wrong.len());
        }
    }
    assert!(SoftwareKey::generate(KeyAlgorithm::Unspecified, &mut System).is_err());
    assert!(SoftwareKey::from_secret(KeyAlgorithm::Unspecified, &[1; 32]).is_err());
}

#[test]
fn inputs_of_another_length_are_bad_requests() {
    for (algorithm, mechanism, lengths) in [
        (KeyAlgorithm::EcP256, Mechanism::Ecdsa, &[0, 67][..]),
        (KeyAlgorithm::EcP521, Mechanism::Ecdsa, &[0, 67]),
        (KeyAlgorithm::EcP256, Mechanism::EcdsaCanonical, &[0, 67]),
        (KeyAlgorithm::EcSecp256k1, Mechanism::Ecdsa, &[0, 67]),
        (KeyAlgorithm::EcSecp256k1, Mechanism::EcdsaCanonical, &[0, 67]),
        (KeyAlgorithm::Sm2, Mechanism::Sm2, &[0, 31, 33]),
        (KeyAlgorithm::Rsa2048, Mechanism::RsaPssSha256, &[0, 31, 48]),
        (KeyAlgorithm::Rsa2048, Mechanism::RsaPssSha384, &[0, 32, 64]),
        (KeyAlgorithm::Rsa2048, Mechanism::RsaPssSha512, &[0, 32, 65]),
        (KeyAlgorithm::Rsa2048, Mechanism::RsaPkcs1, &[0, 32, 51]),
        (KeyAlgorithm::Aes256, Mechanism::KwpWrap, &[0]),
    ] {
        let (key, _) = made(algorithm);
        for length in lengths {
            let reason = used(&key, mechanism, &vec![1; *length]).err();
            assert_eq!(reason, Some(FaultReason::BadRequest), "{algorithm:?} {mechanism:?} {length}");
        }
    }
}

#[test]
fn pkcs1_takes_no_digest_info_but_the_standards() {
    let key = opened(
        KeyAlgorithm::Rsa2048,
        &check_import(KeyAlgorithm::Rsa2048, &openssl_key(openssl_options(KeyAlgorithm::Rsa2048))).unwrap(),
    );
    let good = [&hex::decode("3031300d060960864801650304020105000420").unwrap()[..], &[9; 32]].concat();
    assert!(used(&key, Mechanism::RsaPkcs1, &good).is_ok());
    for index in 0..19 {
        let mut changed = good.clone();
        changed[index] ^= 1;
        assert_eq!(used(&key, Mechanism::RsaPkcs1, &changed).err(), Some(FaultReason::BadRequest), "byte {index}");
    }
    // Without the NULL, with a byte after, with a byte less.
    let no_null = [&hex::decode("302f300b0609608648016503040201").unwrap()[..], &[4, 32], &[9; 32]].concat();
    for wrong in [no_null, [&good[..], &[0]].concat(), good[..50].to_vec()] {
        assert_eq!(used(&key, Mechanism::RsaPkcs1, &wrong).err(), Some(FaultReason::BadRequest));
    }
}

/// Whatever a stranger sends for decryption: bad input, and nothing else.
#[test]
fn what_does_not_open_is_bad_input() {
    for (algorithm, mechanism) in [
        (KeyAlgorithm::Aes256, Mechanism::GcmDecrypt),
        (KeyAlgorithm::Sm4, Mechanism::GcmDecrypt),
        (KeyAlgorithm::Aes256, Mechanism::KwpUnwrap),
        (KeyAlgorithm::Sm2, Mechanism::Sm2Decrypt),
        (KeyAlgorithm::Rsa2048, Mechanism::RsaOaepSha1Decrypt),
        (KeyAlgorithm::Rsa2048, Mechanism::RsaOaepSha256Decrypt),
        (KeyAlgorithm::Rsa2048, Mechanism::RsaOaepSha384Decrypt),
        (KeyAlgorithm::Rsa2048, Mechanism::RsaOaepSha512Decrypt),
        (KeyAlgorithm::EcP256, Mechanism::Ecdh),
        (KeyAlgorithm::X25519, Mechanism::Ecdh),
    ] {
        let (key, _) = made(algorithm);
        for length in [0, 1, 8, 15, 16, 24, 27, 28, 29, 64, 96, 97, 98, 130, 255, 256, 257, 512] {
            for filler in [0, 4, 0xff] {
                let reason = used(&key, mechanism, &vec![filler; length]).err();
                assert_eq!(reason, Some(FaultReason::BadInput), "{algorithm:?} {mechanism:?} {length}");
            }
        }
    }
}

#[test]
fn gcm_opens_only_with_its_own_key_data_and_bytes() {
    for algorithm in [KeyAlgorithm::Aes256, KeyAlgorithm::Sm4] {
        let (key, _) = made(algorithm);
        let sealed = key.use_key(Mechanism::GcmEncrypt, with(b"text", b"data"), &mut System).unwrap();
        let open = |key: &SoftwareKey, sealed: &[u8], data: &[u8]| {
            key.use_key(Mechanism::GcmDecrypt, with(sealed, data), &mut System).map_err(|failure| failure.reason)
        };
        assert_eq!(open(&key, &sealed, b"data").unwrap()[..], *b"text");
        assert_eq!(open(&key, &sealed, b"date").err(), Some(FaultReason::BadInput));
        assert_eq!(open(&made(algorithm).0, &sealed, b"data").err(), Some(FaultReason::BadInput));
        for index in 0..sealed.len() {
            let mut changed = sealed.to_vec();
            changed[index] ^= 0x80;
            assert_eq!(open(&key, &changed, b"data").err(), Some(FaultReason::BadInput), "byte {index}");
        }
    }
}
