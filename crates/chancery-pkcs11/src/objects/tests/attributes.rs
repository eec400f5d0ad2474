//! What objects answer, against openssl's reading of the same keys.

use super::*;
use crate::module::config::Sm2Profile;

const YES: &[u8] = &[1];
const NO: &[u8] = &[0];

/// The value of an attribute.
fn value(object: v1::Object, kind: CK_ATTRIBUTE_TYPE) -> Value {
    Entry::served(object, None, Sm2Profile::Sansec).value(kind)
}

/// Its bytes, as hex.
fn hex(object: &v1::Object, kind: CK_ATTRIBUTE_TYPE) -> String {
    match value(object.clone(), kind) {
        Value::Bytes(bytes) => hex::encode(bytes),
        other => panic!("{kind:#x}: {other:?}"),
    }
}

fn with(algorithm: Algorithm, purpose: Purpose, spki: &[u8], class: ObjectClass) -> v1::Object {
    let mut object = v1::Object { public_key: spki.to_vec(), ..object(class, "x") };
    object.set_algorithm(algorithm);
    object.set_purpose(purpose);
    object
}

/// ChainMaker reads the point on the private object, Fabric on the public one.
#[test]
fn both_halves_have_the_point_in_an_octet_string_and_the_curve_by_name() {
    for class in [ObjectClass::PublicKeyObject, ObjectClass::PrivateKeyObject] {
        let object = object(class, "x");
        assert_eq!(hex(&object, CKA_EC_POINT), format!("0441{POINT}"));
        assert_eq!(hex(&object, CKA_EC_PARAMS), "06082a8648ce3d030107");
        assert_eq!(hex(&object, CKA_PUBLIC_KEY_INFO), hex::encode(P256));
    }
}

#[test]
fn numbers_of_other_keys_are_those_that_openssl_reads() {
    let rsa = with(Algorithm::Rsa2048, Purpose::Sign, RSA, ObjectClass::PublicKeyObject);
    assert!(hex(&rsa, CKA_MODULUS).starts_with("915c328d82f268bbbcb1b79f4731708b"), "{}", hex(&rsa, CKA_MODULUS));
    assert!(hex(&rsa, CKA_MODULUS).ends_with("b51e9667c59f1598d1b"));
    assert_eq!(hex(&rsa, CKA_MODULUS).len(), 512);
    assert_eq!(hex(&rsa, CKA_PUBLIC_EXPONENT), "010001");
    assert_eq!(value(rsa, CKA_MODULUS_BITS), Value::Bytes(2048_u64.to_ne_bytes().to_vec().into()));
    let ed25519 = with(Algorithm::Ed25519, Purpose::Sign, ED25519, ObjectClass::PublicKeyObject);
    assert_eq!(hex(&ed25519, CKA_EC_PARAMS), "06032b6570");
    assert_eq!(hex(&ed25519, CKA_EC_POINT), "04203256722615fbacd8496cd9e66a3460fe69079986578b8780059463c770bdc3e7");
    let sm2 = with(Algorithm::Sm2, Purpose::Sign, SM2, ObjectClass::PrivateKeyObject);
    assert_eq!(hex(&sm2, CKA_EC_PARAMS), "06082a811ccf5501822d");
    assert!(hex(&sm2, CKA_EC_POINT).starts_with("04410495a48c712b8cac5a006f0c31cd"));
    assert_eq!(value(sm2, CKA_KEY_TYPE), Value::Bytes(0x8000_0004_u64.to_ne_bytes().to_vec().into()));
}

/// Every key has one purpose; what it can't do is false, whatever was asked for when it was made.
#[test]
fn usage_says_what_the_key_may_do() {
    use ObjectClass::{PrivateKeyObject as Private, PublicKeyObject as Public, SecretKeyObject as Secret};
    let p256 = |purpose, class| with(Algorithm::EcP256, purpose, P256, class);
    let aes = |purpose| with(Algorithm::Aes256, purpose, &[], Secret);
    let all = [CKA_SIGN, CKA_DECRYPT, CKA_DERIVE, CKA_VERIFY, CKA_ENCRYPT, CKA_WRAP, CKA_UNWRAP];
    for (object, may) in [
        (p256(Purpose::Sign, Private), &[CKA_SIGN][..]),
        (p256(Purpose::Sign, Public), &[CKA_VERIFY]),
        (p256(Purpose::Certify, Private), &[]),
        (p256(Purpose::Certify, Public), &[CKA_VERIFY]),
        (p256(Purpose::Agree, Private), &[CKA_DERIVE]),
        (p256(Purpose::Agree, Public), &[]),
        (with(Algorithm::Rsa2048, Purpose::Encrypt, RSA, Private), &[CKA_DECRYPT]),
        (with(Algorithm::Rsa2048, Purpose::Encrypt, RSA, Public), &[CKA_ENCRYPT]),
        (aes(Purpose::Encrypt), &[CKA_DECRYPT, CKA_ENCRYPT]),
        (aes(Purpose::Wrap), &[CKA_WRAP, CKA_UNWRAP]),
        (with(Algorithm::HmacSha256, Purpose::Mac, &[], Secret), &[CKA_SIGN, CKA_VERIFY]),
    ] {
        let has: Vec<_> =
            all.into_iter().filter(|kind| value(object.clone(), *kind) == Value::Bytes(YES.to_vec().into())).collect();
        assert_eq!(has, all.into_iter().filter(|kind| may.contains(kind)).collect::<Vec<_>>(), "{object:?}");
    }
}

