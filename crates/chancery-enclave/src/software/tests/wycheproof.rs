//! Project Wycheproof: ECDH, X25519, AES-GCM, SM4-GCM, AES-CBC, HMAC, AES-KWP, RSAES-OAEP. And RFC 8032 for Ed25519.

use chancery_ipc::{FaultReason, KeyAlgorithm, Mechanism};
use wycheproof::{TestResult, aead, cipher, ecdh, keywrap, mac, rsa_oaep, xdh};

use super::{System, Told, opened, unhex, used, with};
use crate::software::{Input, SoftwareKey, public_key, scalar::Curve};

/// Holds that a test did what it must; gives 1 for a test that had to succeed and did.
fn hold(what: &str, id: usize, result: TestResult, got: Result<&[u8], FaultReason>, expected: &[u8]) -> usize {
    match (result, got) {
        (TestResult::Valid, Ok(output)) => assert_eq!(output, expected, "{what} {id}"),
        (TestResult::Acceptable, Ok(output)) => {
            assert_eq!(output, expected, "{what} {id}");
            return 0;
        }
        (TestResult::Valid, Err(reason)) => panic!("{what} {id} is valid, and is refused: {reason:?}"),
        (TestResult::Invalid, Ok(_)) => panic!("{what} {id} is invalid, and is taken"),
        (_, Err(reason)) => {
            assert_eq!(reason, FaultReason::BadInput, "{what} {id}");
            return 0;
        }
    }
    1
}

#[test]
fn ecdh() {
    for (name, algorithm, enough) in [
        (ecdh::TestName::EcdhSecp256r1, KeyAlgorithm::EcP256, 300),
        (ecdh::TestName::EcdhSecp384r1, KeyAlgorithm::EcP384, 500),
        (ecdh::TestName::EcdhSecp521r1, KeyAlgorithm::EcP521, 400),
    ] {
        let width = Curve::of(algorithm).unwrap().width();
        let mut valid = 0;
        for test in ecdh::TestSet::load(name).unwrap().test_groups.into_iter().flat_map(|group| group.tests) {
            // The scalars are integers: with zeros before them, and without.
            let trimmed: Vec<u8> = test.private_key.iter().copied().skip_while(|byte| *byte == 0).collect();
            let mut scalar = vec![0; width - trimmed.len()];
            scalar.extend(trimmed);
            let key = opened(algorithm, &scalar);
            let got = used(&key, Mechanism::Ecdh, &test.public_key);
            // Compressed points are "acceptable"; here one encoding is accepted.
            valid += hold(
                "ECDH",
                test.tc_id,
                test.result,
                got.as_ref().map(|got| &got[..]).map_err(|r| *r),
                &test.shared_secret,
            );
        }
        assert!(valid > enough, "{algorithm:?}: only {valid}");
    }
}

#[test]
fn x25519() {
    let mut valid = 0;
    let set = xdh::TestSet::load(xdh::TestName::X25519).unwrap();
    for test in set.test_groups.into_iter().flat_map(|group| group.tests) {
        let key = opened(KeyAlgorithm::X25519, &test.private_key);
        let peer = public_key::encode(KeyAlgorithm::X25519, &test.public_key);
        let got = used(&key, Mechanism::Ecdh, &peer);
        valid += hold(
            "X25519",
            test.tc_id,
            test.result,
            got.as_ref().map(|got| &got[..]).map_err(|r| *r),
            &test.shared_secret,
        );
    }
    assert!(valid > 200, "only {valid}");
}

#[test]
fn gcm() {
    for (name, algorithm, bits, enough) in
        [(aead::TestName::AesGcm, KeyAlgorithm::Aes256, 256, 30), (aead::TestName::Sm4Gcm, KeyAlgorithm::Sm4, 128, 30)]
    {
        let mut valid = 0;
        let groups = aead::TestSet::load(name).unwrap().test_groups;
        let ours = |group: &aead::TestGroup| group.key_size == bits && group.nonce_size == 96 && group.tag_size == 128;
        for test in groups.into_iter().filter(ours).flat_map(|group| group.tests) {
            let key = opened(algorithm, &test.key);
            let sealed = [&test.nonce[..], &test.ct, &test.tag].concat();
            let got = key.use_key(Mechanism::GcmDecrypt, with(&sealed, &test.aad), &mut System);
            let got = got.as_ref().map(|got| &got[..]).map_err(|failure| failure.reason);
            valid += hold("GCM", test.tc_id, test.result, got, &test.pt);
            if test.result == TestResult::Valid {
                let nonce = &mut Told(test.nonce.to_vec());
                let output = key.use_key(Mechanism::GcmEncrypt, with(&test.pt, &test.aad), nonce).unwrap();
                assert_eq!(*output, sealed, "GCM {}", test.tc_id);
                let given = Input { iv: &test.nonce, ..with(&test.pt, &test.aad) };
                let output = key.use_key(Mechanism::GcmEncryptGivenNonce, given, &mut Told(Vec::new())).unwrap();
                assert_eq!(*output, sealed[12..], "GCM {}, nonce given", test.tc_id);
            }
        }
        assert!(valid > enough, "{algorithm:?}: only {valid}");
    }
}

