//! Certificates in a principal's token, and those bound to its keys.

use crate::{
    asked::{list, named, of_key, only, refused},
    shared::{ORG1, call, client, create, id, key},
};
use chancery_api::{
    reasons,
    v1::{
        Algorithm, BindCertificateRequest, CreateCertificateObjectRequest, DeleteCertificateObjectRequest,
        GetKeyRequest, Object, ObjectClass, UpdateCertificateObjectRequest,
    },
};
use chancery_client::Client;
use rcgen::{CertificateParams, KeyPair, PublicKeyData, SignatureAlgorithm};

/// A key that is kept at the service, as far as a certificate needs it.
struct Kept(Vec<u8>);

impl PublicKeyData for Kept {
    fn der_bytes(&self) -> &[u8] {
        // The point ends the SubjectPublicKeyInfo.
        &self.0[self.0.len() - 65..]
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

/// A certificate of a kept key, by an authority of this test's own; expired if so wanted.
fn certificate(public_key: &[u8], expired: bool) -> Vec<u8> {
    let authority = KeyPair::generate().unwrap();
    let issuer = rcgen::Issuer::new(CertificateParams::new(Vec::new()).unwrap(), authority);
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    if expired {
        (params.not_before, params.not_after) = (rcgen::date_time_ymd(2001, 1, 1), rcgen::date_time_ymd(2002, 1, 1));
    }
    params.signed_by(&Kept(public_key.to_vec()), &issuer).unwrap().der().to_vec()
}

/// A certificate of nobody here.
fn foreign() -> Vec<u8> {
    CertificateParams::new(Vec::new()).unwrap().self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

fn creation(certificate: &[u8], label: &[u8]) -> CreateCertificateObjectRequest {
    CreateCertificateObjectRequest {
        parent: ORG1.into(),
        certificate: certificate.to_vec(),
        id: b"certificate".to_vec(),
        label: label.to_vec(),
        request_id: id(),
    }
}

async fn named_like(client: &Client, name: &str) -> Vec<Object> {
    list(client, 0).await.into_iter().filter(|object| object.name == name).collect()
}

#[tokio::test]
async fn a_bound_certificate_is_shown_with_its_keys_attributes() {
    let peer = client("org1-peer0").await;
    let name = key("cert-bound");
    let made = named(&peer, &name, b"cert-bound").await;
    let public_key = made.primary.unwrap().public_key;
    let bound = certificate(&public_key, false);
    let version = format!("{name}/versions/1");
    let request = BindCertificateRequest { name: version.clone(), certificate: bound.clone(), request_id: id() };
    call(peer.certificates().bind_certificate(request)).await.unwrap();
    let objects = of_key(&peer, &name).await;
    let shown = only(&objects, ObjectClass::CertificateObject);
    assert_eq!((shown.name.clone(), &shown.certificate), (format!("{version}/objects/certificate"), &bound));
    assert_eq!((shown.id.as_slice(), shown.label.as_slice()), (b"cert-bound".as_slice(), b"cert-bound".as_slice()));
    assert!(!shown.modifiable);

    // The caller's own stands for it.
    let own = call(peer.objects().create_certificate_object(creation(&bound, b"own"))).await.unwrap();
    let objects = of_key(&peer, &name).await;
    assert_eq!(only(&objects, ObjectClass::CertificateObject), &own);
    assert_eq!((own.version.as_str(), own.label.as_slice()), (version.as_str(), b"own".as_slice()));
}

#[tokio::test]
async fn a_given_certificate_is_bound_to_the_key_that_it_certifies() {
    let peer = client("org1-peer0").await;
    let name = key("cert-given");
    let made = named(&peer, &name, b"cert-given").await;
    let public_key = made.primary.unwrap().public_key;
    let bound = async || {
        let found = call(peer.keys().get_key(GetKeyRequest { name: name.clone() })).await.unwrap();
        found.primary.unwrap().certificate
    };
    // One that has expired is kept, and not bound.
    let expired = certificate(&public_key, true);
    let kept = call(peer.objects().create_certificate_object(creation(&expired, b"old"))).await.unwrap();
    assert_eq!(kept.certificate, expired);
    assert!(bound().await.is_empty());
    let valid = certificate(&public_key, false);
    let request = creation(&valid, b"new");
    let kept = call(peer.objects().create_certificate_object(request.clone())).await.unwrap();
    assert_eq!(bound().await, valid);
    assert_eq!(call(peer.objects().create_certificate_object(request)).await.unwrap(), kept, "a replay");
    // Dropping it does not take it off the key.
    let request = DeleteCertificateObjectRequest { name: kept.name.clone(), request_id: id() };
    call(peer.objects().delete_certificate_object(request)).await.unwrap();
    assert!(named_like(&peer, &kept.name).await.is_empty());
    assert_eq!(bound().await, valid);
}

/// The certificate is kept for whoever brings it; the key of another stays as it is.
#[tokio::test]
async fn a_certificate_of_anothers_key_is_not_bound() {
    let (owner, other) = (client("org1-peer0").await, client("org1-client").await);
    let name = key("cert-anothers");
    let made = create(&name, "peer0", Algorithm::EcP256).await;
    let certificate = certificate(&made.primary.unwrap().public_key, false);
    let kept = call(other.objects().create_certificate_object(creation(&certificate, b"anothers"))).await.unwrap();
    assert_eq!(kept.version, "", "whose key it is of is not told");
    assert_eq!(named_like(&other, &kept.name).await, [kept]);
    let found = call(owner.keys().get_key(GetKeyRequest { name })).await.unwrap();
    assert!(found.primary.unwrap().certificate.is_empty());
}

#[tokio::test]
async fn certificates_are_their_owners_alone() {
    let (owner, other) = (client("org1-peer0").await, client("org1-orderer0").await);
    let der = foreign();
    let kept = call(owner.objects().create_certificate_object(creation(&der, b"mine"))).await.unwrap();
    let again = call(owner.objects().create_certificate_object(creation(&der, b"mine"))).await.unwrap();
    assert_eq!(again.name, kept.name, "the same once more is the same");
    let labelled = call(owner.objects().create_certificate_object(creation(&der, b"other"))).await.unwrap();
    assert_ne!(labelled.name, kept.name);
    assert_eq!(named_like(&owner, &kept.name).await, std::slice::from_ref(&kept));
    assert!(named_like(&other, &kept.name).await.is_empty());
    let update = |name: &str| UpdateCertificateObjectRequest {
        name: name.into(),
        id: Some(b"renamed".to_vec()),
        label: None,
        request_id: id(),
    };
    let delete = |name: &str| DeleteCertificateObjectRequest { name: name.into(), request_id: id() };
    for name in [kept.name.clone(), format!("{ORG1}/principals/peer0/certificates/none")] {
        refused(call(other.objects().update_certificate_object(update(&name))).await, reasons::NOT_FOUND);
        refused(call(other.objects().delete_certificate_object(delete(&name))).await, reasons::NOT_FOUND);
    }
    let updated = call(owner.objects().update_certificate_object(update(&kept.name))).await.unwrap();
    assert_eq!((updated.id.as_slice(), updated.label.as_slice()), (b"renamed".as_slice(), b"mine".as_slice()));
    call(owner.objects().delete_certificate_object(delete(&kept.name))).await.unwrap();
    refused(call(owner.objects().delete_certificate_object(delete(&kept.name))).await, reasons::NOT_FOUND);
}

#[tokio::test]
async fn what_is_no_certificate_or_finds_anothers_key_is_refused() {
    let peer = client("org1-peer0").await;
    for bad in [b"".to_vec(), b"no certificate".to_vec(), [foreign(), vec![0]].concat()] {
        refused(
            call(peer.objects().create_certificate_object(creation(&bad, b"bad"))).await,
            reasons::INVALID_ARGUMENT,
        );
    }
    let victim = create(&key("cert-victim"), "orderer0", Algorithm::EcP256).await;
    let request = CreateCertificateObjectRequest { id: crate::asked::ski(&victim), ..creation(&foreign(), b"bait") };
    refused(call(peer.objects().create_certificate_object(request)).await, reasons::ID_OF_ANOTHER_KEY);
    let long = CreateCertificateObjectRequest { id: vec![1; 256], ..creation(&foreign(), b"long") };
    refused(call(peer.objects().create_certificate_object(long)).await, reasons::INVALID_ARGUMENT);
    let auditor = client("org1-auditor").await;
    refused(call(auditor.objects().create_certificate_object(creation(&foreign(), b"auditor"))).await, reasons::DENIED);
}
