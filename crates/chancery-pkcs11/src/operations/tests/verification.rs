//! Verifying through schemes, as C_Verify does: RFC 6979, RFC 8032, GB/T 32918.5 and project Wycheproof.

use super::{bytes, ed25519, p256, plain, sm2};
use crate::{
    mechanism::{Mechanism, Parameter},
    module::config::Quirks,
    operations::{hashing::Hashing, scheme::Scheme, table::Signs, verify::is_signature},
};
use chancery_crypto::{PublicKey, to_der};
use chancery_model::{Algorithm, Hash};
use cryptoki_sys::*;
use wycheproof::{TestResult, ecdsa, rsa_pkcs1_verify, rsa_pss_verify};

/// Whether a signature verifies, of a message that comes in two parts.
fn verifies(scheme: &Scheme, key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
    let mut gathered = scheme.gather();
    let (first, second) = message.split_at(message.len() / 2);
    gathered.add(first).unwrap();
    gathered.add(second).unwrap();
    scheme.may_have(signature.len())
        && is_signature(scheme, key, gathered.finish().to_vec(), signature).unwrap_or(false)
}

fn scheme(signs: Signs, algorithm: Algorithm, quirks: Quirks) -> Scheme {
    Scheme::new(signs, &plain(0), algorithm, quirks).unwrap()
}

/// RFC 6979 §A.2.5, message "sample".
const SAMPLE: [(Hashing, &str); 5] = [
    (
        Hashing::Sha1,
        "61340C88C3AAEBEB4F6D667F672CA9759A6CCAA9FA8811313039EE4A35471D32
         6D7F147DAC089441BB2E2FE8F7A3FA264B9C475098FDCF6E00D7C996E1B8B7EB",
    ),
    (
        Hashing::Sha224,
        "53B2FFF5D1752B2C689DF257C04C40A587FABABB3F6FC2702F1343AF7CA9AA3F
         B9AFB64FDC03DC1A131C7D2386D11E349F070AA432A4ACC918BEA988BF75C74C",
    ),
    (
        Hashing::Sha256,
        "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716
         F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8",
    ),
    (
        Hashing::Sha384,
        "0EAFEA039B20E9B42309FB1D89E213057CBF973DC0CFC8F129EDDDC800EF7719
         4861F0491E6998B9455193E34E7B0D284DDD7149A74B95B9261F13ABDE940954",
    ),
    (
        Hashing::Sha512,
        "8496A60B5E9B47C825488827E0495B0E3FA109EC4568FD3F8D1097678EB97F00
         2362AB1ADBE2B8ADF9CB9EDAB740EA6049C028114F2460F96554F61FAE3302FE",
    ),
];

#[test]
fn ecdsa_of_the_message_and_of_its_digest() {
    let key = p256();
    let bare = scheme(Signs::Ecdsa(None), Algorithm::EcP256, Quirks::default());
    let of_der = scheme(Signs::Ecdsa(None), Algorithm::EcP256, Quirks { ecdsa_der: true, ..Quirks::default() });
    for (hashing, signature) in SAMPLE {
        let signature = bytes(signature);
        let hashed = scheme(Signs::Ecdsa(Some(hashing)), Algorithm::EcP256, Quirks::default());
        assert!(verifies(&hashed, &key, b"sample", &signature), "{hashing:?}");
        assert!(!verifies(&hashed, &key, b"simple", &signature), "{hashing:?}");
        // SHA-384 and SHA-512 on P-256: the leftmost bits count.
        let mut hasher = hashing.begin();
        hasher.update(b"sample");
        let digest = hasher.finish();
        assert!(verifies(&bare, &key, &digest, &signature), "{hashing:?}");
        assert!(!verifies(&bare, &key, &[&[0], digest.as_slice()].concat()[..digest.len()], &signature));
        let der = to_der(Algorithm::EcP256, &signature).unwrap();
        assert!(verifies(&of_der, &key, &digest, &der) && !verifies(&of_der, &key, &digest, &signature));
        assert!(!verifies(&bare, &key, &digest, &der));
    }
}

#[test]
fn ed25519_of_rfc_8032() {
    let scheme = scheme(Signs::Ed25519, Algorithm::Ed25519, Quirks::default());
    let signature = bytes(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da
         085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    );
    assert!(verifies(&scheme, &ed25519(), &[0x72], &signature));
    assert!(!verifies(&scheme, &ed25519(), &[0x73], &signature));
}

