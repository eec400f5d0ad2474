//! Requests and certificates of ML-DSA keys, signed by an implementation that was written by others. The openssl command
//! line of today has no ML-DSA; it reads the structure.

use crate::crypto::tests::openssl::Openssl;
use crate::{
    certificates::{
        AuthorityCertificate, CertificateDraft, CertificateError, CertificateRequest, Issuance, Profile, RequestDraft,
        Signed,
    },
    crypto::tests::{bare_spki, ml_dsa},
    model::Algorithm,
};
use der::Decode;
use ml_dsa::{Keypair, MlDsa44, MlDsa65, MlDsa87, MlDsaParams, SigningKey, signature::Signer};

fn check<P: MlDsaParams>(algorithm: Algorithm, number: u8) {
    let openssl = Openssl::new();
    let key = SigningKey::<P>::from_seed(&[number; 32].into());
    let spki = bare_spki(&ml_dsa(number), &key.verifying_key().encode());
    let sign = |message: &[u8]| key.sign(message).encode().to_vec();

    let draft = RequestDraft::new("CN=ca,O=Org1", &["dns:a.b"; 0], &spki).unwrap();
    let signature = sign(draft.to_be_signed());
    let der = draft.finish(&signature);
    let request = CertificateRequest::parse(&der).unwrap();
    assert_eq!(request.public_key().algorithm(), algorithm);
    let mut changed = der.clone();
    *changed.last_mut().unwrap() ^= 1;
    assert_eq!(CertificateRequest::parse(&changed), Err(CertificateError::BadSignature));

    let issuance = Issuance {
        profile: Profile::RootCa,
        request: &request,
        issuer_key: &spki,
        issuer_certificate: None,
        serial: [1; 20],
        now: 1_800_000_000,
    };
    let draft = CertificateDraft::new(&issuance).unwrap();
    let signature = sign(draft.to_be_signed());
    let root = draft.finish(&signature);
    let authority = AuthorityCertificate::parse(&root).unwrap();
    let signed = Signed::from_der(&root).unwrap();
    let message = signed.to_be_signed().unwrap();
    assert_eq!(authority.public_key().verify(signed.algorithm(), &message, signed.signature().unwrap()), Ok(()));

    // RFC 9881 §2: no parameters, neither of the key nor of the two signature algorithms.
    let structure = openssl.run("asn1parse -inform DER -in @", &[&openssl.file(&root)]);
    let lines: Vec<&str> = structure.lines().collect();
    let identifier = format!(":2.16.840.1.101.3.4.3.{number}");
    let identifiers: Vec<usize> = (0..lines.len()).filter(|line| lines[*line].ends_with(&identifier)).collect();
    assert_eq!(identifiers.len(), 3, "{structure}");
    assert!(identifiers.iter().all(|line| !lines[line + 1].contains("NULL")));
}

#[test]
fn ml_dsa_keys_get_requests_and_certificates() {
    check::<MlDsa44>(Algorithm::MlDsa44, 17);
    check::<MlDsa65>(Algorithm::MlDsa65, 18);
    check::<MlDsa87>(Algorithm::MlDsa87, 19);
}
