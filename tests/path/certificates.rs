//! Requests and certificates for every profile, judged by openssl.

use crate::{
    openssl::OpenSsl,
    shared::{call, client, create, creation, id, key, make, sign, signing},
};
use chancery_api::v1::{
    Algorithm, CertificateProfile, CreateCertificateSigningRequestRequest, CreateCertificateSigningRequestResponse,
    GetKeyRequest, IssueCertificateRequest, IssueCertificateResponse, KeyState, Purpose, RotateKeyRequest,
};
use chancery_client::{Client, ClientError};

async fn request(
    client: &Client,
    name: &str,
    subject: &str,
    names: &[&str],
) -> CreateCertificateSigningRequestResponse {
    let request = CreateCertificateSigningRequestRequest {
        name: name.into(),
        subject: subject.into(),
        subject_alternative_names: names.iter().map(ToString::to_string).collect(),
        request_id: id(),
    };
    call(client.certificates().create_certificate_signing_request(request)).await.unwrap()
}

async fn issue(
    ca: &Client,
    issuer: &str,
    request: impl Into<Vec<u8>>,
    profile: CertificateProfile,
) -> Result<IssueCertificateResponse, ClientError> {
    let request = IssueCertificateRequest {
        issuer: issuer.into(),
        certificate_signing_request: request.into(),
        profile: profile.into(),
        request_id: id(),
    };
    call(ca.certificates().issue_certificate(request)).await
}

/// A CERTIFY key of org1/ca with its root certificate.
async fn authority(ca: &Client, name: &str, algorithm: Algorithm) -> IssueCertificateResponse {
    let mut creation = creation(name, "ca", algorithm);
    creation.key.as_mut().unwrap().purpose = Purpose::Certify.into();
    make(ca, creation).await;
    let request = request(ca, name, "CN=ca.org1,O=Org1", &[]).await;
    issue(ca, name, request.pem, CertificateProfile::RootCa).await.unwrap()
}

#[tokio::test]
async fn requests_of_every_algorithm_verify() {
    let (peer, openssl) = (client("org1-peer0").await, OpenSsl::new());
    for (id, algorithm) in [
        ("csr-p256", Algorithm::EcP256),
        ("csr-p384", Algorithm::EcP384),
        ("csr-p521", Algorithm::EcP521),
        ("csr-secp256k1", Algorithm::EcSecp256k1),
        ("csr-ed25519", Algorithm::Ed25519),
        ("csr-rsa", Algorithm::Rsa2048),
    ] {
        let name = key(id);
        create(&name, "peer0", algorithm).await;
        let names = ["dns:peer0.org1.example.com", "ip:10.0.0.7", "ip:2001:db8::7"];
        let made = request(&peer, &name, "CN=peer0,OU=peer,O=Org1", &names).await;
        assert_eq!(made.name, format!("{name}/versions/1"));
        let (pem, der) = (openssl.file("request.pem", &made.pem), openssl.file("request.der", &made.der));
        assert!(openssl.text(&format!("req -verify -noout -in {pem}")).contains("verify OK"), "{id}");
        assert!(openssl.text(&format!("req -verify -noout -inform DER -in {der}")).contains("verify OK"));
        let text = openssl.text(&format!("req -in {pem} -noout -text -nameopt RFC2253"));
        assert!(text.contains("Subject: CN=peer0,OU=peer,O=Org1"), "{text}");
        assert!(text.contains("DNS:peer0.org1.example.com, IP Address:10.0.0.7, IP Address:2001:DB8:0:0:0:0:0:7"));
    }
}

#[tokio::test]
async fn a_certificate_of_every_profile_verifies_and_says_what_its_profile_says() {
    let (ca, peer, openssl) = (client("org1-ca").await, client("org1-peer0").await, OpenSsl::new());
    for (id, algorithm, node) in [
        ("profiles-p256", Algorithm::EcP256, Algorithm::EcP256),
        ("profiles-p384", Algorithm::EcP384, Algorithm::Ed25519),
        ("profiles-ed25519", Algorithm::Ed25519, Algorithm::EcP521),
        ("profiles-rsa", Algorithm::Rsa2048, Algorithm::EcSecp256k1),
    ] {
        let issuer = key(id);
        let root = authority(&ca, &issuer, algorithm).await;
        assert_eq!((&root.issuer_pem, &root.issuer), (&root.pem, &format!("{issuer}/versions/1")));
        let root_file = openssl.file("root.pem", &root.pem);
        openssl.text(&format!("verify -x509_strict -CAfile {root_file} {root_file}"));
        let text = openssl.text(&format!("x509 -in {root_file} -noout -text -nameopt RFC2253"));
        for expected in ["CA:TRUE, pathlen:0", "Certificate Sign, CRL Sign", "Subject: CN=ca.org1,O=Org1"] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        let bound = call(ca.keys().get_key(GetKeyRequest { name: issuer.clone() })).await.unwrap();
        assert_eq!(bound.versions[0].certificate, root.der, "the root is bound to its version");

        let name = key(&format!("{id}-node"));
        create(&name, "peer0", node).await;
        for (profile, unit, names) in [
            (CertificateProfile::Peer, "peer", &["dns:peer0.org1", "ip:10.0.0.7"][..]),
            (CertificateProfile::Orderer, "orderer", &["dns:orderer0.org1"]),
            (CertificateProfile::Client, "client", &[]),
            (CertificateProfile::Admin, "admin", &[]),
        ] {
            let request = request(&peer, &name, "CN=node0,O=Org1", names).await;
            let issued = issue(&ca, &issuer, request.pem, profile).await.unwrap();
            assert_eq!((&issued.issuer_pem, &issued.issuer), (&root.pem, &root.issuer));
            let file = openssl.file("node.pem", &issued.pem);
            openssl.text(&format!("verify -x509_strict -CAfile {root_file} {file}"));
            let text = openssl.text(&format!("x509 -in {file} -noout -text -nameopt RFC2253"));
            let subject = format!("Subject: CN=node0,OU={unit},O=Org1");
            for expected in [subject.as_str(), "CA:FALSE", "Digital Signature", "X509v3 Authority Key Identifier"] {
                assert!(text.contains(expected), "{unit}: {expected}: {text}");
            }
            assert!(!text.contains("Certificate Sign"), "{text}");
            assert_eq!(text.contains("DNS:"), !names.is_empty(), "{text}");
            // It lasts a year, and not longer than that.
            assert!(openssl.run(&format!("x509 -in {file} -checkend 31449600")).status.success());
            assert!(!openssl.run(&format!("x509 -in {file} -checkend 31536000")).status.success());
        }
    }
}