#[test]
fn sm2_of_the_message_and_of_e() {
    // GB/T 32918.5 §A.2.
    let e = bytes("F0B43E94BA45ACCAACE692ED534382EB17E6AB5A19CE7B31F4486FDFC0D28640");
    let raw = bytes(
        "F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3
         B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA",
    );
    let der = to_der(Algorithm::Sm2, &raw).unwrap();
    for (signature, is_der) in [(&raw, false), (&der, true)] {
        let of_message = scheme(Signs::Sm2 { message: true, der: is_der }, Algorithm::Sm2, Quirks::default());
        let of_e = scheme(Signs::Sm2 { message: false, der: is_der }, Algorithm::Sm2, Quirks::default());
        assert!(verifies(&of_message, &sm2(), b"message digest", signature));
        assert!(verifies(&of_e, &sm2(), &e, signature));
        assert!(!verifies(&of_e, &sm2(), &e[1..], signature) && !verifies(&of_message, &sm2(), &e, signature));
        for (id, right) in [("1234567812345678", true), ("alice@example.org", false)] {
            let mechanism = Mechanism { kind: 0, parameter: Parameter::Bytes(id.into()) };
            let signs = Signs::Sm2 { message: true, der: is_der };
            let with_id = Scheme::new(signs, &mechanism, Algorithm::Sm2, Quirks::default()).unwrap();
            assert_eq!(verifies(&with_id, &sm2(), b"message digest", signature), right, "{id}");
        }
    }
    // What ChainMaker wants of the mechanism with r ‖ s.
    let quirks = Quirks { ecdsa_der: true, ..Quirks::default() };
    let raw_mechanism = scheme(Signs::Sm2 { message: true, der: false }, Algorithm::Sm2, quirks);
    assert!(verifies(&raw_mechanism, &sm2(), b"message digest", &der));
}

macro_rules! judge {
    ($set:expr, $algorithm:expr, $scheme:expr) => {{
        let mut tried = 0;
        for group in $set.test_groups {
            let key = PublicKey::parse($algorithm, &group.der).unwrap();
            for test in group.tests {
                let valid = verifies(&$scheme, &key, &test.msg, &test.sig);
                if test.result != TestResult::Acceptable {
                    assert_eq!(valid, test.result == TestResult::Valid, "{}: {}", test.tc_id, test.comment);
                    tried += 1;
                }
            }
        }
        assert!(tried > 50, "only {tried}");
    }};
}

#[test]
fn wycheproofs_ecdsa() {
    use ecdsa::TestName as Name;
    for (algorithm, hashing, der, raw) in [
        (Algorithm::EcP256, Hashing::Sha256, Name::EcdsaSecp256r1Sha256, Name::EcdsaSecp256r1Sha256P1363),
        (Algorithm::EcP384, Hashing::Sha384, Name::EcdsaSecp384r1Sha384, Name::EcdsaSecp384r1Sha384P1363),
        (Algorithm::EcP521, Hashing::Sha512, Name::EcdsaSecp521r1Sha512, Name::EcdsaSecp521r1Sha512P1363),
    ] {
        let signs = Signs::Ecdsa(Some(hashing));
        judge!(ecdsa::TestSet::load(raw).unwrap(), algorithm, scheme(signs, algorithm, Quirks::default()));
        let quirks = Quirks { ecdsa_der: true, ..Quirks::default() };
        judge!(ecdsa::TestSet::load(der).unwrap(), algorithm, scheme(signs, algorithm, quirks));
    }
}

#[test]
fn wycheproofs_rsa() {
    let set = rsa_pkcs1_verify::TestSet::load(rsa_pkcs1_verify::TestName::Rsa2048Sha256).unwrap();
    let pkcs1 = scheme(Signs::RsaPkcs1(Some(Hash::Sha256)), Algorithm::Rsa2048, Quirks::default());
    judge!(set, Algorithm::Rsa2048, pkcs1);
    let set = rsa_pss_verify::TestSet::load(rsa_pss_verify::TestName::RsaPss2048Sha256Mgf1SaltLen32).unwrap();
    let parameter = Parameter::Pss { hash: CKM_SHA256, mgf: CKG_MGF1_SHA256, salt: 32 };
    let mechanism = Mechanism { kind: CKM_SHA256_RSA_PKCS_PSS, parameter };
    let signs = Signs::RsaPss(Some(Hash::Sha256));
    judge!(set, Algorithm::Rsa2048, Scheme::new(signs, &mechanism, Algorithm::Rsa2048, Quirks::default()).unwrap());
}