/// PKCS#11 v3.0 §4.9: only a key that was made here and never left was always sensitive.
#[test]
fn secrets_are_sensitive_and_their_past_is_told() {
    for (origin, past) in [(Origin::Generated, YES), (Origin::Imported, NO), (Origin::Restored, NO)] {
        let mut private = object(ObjectClass::PrivateKeyObject, "private");
        private.set_origin(origin);
        let has = |kind, flag: &[u8]| {
            assert_eq!(value(private.clone(), kind), Value::Bytes(flag.to_vec().into()), "{kind:#x}")
        };
        for (kind, flag) in [(CKA_SENSITIVE, YES), (CKA_EXTRACTABLE, NO), (CKA_PRIVATE, YES)] {
            has(kind, flag);
        }
        for kind in [CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE, CKA_LOCAL] {
            has(kind, past);
        }
        assert_eq!(value(private, CKA_VALUE), Value::Sensitive);
    }
    let rsa = with(Algorithm::Rsa2048, Purpose::Sign, RSA, ObjectClass::PrivateKeyObject);
    assert_eq!(value(rsa.clone(), CKA_PRIME_1), Value::Sensitive);
    assert_eq!(value(rsa, CKA_VALUE), Value::Absent, "RSA keys have no such attribute");
}

#[test]
fn a_certificate_is_read_as_openssl_reads_it() {
    let mut certificate =
        v1::Object { certificate: CERTIFICATE.to_vec(), ..object(ObjectClass::CertificateObject, "x") };
    certificate.public_key.clear();
    // openssl asn1parse: the parts at these offsets, with these lengths.
    for (kind, at, length) in [
        (CKA_SERIAL_NUMBER, 13, 19),
        (CKA_ISSUER, 44, 38),
        (CKA_SUBJECT, 114, 38),
        (CKA_PUBLIC_KEY_INFO, 152, 91),
        (CKA_VALUE, 0, CERTIFICATE.len()),
    ] {
        assert_eq!(hex(&certificate, kind), hex::encode(&CERTIFICATE[at..at + length]), "{kind:#x}");
    }
    // openssl sha1.
    assert_eq!(hex(&certificate, CKA_CHECK_VALUE), "31e60d");
    assert_eq!(value(certificate.clone(), CKA_START_DATE), Value::Bytes(b"20250102".to_vec().into()));
    assert_eq!(value(certificate.clone(), CKA_END_DATE), Value::Bytes(b"20350203".to_vec().into()));
    let authority = CK_CERTIFICATE_CATEGORY_AUTHORITY.to_ne_bytes().to_vec();
    assert_eq!(value(certificate.clone(), CKA_CERTIFICATE_CATEGORY), Value::Bytes(authority.into()));
    assert_eq!(value(certificate, CKA_PRIVATE), Value::Bytes(NO.to_vec().into()));
}

/// Clients that ask for more than there is, ask on: nothing of this may panic.
#[test]
fn broken_objects_have_what_can_be_said_of_them() {
    let mut certificate = v1::Object { certificate: vec![0x30, 0x82], ..object(ObjectClass::CertificateObject, "x") };
    assert_eq!(value(certificate.clone(), CKA_SUBJECT), Value::Absent);
    assert_eq!(value(certificate.clone(), CKA_VALUE), Value::Bytes(vec![0x30, 0x82].into()));
    certificate.certificate.clear();
    assert_eq!(value(certificate, CKA_CLASS), Value::Bytes(CKO_CERTIFICATE.to_ne_bytes().to_vec().into()));
    let broken = with(Algorithm::Rsa2048, Purpose::Sign, b"no key", ObjectClass::PublicKeyObject);
    assert_eq!(value(broken, CKA_MODULUS), Value::Absent);
    let newer = v1::Object { algorithm: 9999, class: 9999, ..object(ObjectClass::PublicKeyObject, "x") };
    assert_eq!(value(newer, CKA_EC_POINT), Value::Absent);
}