/// What a peer does with its certificate: its signatures verify under the key in it.
#[tokio::test]
async fn a_signature_verifies_against_the_nodes_certificate() {
    let (ca, peer, openssl) = (client("org1-ca").await, client("org1-peer0").await, OpenSsl::new());
    let (issuer, name) = (key("chain-ca"), key("chain-peer"));
    authority(&ca, &issuer, Algorithm::EcP256).await;
    create(&name, "peer0", Algorithm::EcP256).await;
    let request = request(&peer, &name, "CN=peer0,OU=peer,O=Org1", &[]).await;
    let issued = issue(&ca, &issuer, request.der, CertificateProfile::Peer).await.unwrap();
    let file = openssl.file("node.pem", &issued.pem);
    let public = openssl.text(&format!("x509 -in {file} -noout -pubkey"));
    let signature = sign(&peer, signing(&name, b"a transaction")).await.unwrap().signature;
    assert!(openssl.verifies_message(&public, "sha256", b"a transaction", &signature));
}

/// Requests made elsewhere are taken, and only if their sender holds the key.
#[tokio::test]
async fn a_request_made_by_openssl_is_issued_and_a_forged_one_is_not() {
    let (ca, openssl) = (client("org1-ca").await, OpenSsl::new());
    let issuer = key("foreign-requests");
    let root = authority(&ca, &issuer, Algorithm::EcP256).await;
    let (out, keyout) = (openssl.path("request.der"), openssl.path("key.pem"));
    let (out, keyout) = (out.to_str().unwrap(), keyout.to_str().unwrap());
    openssl.text(&format!(
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {keyout} -subj /O=Org1/OU=peer/CN=peer9 \
         -outform DER -out {out}"
    ));
    let mut request = std::fs::read(out).unwrap();
    let issued = issue(&ca, &issuer, request.clone(), CertificateProfile::Peer).await.unwrap();
    let (root, node) = (openssl.file("root.pem", root.pem), openssl.file("node.pem", issued.pem));
    openssl.text(&format!("verify -x509_strict -CAfile {root} {node}"));
    // Within the subject: the request says another name than its signature covers.
    let at = request.windows(5).position(|window| window == b"peer9").unwrap();
    request[at + 4] = b'8';
    let error = issue(&ca, &issuer, request, CertificateProfile::Peer).await.unwrap_err();
    assert_eq!(error.violations[0].field, "certificate_signing_request");
    assert!(error.message.contains("does not verify"), "{error}");
}

/// A rotation must not take down whoever relies on the certificate: the new version waits.
#[tokio::test]
async fn rotating_a_key_with_a_certificate_makes_a_version_that_waits() {
    let (ca, peer) = (client("org1-ca").await, client("org1-peer0").await);
    let (issuer, name) = (key("bound"), key("bound-peer"));
    let root = authority(&ca, &issuer, Algorithm::EcP256).await;
    create(&name, "peer0", Algorithm::EcP256).await;
    let rotated = RotateKeyRequest { name: issuer.clone(), request_id: id() };
    let rotated = call(ca.keys().rotate_key(rotated)).await.unwrap();
    assert_eq!(rotated.versions[1].state(), KeyState::PreActive);
    assert!(rotated.versions[1].certificate.is_empty());
    assert_eq!(rotated.primary.unwrap(), rotated.versions[0], "the primary stays");
    assert_eq!(rotated.versions[0].certificate, root.der);

    let request = request(&peer, &name, "CN=peer0", &[]).await;
    let issued = issue(&ca, &issuer, request.der.clone(), CertificateProfile::Peer).await.unwrap();
    assert_eq!(issued.issuer, format!("{issuer}/versions/1"));
    let waiting = format!("{issuer}/versions/2");
    let error = issue(&ca, &waiting, request.der, CertificateProfile::Peer).await.unwrap_err();
    assert_eq!(error.reason.as_deref(), Some("WRONG_STATE"), "{error}");
}
