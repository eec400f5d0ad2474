//! Certificates that clients write (Java, GnuTLS), at the service or for a session.

use crate::{
    shared::deployment,
    token::{CERTIFICATE, NO, Token, YES},
};
use chancery_pkcs11::rv::Rv;
use cryptoki_sys::*;

const PEER: &str = "org1-peer0";
/// Of openssl.
pub(crate) const FIXTURE: &[u8] = include_bytes!("../../crates/chancery-pkcs11/src/objects/fixtures/certificate.der");
const X509: &[u8] = &CKC_X_509.to_ne_bytes();

/// One with this label, that stays or not.
fn certificate<'a>(label: &'a [u8], token: &'a [u8]) -> Vec<(CK_ATTRIBUTE_TYPE, &'a [u8])> {
    vec![
        (CKA_CLASS, CERTIFICATE),
        (CKA_CERTIFICATE_TYPE, X509),
        (CKA_VALUE, FIXTURE),
        (CKA_TOKEN, token),
        (CKA_LABEL, label),
        (CKA_ID, b"certified"),
    ]
}

#[test]
fn a_certificate_is_kept_for_its_principal() {
    let [token, other] = [(), ()].map(|()| Token::new(deployment(), PEER));
    let handle = token.create(&certificate(b"kept", YES)).unwrap();
    let found = other.only(&[(CKA_CLASS, CERTIFICATE), (CKA_LABEL, b"kept")]);
    assert_eq!(other.bytes(found, CKA_VALUE), FIXTURE);
    assert_eq!(other.bytes(found, CKA_ID), b"certified");
    // As clients look for an issuer's or a subject's, where openssl asn1parse finds them.
    for search in [
        &[(CKA_CLASS, CERTIFICATE), (CKA_SUBJECT, &FIXTURE[114..152])][..],
        &[(CKA_ISSUER, &FIXTURE[44..82]), (CKA_SERIAL_NUMBER, &FIXTURE[13..32])],
        &[(CKA_VALUE, FIXTURE), (CKA_TOKEN, YES)],
    ] {
        assert!(other.find(search).contains(&found), "{search:x?}");
    }
    token.set(handle, &[(CKA_LABEL, b"renamed")]).unwrap();
    assert_eq!(token.bytes(handle, CKA_LABEL), b"renamed");
    assert_eq!(other.find(&[(CKA_LABEL, b"renamed")]).len(), 1);
    token.destroy(handle).unwrap();
    assert_eq!(token.find(&[(CKA_LABEL, b"renamed")]), []);
    assert_eq!(Token::new(deployment(), PEER).find(&[(CKA_LABEL, b"renamed")]), []);
}

#[test]
fn a_certificate_may_end_with_the_session_or_be_kept_after_all() {
    let [token, other] = [(), ()].map(|()| Token::new(deployment(), PEER));
    let handle = token.create(&certificate(b"passing", NO)).unwrap();
    assert_eq!(token.find(&[(CKA_LABEL, b"passing"), (CKA_TOKEN, NO)]), [handle]);
    assert_eq!(other.find(&[(CKA_LABEL, b"passing")]), []);
    let kept = token.copy(handle, &[(CKA_TOKEN, YES), (CKA_LABEL, b"staying")]).unwrap();
    assert_eq!(token.bytes(kept, CKA_ID), b"certified");
    assert_eq!(other.find(&[(CKA_LABEL, b"staying")]).len(), 1);
    token.destroy(handle).unwrap();
    token.destroy(kept).unwrap();
}

#[test]
fn what_is_no_certificate_is_refused() {
    let token = Token::new(deployment(), PEER);
    let x509 = |value: &[u8], kind: &[u8]| {
        let given = [(CKA_CLASS, CERTIFICATE), (CKA_TOKEN, YES), (CKA_VALUE, value), (CKA_CERTIFICATE_TYPE, kind)];
        token.create(&given)
    };
    assert_eq!(x509(&FIXTURE[1..], X509), Err(Rv(CKR_ATTRIBUTE_VALUE_INVALID)));
    assert_eq!(x509(b"", X509), Err(Rv(CKR_ATTRIBUTE_VALUE_INVALID)));
    assert_eq!(x509(FIXTURE, &CKC_WTLS.to_ne_bytes()), Err(Rv(CKR_ATTRIBUTE_VALUE_INVALID)));
    assert_eq!(token.create(&[(CKA_CLASS, CERTIFICATE), (CKA_VALUE, FIXTURE)]), Err(Rv(CKR_TEMPLATE_INCOMPLETE)));
    let trusted = [&certificate(b"trusted", YES)[..], &[(CKA_TRUSTED, YES)]].concat();
    assert_eq!(token.create(&trusted), Err(Rv(CKR_TEMPLATE_INCONSISTENT)));
}
