//! Public keys that clients bring along are those that openssl wrote.

use super::*;
use crate::{module::config::Sm2Profile, objects::given_key::public_key};

const P256_NAME: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

fn given<const N: usize>(attributes: [(CK_ATTRIBUTE_TYPE, &[u8]); N]) -> Result<(Algorithm, Vec<u8>)> {
    public_key(&template(attributes), Sm2Profile::Sansec).map(|(algorithm, key)| (algorithm, key.spki().to_vec()))
}

fn ec(point: &[u8]) -> Result<(Algorithm, Vec<u8>)> {
    given([(CKA_KEY_TYPE, &CKK_EC.to_ne_bytes()), (CKA_EC_PARAMS, P256_NAME), (CKA_EC_POINT, point)])
}

#[test]
fn attributes_make_the_key_that_they_were_read_from() {
    let point = hex::decode(POINT).unwrap();
    let expected = Ok((Algorithm::EcP256, P256.to_vec()));
    assert_eq!(ec(&[&[4, 65], point.as_slice()].concat()), expected);
    assert_eq!(ec(&point), expected, "some clients leave the OCTET STRING out");
    let bits = &ED25519[ED25519.len() - 32..];
    for (name, point) in
        [(&b"\x06\x03\x2b\x65\x70"[..], bits.to_vec()), (b"\x13\x0cedwards25519", [&[4, 32], bits].concat())]
    {
        let ed25519 =
            given([(CKA_KEY_TYPE, &CKK_EC_EDWARDS.to_ne_bytes()), (CKA_EC_PARAMS, name), (CKA_EC_POINT, &point)]);
        assert_eq!(ed25519, Ok((Algorithm::Ed25519, ED25519.to_vec())));
    }
    let sm2 = given([
        (CKA_KEY_TYPE, &0x8000_0004_u64.to_ne_bytes()),
        (CKA_EC_PARAMS, b"\x06\x08\x2a\x81\x1c\xcf\x55\x01\x82\x2d"),
        (CKA_EC_POINT, &SM2[SM2.len() - 65..]),
    ]);
    assert_eq!(sm2, Ok((Algorithm::Sm2, SM2.to_vec())));
    // The modulus and exponent, where openssl asn1parse finds them.
    let (modulus, exponent) = (&RSA[RSA.len() - 5 - 257..RSA.len() - 5], &RSA[RSA.len() - 3..]);
    for modulus in [modulus, &modulus[1..]] {
        let rsa =
            given([(CKA_KEY_TYPE, &CKK_RSA.to_ne_bytes()), (CKA_MODULUS, modulus), (CKA_PUBLIC_EXPONENT, exponent)]);
        assert_eq!(rsa, Ok((Algorithm::Rsa2048, RSA.to_vec())));
    }
}

#[test]
fn what_is_no_key_is_refused() {
    let point = hex::decode(POINT).unwrap();
    let mut off_curve = point.clone();
    off_curve[64] ^= 1;
    for wrong in [&off_curve[..], b"", &point[..64], &[&[4, 66], point.as_slice()].concat(), &[4; 200]] {
        assert_eq!(ec(wrong), Err(Rv(CKR_ATTRIBUTE_VALUE_INVALID)));
    }
    let key_type = (CKA_KEY_TYPE, &CKK_EC.to_ne_bytes()[..]);
    assert_eq!(given([key_type, (CKA_EC_POINT, &point)]), Err(Rv(CKR_TEMPLATE_INCOMPLETE)));
    let p224 = (CKA_EC_PARAMS, &b"\x06\x05\x2b\x81\x04\x00\x21"[..]);
    assert_eq!(given([key_type, p224, (CKA_EC_POINT, &point)]), Err(Rv(CKR_CURVE_NOT_SUPPORTED)));
    let rsa = |modulus: &[u8]| {
        given([(CKA_KEY_TYPE, &CKK_RSA.to_ne_bytes()), (CKA_MODULUS, modulus), (CKA_PUBLIC_EXPONENT, &[1, 0, 1])])
    };
    assert_eq!(rsa(&[0xff; 128]), Err(Rv(CKR_KEY_SIZE_RANGE)));
    assert_eq!(rsa(&[]), Err(Rv(CKR_KEY_SIZE_RANGE)));
}

/// What could not be kept is refused before a key is used for it.
#[test]
fn templates_of_secrets_to_come_are_checked_by_their_lengths() {
    let aes = CKK_AES.to_ne_bytes();
    let check = |attributes: &[(CK_ATTRIBUTE_TYPE, &[u8])], lengths| {
        let attribute = |(kind, value): &(_, &[u8])| Attribute { kind: *kind, value: value.to_vec().into() };
        Objects::check_secret(&Template(attributes.iter().map(attribute).collect()), lengths)
    };
    assert_eq!(check(&[], 66..=66), Ok(()));
    assert_eq!(check(&[(CKA_KEY_TYPE, &aes)], 25..=32), Ok(()));
    assert_eq!(check(&[(CKA_KEY_TYPE, &aes)], 66..=66), Err(Rv(CKR_ATTRIBUTE_VALUE_INVALID)));
    assert_eq!(check(&[(CKA_VALUE_LEN, &32_u64.to_ne_bytes())], 25..=32), Ok(()));
    assert_eq!(check(&[(CKA_VALUE_LEN, &24_u64.to_ne_bytes())], 25..=32), Err(Rv(CKR_TEMPLATE_INCONSISTENT)));
    assert_eq!(check(&[(CKA_TOKEN, &[1])], 32..=32), Err(Rv(CKR_TEMPLATE_INCONSISTENT)));
}

/// The answer of C_DeriveKey in one thread may come after C_CloseSession in another.
#[test]
fn nothing_is_kept_for_a_session_that_was_closed_meanwhile() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = crate::remote::tests::config(directory.path(), "127.0.0.1:1");
    config.slots.push(super::plan::slot());
    let module = Module::over(config, Arc::default());
    let open = || {
        let handle = module.open_session(1, CKF_SERIAL_SESSION | CKF_RW_SESSION).unwrap();
        module.session(handle).unwrap()
    };
    let (other, session) = (open(), open());
    let keep = || module.objects.keep_secret(&module, &session, vec![7; 32].into(), &Template::default());
    let handle = keep().unwrap();
    assert!(module.objects.object(&module, &other, handle).is_ok());
    module.close_session(session.handle).unwrap();
    assert_eq!(keep(), Err(Rv(CKR_SESSION_HANDLE_INVALID)));
    assert_eq!(module.objects.slot(&other).unwrap().read().entries().count(), 0);
}
