//! Objects that live in the process: public keys to verify with, secrets.

use crate::{
    shared::deployment,
    token::{NO, P256, PRIVATE, PUBLIC, SECRET, Token, YES, mechanism, template},
};
use chancery_pkcs11::{objects::Value, rv::Rv};
use cryptoki_sys::*;

const PEER: &str = "org1-peer0";
const AES: &[u8] = &CKK_AES.to_ne_bytes();

/// Java verifies so with keys that it got elsewhere.
#[test]
fn a_public_key_that_was_brought_along_verifies() {
    let token = Token::new(deployment(), PEER);
    let (public, private) = token.named_pair("exported");
    let point = token.bytes(public, CKA_EC_POINT);
    let given: &[(_, &[u8])] =
        &[(CKA_CLASS, PUBLIC), (CKA_KEY_TYPE, &CKK_EC.to_ne_bytes()), (CKA_EC_PARAMS, P256), (CKA_EC_POINT, &point)];
    let brought = token.create(given).unwrap();
    let signature = token.sign(private, &[1; 32]).unwrap();
    token.verify(brought, &[1; 32], &signature).unwrap();
    assert_eq!(token.verify(brought, &[2; 32], &signature), Err(Rv(CKR_SIGNATURE_INVALID)));
    assert_eq!(token.bytes(brought, CKA_TOKEN), NO);
    let kept = [given, &[(CKA_TOKEN, YES)]].concat();
    assert_eq!(token.create(&kept), Err(Rv(CKR_TEMPLATE_INCONSISTENT)));
}

/// Keys are imported by officers, sealed to the enclave; not by a program that has their bytes.
#[test]
fn no_private_key_is_taken_in() {
    let token = Token::new(deployment(), PEER);
    for stays in [YES, NO] {
        let given: &[(_, &[u8])] = &[
            (CKA_CLASS, PRIVATE),
            (CKA_KEY_TYPE, &CKK_EC.to_ne_bytes()),
            (CKA_TOKEN, stays),
            (CKA_EC_PARAMS, P256),
            (CKA_VALUE, &[1; 32]),
        ];
        assert_eq!(token.create(given), Err(Rv(CKR_TEMPLATE_INCONSISTENT)));
    }
    assert_eq!(token.create(&[(CKA_CLASS, &CKO_DATA.to_ne_bytes())]), Err(Rv(CKR_ATTRIBUTE_VALUE_INVALID)));
    assert_eq!(token.create(&[(CKA_LABEL, b"what?")]), Err(Rv(CKR_TEMPLATE_INCOMPLETE)));
}

#[test]
fn a_secret_that_was_brought_along_is_read_only_where_it_may_be() {
    let token = Token::new(deployment(), PEER);
    let secret = |given: &[(CK_ATTRIBUTE_TYPE, &[u8])]| {
        let base: &[(_, &[u8])] = &[(CKA_CLASS, SECRET), (CKA_KEY_TYPE, AES), (CKA_VALUE, &[7; 16])];
        token.create(&[base, given].concat())
    };
    let open = secret(&[(CKA_EXTRACTABLE, YES), (CKA_SENSITIVE, NO), (CKA_LABEL, b"open")]).unwrap();
    assert_eq!(token.value(open, CKA_VALUE), Ok(Value::Bytes(vec![7; 16].into())));
    for given in [&[][..], &[(CKA_EXTRACTABLE, YES)], &[(CKA_SENSITIVE, NO)]] {
        assert_eq!(token.value(secret(given).unwrap(), CKA_VALUE), Ok(Value::Sensitive), "{given:x?}");
    }
    assert_eq!(token.bytes(open, CKA_VALUE_LEN), 16_u64.to_ne_bytes());
    assert_eq!(token.find(&[(CKA_VALUE, &[7; 16])]), [], "nobody finds a secret by guessing it");
    let copy = token.copy(open, &[(CKA_LABEL, b"copied")]).unwrap();
    assert_eq!(token.find(&[(CKA_LABEL, b"copied")]), [copy]);
    token.set(copy, &[(CKA_LABEL, b"renamed")]).unwrap();
    assert_eq!(token.find(&[(CKA_LABEL, b"renamed")]), [copy]);
    assert_eq!(secret(&[(CKA_TOKEN, YES)]), Err(Rv(CKR_TEMPLATE_INCONSISTENT)));
    assert_eq!(secret(&[(CKA_MODULUS, YES)]), Err(Rv(CKR_ATTRIBUTE_TYPE_INVALID)));

    // They end with their session.
    let module = token.module;
    let second = module.open_session(1, CKF_SERIAL_SESSION).unwrap();
    module.close_session(token.session.handle).unwrap();
    let token = Token { session: module.session(second).unwrap(), module };
    assert_eq!(token.find(&[(CKA_LABEL, b"open")]), []);
    assert_eq!(token.value(open, CKA_VALUE), Err(Rv(CKR_OBJECT_HANDLE_INVALID)));
}

/// A secret that its client may read is none of the service's.
#[test]
fn an_extractable_secret_is_made_here() {
    let token = Token::new(deployment(), PEER);
    let make = |given: &[(CK_ATTRIBUTE_TYPE, &[u8])]| {
        let kind = mechanism(CKM_AES_KEY_GEN);
        token.module.objects.generate(&token.module, &token.session, &kind, &template(given))
    };
    let length = (CKA_VALUE_LEN, &16_u64.to_ne_bytes()[..]);
    let [one, other] = [(), ()].map(|()| {
        let made = make(&[length, (CKA_EXTRACTABLE, YES), (CKA_SENSITIVE, NO)]).unwrap();
        assert_eq!(token.bytes(made, CKA_KEY_TYPE), AES);
        token.bytes(made, CKA_VALUE)
    });
    assert!(one.len() == 16 && one != other);
    assert_eq!(make(&[length, (CKA_EXTRACTABLE, YES), (CKA_TOKEN, YES)]), Err(Rv(CKR_KEY_SIZE_RANGE)));
    let length = (CKA_VALUE_LEN, &32_u64.to_ne_bytes()[..]);
    assert_eq!(make(&[length, (CKA_EXTRACTABLE, YES), (CKA_TOKEN, YES)]), Err(Rv(CKR_TEMPLATE_INCONSISTENT)));
}