#[test]
fn aes_cbc_with_padding() {
    let mut valid = 0;
    let groups = cipher::TestSet::load(cipher::TestName::AesCbcPkcs5).unwrap().test_groups;
    for test in groups.into_iter().filter(|group| group.key_size == 256).flat_map(|group| group.tests) {
        let key = opened(KeyAlgorithm::Aes256, &test.key);
        let use_with = |mechanism, bytes| {
            let input = Input { bytes, iv: &test.nonce, ..Input::default() };
            key.use_key(mechanism, input, &mut Told(Vec::new())).map_err(|failure| failure.reason)
        };
        let got = use_with(Mechanism::CbcPadDecrypt, &test.ct);
        valid += hold("CBC", test.tc_id, test.result, got.as_ref().map(|got| &got[..]).map_err(|r| *r), &test.pt);
        if test.result == TestResult::Valid {
            assert_eq!(use_with(Mechanism::CbcPadEncrypt, &test.pt).unwrap()[..], test.ct[..], "CBC {}", test.tc_id);
        }
    }
    assert!(valid > 20, "only {valid}");
}

#[test]
fn hmac_sha256() {
    let mut valid = 0;
    let groups = mac::TestSet::load(mac::TestName::HmacSha256).unwrap().test_groups;
    let ours = |group: &mac::TestGroup| group.key_size == 256 && group.tag_size == 256;
    for test in groups.into_iter().filter(ours).flat_map(|group| group.tests) {
        let tag = used(&opened(KeyAlgorithm::HmacSha256, &test.key), Mechanism::HmacSha256, &test.msg).unwrap();
        assert_eq!(tag[..] == test.tag[..], test.result == TestResult::Valid, "HMAC {}", test.tc_id);
        valid += usize::from(test.result == TestResult::Valid);
    }
    assert!(valid > 20, "only {valid}");
}

#[test]
fn aes_kwp() {
    let mut valid = 0;
    let groups = keywrap::TestSet::load(keywrap::TestName::AesKeyWrapWithPadding).unwrap().test_groups;
    for test in groups.into_iter().filter(|group| group.key_size == 256).flat_map(|group| group.tests) {
        let key = opened(KeyAlgorithm::Aes256, &test.key);
        let got = used(&key, Mechanism::KwpUnwrap, &test.ct);
        valid += hold("AES-KWP", test.tc_id, test.result, got.as_ref().map(|got| &got[..]).map_err(|r| *r), &test.pt);
        if test.result == TestResult::Valid {
            assert_eq!(used(&key, Mechanism::KwpWrap, &test.pt).unwrap()[..], test.ct[..], "AES-KWP {}", test.tc_id);
        }
    }
    assert!(valid > 20, "only {valid}");
}

#[test]
fn rsa_oaep() {
    use rsa_oaep::TestName as T;
    for (name, algorithm, mechanism) in [
        (T::Rsa2048Sha1Mgf1Sha1, KeyAlgorithm::Rsa2048, Mechanism::RsaOaepSha1Decrypt),
        (T::Rsa2048Sha256Mgf1Sha256, KeyAlgorithm::Rsa2048, Mechanism::RsaOaepSha256Decrypt),
        (T::Rsa2048Sha384Mgf1Sha384, KeyAlgorithm::Rsa2048, Mechanism::RsaOaepSha384Decrypt),
        (T::Rsa2048Sha512Mgf1Sha512, KeyAlgorithm::Rsa2048, Mechanism::RsaOaepSha512Decrypt),
        (T::Rsa3072Sha256Mgf1Sha256, KeyAlgorithm::Rsa3072, Mechanism::RsaOaepSha256Decrypt),
        (T::Rsa3072Sha512Mgf1Sha512, KeyAlgorithm::Rsa3072, Mechanism::RsaOaepSha512Decrypt),
        (T::Rsa4096Sha256Mgf1Sha256, KeyAlgorithm::Rsa4096, Mechanism::RsaOaepSha256Decrypt),
        (T::Rsa4096Sha512Mgf1Sha512, KeyAlgorithm::Rsa4096, Mechanism::RsaOaepSha512Decrypt),
    ] {
        let mut valid = 0;
        for group in rsa_oaep::TestSet::load(name).unwrap().test_groups {
            let key: SoftwareKey = opened(algorithm, &group.pkcs8);
            for test in group.tests {
                let got = key.use_key(mechanism, with(&test.ct, &test.label), &mut System);
                let got = got.as_ref().map(|got| &got[..]).map_err(|failure| failure.reason);
                valid += hold("OAEP", test.tc_id, test.result, got, &test.pt);
            }
        }
        assert!(valid > 10, "{algorithm:?} {mechanism:?}: only {valid}");
    }
}

/// RFC 8032 §7.1: seed, public key, message, signature.
#[test]
fn ed25519_matches_the_rfc() {
    for (seed, public, message, signature) in [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
    ] {
        let key = opened(KeyAlgorithm::Ed25519, &unhex(seed));
        assert!(key.public_key_spki().ends_with(&unhex(public)));
        assert_eq!(*used(&key, Mechanism::Eddsa, &unhex(message)).unwrap(), unhex(signature));
    }
}
