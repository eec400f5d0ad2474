//! Within an organization: who may make, use and see keys.

use crate::shared::{ORG1, ORG2, call, client, create, creation, id, key, sign, signing};
use chancery_api::v1::{
    Algorithm, CertificateProfile, CreateCertificateSigningRequestRequest, CreateKeyRequest, GetKeyRequest,
    IssueCertificateRequest, Key, ListKeysRequest, Purpose, RotateKeyRequest,
};
use chancery_client::{ClientError, Code};

fn is_denied<T: std::fmt::Debug>(answer: Result<T, ClientError>, what: &str) {
    let error = answer.expect_err(what);
    assert_eq!((error.code, error.reason.as_deref()), (Code::PermissionDenied, Some("DENIED")), "{what}: {error}");
    assert!(!error.retryable && error.performed.is_none());
}

/// A key for the caller itself.
fn own(parent: &str, key_id: &str, purpose: Purpose) -> CreateKeyRequest {
    let key = Key { algorithm: Algorithm::EcP256.into(), purpose: purpose.into(), ..Key::default() };
    CreateKeyRequest {
        parent: parent.into(),
        key_id: key_id.into(),
        key: Some(key),
        request_id: id(),
        ..CreateKeyRequest::default()
    }
}

#[tokio::test]
async fn officers_use_no_key() {
    let (officer, name) = (client("org1-security").await, key("not-the-officers"));
    create(&name, "peer0", Algorithm::EcP256).await;
    is_denied(sign(&officer, signing(&name, b"x")).await, "Sign");
    let request = CreateCertificateSigningRequestRequest {
        name: name.clone(),
        subject: "CN=peer0".into(),
        request_id: id(),
        ..Default::default()
    };
    is_denied(call(officer.certificates().create_certificate_signing_request(request)).await, "CSR");
    is_denied(call(officer.keys().create_key(own(ORG1, "officers-own", Purpose::Sign))).await, "own key");
    is_denied(
        call(officer.keys().create_key(creation(&key("officers"), "security", Algorithm::EcP256))).await,
        "named",
    );
}

#[tokio::test]
async fn nodes_make_keys_for_themselves_only() {
    let (peer, ca) = (client("org1-peer0").await, client("org1-ca").await);
    assert_eq!(call(peer.keys().create_key(own(ORG1, "enrolled", Purpose::Sign))).await.unwrap().versions.len(), 1);
    for (owner, id) in [("orderer0", "for-orderer"), ("ca", "for-ca"), ("peer1", "for-peer1"), ("Peer0", "for-case")] {
        is_denied(call(peer.keys().create_key(creation(&key(id), owner, Algorithm::EcP256))).await, owner);
    }
    is_denied(
        call(ca.keys().create_key(creation(&key("by-ca"), "peer0", Algorithm::EcP256))).await,
        "the CA for others",
    );
    is_denied(call(peer.keys().create_key(own(ORG1, "node-ca", Purpose::Certify))).await, "a node's CERTIFY key");
    let mut foreign = creation(&key("foreign-owner"), "peer0", Algorithm::EcP256);
    foreign.key.as_mut().unwrap().owner = "organizations/org2/principals/peer0".into();
    is_denied(call(peer.keys().create_key(foreign.clone())).await, "a foreign owner");
    is_denied(call(client("org1-security").await.keys().create_key(foreign)).await, "not even by the officer");
}

/// org2 lets nobody enrol: its officer makes the keys, and its nodes use them.
#[tokio::test]
async fn organizations_decide_for_themselves_who_enrols() {
    for name in ["org2-peer0", "org2-orderer0", "org2-ca", "org2-client", "org2-opssc", "org2-auditor"] {
        let client = client(name).await;
        is_denied(call(client.keys().create_key(own(ORG2, "enrolled", Purpose::Sign))).await, name);
    }
    let (peer, name) = (client("org2-peer0").await, "organizations/org2/keys/made-by-officer");
    create(name, "peer0", Algorithm::EcP256).await;
    sign(&peer, signing(name, b"x")).await.unwrap();
    is_denied(call(peer.keys().rotate_key(RotateKeyRequest { name: name.into(), request_id: id() })).await, "rotate");
    // The same name in another organization is another key, of another principal.
    is_denied(sign(&client("org1-peer0").await, signing(name, b"x")).await, "the namesake");
}

#[tokio::test]
async fn a_key_is_its_owners_alone() {
    let name = key("owned");
    create(&name, "peer0", Algorithm::EcP256).await;
    for other in ["org1-orderer0", "org1-ca", "org1-client", "org1-opssc", "platform-operator"] {
        let client = client(other).await;
        is_denied(sign(&client, signing(&name, b"x")).await, other);
        is_denied(call(client.keys().get_key(GetKeyRequest { name: name.clone() })).await, other);
        is_denied(
            call(client.keys().rotate_key(RotateKeyRequest { name: name.clone(), request_id: id() })).await,
            other,
        );
        is_denied(
            call(client.keys().list_keys(ListKeysRequest { parent: ORG1.into(), ..Default::default() })).await,
            other,
        );
    }
    let auditor = client("org1-auditor").await;
    is_denied(sign(&auditor, signing(&name, b"x")).await, "the auditor signs nothing");
    is_denied(
        call(auditor.keys().rotate_key(RotateKeyRequest { name, request_id: id() })).await,
        "nor changes anything",
    );
}

#[tokio::test]
async fn only_the_ca_issues() {
    let name = key("issuer-of-ca");
    let mut request = creation(&name, "ca", Algorithm::EcP256);
    request.key.as_mut().unwrap().purpose = Purpose::Certify.into();
    crate::shared::make(&client("org1-security").await, request).await;
    let ca = client("org1-ca").await;
    let asking = CreateCertificateSigningRequestRequest {
        name: name.clone(),
        subject: "CN=ca".into(),
        request_id: id(),
        ..Default::default()
    };
    let csr = call(ca.certificates().create_certificate_signing_request(asking)).await.unwrap().der;
    let request = || IssueCertificateRequest {
        issuer: name.clone(),
        certificate_signing_request: csr.clone(),
        profile: CertificateProfile::RootCa.into(),
        request_id: id(),
    };
    for other in ["org1-security", "org1-peer0", "org1-auditor", "org1-opssc", "org1-client", "org2-ca"] {
        is_denied(call(client(other).await.certificates().issue_certificate(request())).await, other);
    }
    call(ca.certificates().issue_certificate(request())).await.unwrap();
}
