//! CreateCertificateSigningRequest and IssueCertificate.

use crate::{
    MALFORMED, is_refused, is_rejected,
    shared::{call, client, create, creation, id, key, make, sign, signing},
};
use chancery_api::v1::{
    Algorithm, CertificateProfile, CreateCertificateSigningRequestRequest, IssueCertificateRequest, Purpose,
};
use chancery_client::Code;
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, DnType, IsCa, KeyPair, SanType};

fn asking(name: &str, subject: &str, names: &[&str]) -> CreateCertificateSigningRequestRequest {
    CreateCertificateSigningRequestRequest {
        name: name.into(),
        subject: subject.into(),
        subject_alternative_names: names.iter().map(ToString::to_string).collect(),
        request_id: id(),
    }
}

fn issuing(issuer: &str, request: impl Into<Vec<u8>>, profile: CertificateProfile) -> IssueCertificateRequest {
    IssueCertificateRequest {
        issuer: issuer.into(),
        certificate_signing_request: request.into(),
        profile: profile.into(),
        request_id: id(),
    }
}

fn foreign(parts: &[(DnType, &str)], change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.distinguished_name = DistinguishedName::new();
    parts.iter().for_each(|(kind, value)| parameters.distinguished_name.push(kind.clone(), *value));
    change(&mut parameters);
    parameters.serialize_request(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

/// A CERTIFY key of org1/ca, with its root certificate.
async fn authority(name: &str) {
    let ca = client("org1-ca").await;
    let mut request = creation(name, "ca", Algorithm::EcP256);
    request.key.as_mut().unwrap().purpose = Purpose::Certify.into();
    make(&ca, request).await;
    let made = call(ca.certificates().create_certificate_signing_request(asking(name, "CN=ca", &[]))).await.unwrap();
    call(ca.certificates().issue_certificate(issuing(name, made.der, CertificateProfile::RootCa))).await.unwrap();
}

#[tokio::test]
async fn signing_requests_that_make_no_sense_are_rejected() {
    let (peer, name) = (client("org1-peer0").await, key("bad-csr"));
    create(&name, "peer0", Algorithm::EcP256).await;
    for subject in ["", "peer0", "O=Org1", "CN=a,CN=b", "CN=", "CN", "=", "CN=a,", "XX=a,CN=b", "CN=\u{1}\u{0}"] {
        let answer = call(peer.certificates().create_certificate_signing_request(asking(&name, subject, &[]))).await;
        is_rejected(answer, "INVALID_ARGUMENT", "subject", subject);
    }
    for alternative in
        ["", "peer0", "dns:", "dns:a b", "dns:*.org1", "ip:", "ip:1.2.3", "uri:spiffe://x", "email:a@b", "DNS:a"]
    {
        let request = asking(&name, "CN=peer0", &["dns:peer0.org1", alternative]);
        let answer = call(peer.certificates().create_certificate_signing_request(request)).await;
        is_rejected(answer, "INVALID_ARGUMENT", "subject_alternative_names", alternative);
    }
    for malformed in MALFORMED {
        let request = asking(malformed, "CN=peer0", &[]);
        let answer = call(peer.certificates().create_certificate_signing_request(request)).await;
        is_rejected(answer, "INVALID_ARGUMENT", "name", malformed);
    }
    let request = CreateCertificateSigningRequestRequest { request_id: "7".into(), ..asking(&name, "CN=a", &[]) };
    let answer = call(peer.certificates().create_certificate_signing_request(request)).await;
    is_rejected(answer, "INVALID_ARGUMENT", "request_id", "no UUID");
}

#[tokio::test]
async fn certificates_are_issued_for_sound_requests_only() {
    let (ca, issuer) = (client("org1-ca").await, key("bad-issue"));
    authority(&issuer).await;
    const CN: DnType = DnType::CommonName;
    const OU: DnType = DnType::OrganizationalUnitName;
    let good = foreign(&[(CN, "peer0")], |_| {});
    let field = "certificate_signing_request";
    let uri = SanType::URI("spiffe://org1/peer0".try_into().unwrap());
    let dns = || SanType::DnsName("peer0.org1".try_into().unwrap());
    let profile = CertificateProfile::Peer;
    for (request, profile, what) in [
        (Vec::new(), profile, "nothing"),
        (b"garbage".to_vec(), profile, "garbage"),
        (b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n".to_vec(), profile, "PEM"),
        (good[..good.len() - 1].to_vec(), profile, "cut"),
        ([good.as_slice(), &[0]].concat(), profile, "a byte more"),
        (foreign(&[], |_| {}), profile, "no name"),
        (foreign(&[(OU, "peer")], |_| {}), profile, "no common name"),
        (foreign(&[(CN, "peer 0")], |_| {}), profile, "a name that is no principal's"),
        (foreign(&[(CN, "ca")], |_| {}), CertificateProfile::Unspecified, "-"),
        (foreign(&[(CN, "peer0"), (OU, "admin")], |_| {}), profile, "another unit than the profile's"),
        (foreign(&[(CN, "peer0")], |p| p.subject_alt_names = vec![uri.clone()]), profile, "a URI"),
        (foreign(&[(CN, "client0")], |p| p.subject_alt_names = vec![dns()]), CertificateProfile::Client, "a client's"),
    ] {
        let field = if profile == CertificateProfile::Unspecified { "profile" } else { field };
        let answer = call(ca.certificates().issue_certificate(issuing(&issuer, request, profile))).await;
        is_rejected(answer, "INVALID_ARGUMENT", field, what);
    }
    // What a request asks for beyond names has no effect.
    let more = foreign(&[(CN, "peer0")], |parameters| {
        parameters.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        parameters.custom_extensions = vec![CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0])];
    });
    if let Ok(issued) = call(ca.certificates().issue_certificate(issuing(&issuer, more, profile))).await {
        assert!(!issued.der.windows(5).any(|window| window == [6, 3, 0x2a, 3, 4]), "no extension of the request's");
        assert!(!issued.der.windows(5).any(|window| window == [0x30, 3, 1, 1, 0xff]), "no CA");
    }
    for malformed in MALFORMED {
        let answer = call(ca.certificates().issue_certificate(issuing(malformed, good.clone(), profile))).await;
        is_rejected(answer, "INVALID_ARGUMENT", "issuer", malformed);
    }
    let unknown = IssueCertificateRequest { profile: 99, ..issuing(&issuer, good.clone(), profile) };
    is_rejected(call(ca.certificates().issue_certificate(unknown)).await, "INVALID_ARGUMENT", "profile", "unknown");
    let no_id = IssueCertificateRequest { request_id: String::new(), ..issuing(&issuer, good.clone(), profile) };
    is_rejected(call(ca.certificates().issue_certificate(no_id)).await, "INVALID_ARGUMENT", "request_id", "none");
    let large = issuing(&issuer, vec![0x30; 64 * 1024 + 1], profile);
    is_rejected(call(ca.certificates().issue_certificate(large)).await, "TOO_LARGE", field, "over 64 KiB");
    let root = issuing(&issuer, good.clone(), CertificateProfile::RootCa);
    let answer = call(ca.certificates().issue_certificate(root)).await;
    is_refused(answer, Code::FailedPrecondition, "WRONG_STATE", "a root for another's key");
    call(ca.certificates().issue_certificate(issuing(&issuer, good, profile))).await.unwrap();
}

#[tokio::test]
async fn an_authority_needs_its_own_certificate_first() {
    let (ca, issuer) = (client("org1-ca").await, key("no-certificate"));
    let mut request = creation(&issuer, "ca", Algorithm::EcP256);
    request.key.as_mut().unwrap().purpose = Purpose::Certify.into();
    make(&ca, request).await;
    let good = foreign(&[(DnType::CommonName, "peer0")], |_| {});
    let answer = call(ca.certificates().issue_certificate(issuing(&issuer, good, CertificateProfile::Peer))).await;
    is_refused(answer, Code::FailedPrecondition, "WRONG_STATE", "no certificate yet");
}

/// The owner knows its key: it is told what is wrong with it, and nobody else is.
#[tokio::test]
async fn a_key_of_the_wrong_purpose_is_refused() {
    let (ca, certifies, signs) = (client("org1-ca").await, key("purpose-certify"), key("purpose-sign"));
    authority(&certifies).await;
    create(&signs, "ca", Algorithm::EcP256).await;
    let answer = sign(&ca, signing(&certifies, b"x")).await;
    is_refused(answer, Code::FailedPrecondition, "WRONG_PURPOSE", "a CERTIFY key signs nothing else");
    let good = foreign(&[(DnType::CommonName, "peer0")], |_| {});
    let answer =
        call(ca.certificates().issue_certificate(issuing(&signs, good.clone(), CertificateProfile::Peer))).await;
    is_refused(answer, Code::FailedPrecondition, "WRONG_PURPOSE", "a SIGN key issues nothing");
    for other in ["org1-peer0", "org2-ca"] {
        let other = client(other).await;
        is_refused(sign(&other, signing(&certifies, b"x")).await, Code::PermissionDenied, "DENIED", "others");
        let request = issuing(&signs, good.clone(), CertificateProfile::Peer);
        let answer = call(other.certificates().issue_certificate(request)).await;
        is_refused(answer, Code::PermissionDenied, "DENIED", "others");
    }
}
