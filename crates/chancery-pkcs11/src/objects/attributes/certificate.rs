//! Attributes of X.509 certificates (PKCS#11 v3.0 §4.6).

use super::{Storage, Table};
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use cryptoki_sys::*;
use der::{Decode, Encode};
use x509_cert::{
    Certificate,
    der::{self, asn1::ObjectIdentifier},
    ext::pkix::BasicConstraints,
    time::Time,
};

/// RFC 5280 §4.2.1.9.
const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");

/// Attributes of a certificate, DER; `owned`: it certifies a key that is here. One that does not parse has only those that
/// need no parsing.
pub(in crate::objects) fn certificate(storage: &Storage<'_>, value: &[u8], owned: bool) -> Table {
    let mut table = Table::of(storage);
    table.number(CKA_CERTIFICATE_TYPE, CKC_X_509);
    table.flags(&[(CKA_TRUSTED, false)]);
    table.bytes(CKA_VALUE, value);
    // §4.6.2: the first three bytes of the SHA-1.
    table.bytes(CKA_CHECK_VALUE, &digest(&SHA1_FOR_LEGACY_USE_ONLY, value).as_ref()[..3]);
    for kind in [CKA_URL, CKA_HASH_OF_SUBJECT_PUBLIC_KEY, CKA_HASH_OF_ISSUER_PUBLIC_KEY] {
        table.bytes(kind, []);
    }
    table.number(CKA_NAME_HASH_ALGORITHM, CKM_SHA_1);
    table.number(CKA_JAVA_MIDP_SECURITY_DOMAIN, CK_SECURITY_DOMAIN_UNSPECIFIED);
    let parsed = Certificate::from_der(value);
    let authority = parsed.as_ref().is_ok_and(is_authority);
    table.number(
        CKA_CERTIFICATE_CATEGORY,
        match (authority, owned) {
            (true, _) => CK_CERTIFICATE_CATEGORY_AUTHORITY,
            (false, true) => CK_CERTIFICATE_CATEGORY_TOKEN_USER,
            (false, false) => CK_CERTIFICATE_CATEGORY_UNSPECIFIED,
        },
    );
    if let Ok(parsed) = parsed {
        let body = parsed.tbs_certificate();
        for (kind, value) in [
            (CKA_SUBJECT, body.subject().to_der()),
            (CKA_ISSUER, body.issuer().to_der()),
            (CKA_SERIAL_NUMBER, body.serial_number().to_der()),
            (CKA_PUBLIC_KEY_INFO, body.subject_public_key_info().to_der()),
        ] {
            table.bytes(kind, value.unwrap_or_default());
        }
        table.bytes(CKA_START_DATE, date(&body.validity().not_before));
        table.bytes(CKA_END_DATE, date(&body.validity().not_after));
    }
    table
}

fn is_authority(certificate: &Certificate) -> bool {
    let extensions = certificate.tbs_certificate().extensions().into_iter().flatten();
    let constraints = extensions.filter(|extension| extension.extn_id == BASIC_CONSTRAINTS);
    constraints.flat_map(|extension| BasicConstraints::from_der(extension.extn_value.as_bytes())).any(|it| it.ca)
}

/// A CK_DATE: year, month and day in ASCII.
fn date(time: &Time) -> String {
    let time = time.to_date_time();
    format!("{:04}{:02}{:02}", time.year(), time.month(), time.day())
}
