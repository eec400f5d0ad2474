//! Request ids: the same request is done once, whoever repeats it and when.

use crate::shared::{ORG1, call, client, create, creation, id, key, make, records_of, sign, signing};
use chancery_api::v1::{
    Algorithm, CertificateProfile, CreateCertificateSigningRequestRequest, CreateKeyRequest, GetKeyRequest,
    IssueCertificateRequest, Key, Purpose, RotateKeyRequest, SignRequest, SignatureFormat,
};
use chancery_audit::record::{Kind, Outcome};
use chancery_client::{ClientError, Code};
use futures_util::future::join_all;

/// A caller that took an old id for a new request.
pub(crate) fn is_reused(error: &ClientError) {
    assert_eq!((error.code, error.reason.as_deref()), (Code::InvalidArgument, Some("REQUEST_ID_REUSED")), "{error}");
    assert_eq!(error.violations[0].field, "request_id");
    assert!(!error.retryable);
}

#[tokio::test]
async fn a_signature_is_made_once_and_given_again() {
    let name = key("retried");
    create(&name, "peer0", Algorithm::EcP256).await;
    let client = client("org1-peer0").await;
    let request = signing(&name, b"a block");
    let first = sign(&client, request.clone()).await.unwrap();
    assert!(!first.replayed);
    for _ in 0..2 {
        let again = sign(&client, request.clone()).await.unwrap();
        assert!(again.replayed);
        assert_eq!((&again.signature, &again.name), (&first.signature, &first.name));
        assert_eq!((again.record_index, again.signature_crc32c), (first.record_index, first.signature_crc32c));
    }
    // The rotation does not change what was answered.
    call(client.keys().rotate_key(RotateKeyRequest { name: name.clone(), request_id: id() })).await.unwrap();
    let again = sign(&client, request.clone()).await.unwrap();
    assert_eq!((again.signature, again.name), (first.signature.clone(), first.name));

    for other in [
        signing(&name, b"another block"),
        SignRequest { name: format!("{name}/versions/1"), ..request.clone() },
        SignRequest { format: SignatureFormat::Raw.into(), ..request.clone() },
        SignRequest { low_s: Some(false), ..request.clone() },
    ] {
        let request = SignRequest { request_id: request.request_id.clone(), ..other };
        is_reused(&sign(&client, request).await.unwrap_err());
    }

    let records = records_of(&name).await;
    let of_request: Vec<_> = records.iter().filter(|record| record.request_id == request.request_id).collect();
    let outcomes: Vec<_> = of_request.iter().map(|record| record.outcome()).collect();
    assert_eq!(outcomes, [Outcome::Succeeded, Outcome::Replayed, Outcome::Replayed, Outcome::Replayed]);
    assert_eq!(of_request[0].index, first.record_index);
    assert!(of_request.iter().all(|record| record.kind() == Kind::Outcome));
    assert!(of_request[1..].iter().all(|record| record.signature.is_empty() && record.enclave_operation == 0));
}

/// Nobody can learn or block another's answers by guessing ids.
#[tokio::test]
async fn another_principals_id_is_another_request() {
    let (of_peer, of_orderer) = (key("id-of-peer"), key("id-of-orderer"));
    create(&of_peer, "peer0", Algorithm::EcP256).await;
    create(&of_orderer, "orderer0", Algorithm::EcP256).await;
    let (peer, orderer) = (client("org1-peer0").await, client("org1-orderer0").await);
    let request = signing(&of_peer, b"x");
    let first = sign(&peer, request.clone()).await.unwrap();
    let theirs = sign(&orderer, SignRequest { name: of_orderer, ..request.clone() }).await.unwrap();
    assert!(!theirs.replayed);
    let denied = sign(&orderer, request.clone()).await.unwrap_err();
    assert_eq!(denied.reason.as_deref(), Some("DENIED"), "an answer is not given to whoever knows its id");
    let again = sign(&peer, request).await.unwrap();
    assert!(again.replayed && again.signature == first.signature);
}

#[tokio::test]
async fn a_request_under_way_is_waited_for() {
    const CALLERS: usize = 12;
    let name = key("in-flight");
    create(&name, "peer0", Algorithm::EcP256).await;
    let client = client("org1-peer0").await;
    let request = signing(&name, b"at once");
    let answers = join_all((0..CALLERS).map(|_| sign(&client, request.clone()))).await;
    let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    assert!(answers.iter().all(|answer| answer.signature == answers[0].signature));
    let records = records_of(&name).await;
    let signed = records.iter().filter(|record| record.action == "Sign" && record.outcome() == Outcome::Succeeded);
    assert_eq!(signed.count(), 1, "one use of the private key");
}

#[tokio::test]
async fn a_key_is_made_once() {
    let (officer, name) = (client("org1-security").await, key("made-once"));
    let request = creation(&name, "peer0", Algorithm::EcP256);
    let answers = join_all((0..6).map(|_| {
        let (mut keys, request) = (officer.keys(), request.clone());
        async move { call(keys.create_key(request)).await }
    }))
    .await;
    let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
    assert!(answers.iter().all(|key| *key == answers[0]));
    assert_eq!(answers[0].versions.len(), 1);

    let mut other = request.clone();
    other.key.as_mut().unwrap().labels.insert("a".into(), "b".into());
    is_reused(&call(officer.keys().create_key(other)).await.unwrap_err());
    let taken = CreateKeyRequest { request_id: id(), ..request.clone() };
    let error = call(officer.keys().create_key(taken)).await.unwrap_err();
    assert_eq!((error.code, error.reason.as_deref()), (Code::AlreadyExists, Some("ALREADY_EXISTS")));

    let records = records_of(&name).await;
    let made = |kind, outcome| records.iter().filter(|r| r.kind() == kind && r.outcome() == outcome).count();
    assert_eq!(made(Kind::Intent, Outcome::Unspecified), 1);
    assert_eq!(made(Kind::Outcome, Outcome::Succeeded), 1);
}

#[tokio::test]
async fn a_rotation_makes_one_version() {
    let (officer, name) = (client("org1-security").await, key("rotated-once"));
    create(&name, "peer0", Algorithm::EcP256).await;
    let request = RotateKeyRequest { name: name.clone(), request_id: id() };
    let answers = join_all((0..6).map(|_| {
        let (mut keys, request) = (officer.keys(), request.clone());
        async move { call(keys.rotate_key(request)).await }
    }))
    .await;
    let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
    assert!(answers.iter().all(|key| *key == answers[0] && key.versions.len() == 2));
    let other = create(&key("rotated-other"), "peer0", Algorithm::EcP256).await.name;
    is_reused(&call(officer.keys().rotate_key(RotateKeyRequest { name: other, ..request })).await.unwrap_err());
    assert_eq!(call(officer.keys().get_key(GetKeyRequest { name })).await.unwrap(), answers[0]);
}

/// The answer is the first one, also when the key has changed since.
#[tokio::test]
async fn a_change_retried_later_gives_its_first_answer() {
    let (officer, name) = (client("org1-security").await, key("retried-later"));
    let creation = creation(&name, "peer0", Algorithm::EcP256);
    let created = make(&officer, creation.clone()).await;
    let rotation = RotateKeyRequest { name: name.clone(), request_id: id() };
    let rotated = call(officer.keys().rotate_key(rotation.clone())).await.unwrap();
    call(officer.keys().rotate_key(RotateKeyRequest { name, request_id: id() })).await.unwrap();
    assert_eq!(call(officer.keys().create_key(creation)).await.unwrap(), created);
    assert_eq!(call(officer.keys().rotate_key(rotation)).await.unwrap(), rotated);
}

/// The id belongs to the method too.
#[tokio::test]
async fn one_id_may_serve_two_methods() {
    let (name, id) = (key("two-methods"), id());
    let peer = client("org1-peer0").await;
    let key = Key { algorithm: Algorithm::EcP256.into(), ..Key::default() };
    let request = CreateKeyRequest {
        parent: ORG1.into(),
        key_id: "two-methods".into(),
        key: Some(key),
        request_id: id.clone(),
        ..CreateKeyRequest::default()
    };
    make(&peer, request).await;
    let request = RotateKeyRequest { name: name.clone(), request_id: id.clone() };
    assert_eq!(call(peer.keys().rotate_key(request)).await.unwrap().versions.len(), 2);
    let answer = sign(&peer, SignRequest { request_id: id, ..signing(&name, b"x") }).await.unwrap();
    assert!(!answer.replayed);
}

#[tokio::test]
async fn requests_and_certificates_are_made_once() {
    let ca = client("org1-ca").await;
    let name = key("issues-once");
    let mut request = creation(&name, "ca", Algorithm::EcP256);
    request.key.as_mut().unwrap().purpose = Purpose::Certify.into();
    make(&ca, request).await;
    let request = CreateCertificateSigningRequestRequest {
        name: name.clone(),
        subject: "CN=once,O=Org1".into(),
        request_id: id(),
        ..Default::default()
    };
    let made = call(ca.certificates().create_certificate_signing_request(request.clone())).await.unwrap();
    let again = call(ca.certificates().create_certificate_signing_request(request.clone())).await.unwrap();
    assert_eq!(again, made, "ECDSA is random, so equal bytes are the first answer's");
    let other = CreateCertificateSigningRequestRequest { subject: "CN=twice".into(), ..request };
    is_reused(&call(ca.certificates().create_certificate_signing_request(other)).await.unwrap_err());

    let request = IssueCertificateRequest {
        issuer: name.clone(),
        certificate_signing_request: made.der,
        profile: CertificateProfile::RootCa.into(),
        request_id: id(),
    };
    let answers = join_all((0..4).map(|_| {
        let (mut certificates, request) = (ca.certificates(), request.clone());
        async move { call(certificates.issue_certificate(request)).await }
    }))
    .await;
    let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
    assert!(answers.iter().all(|issued| *issued == answers[0]));
    let other = IssueCertificateRequest { profile: CertificateProfile::Peer.into(), ..request };
    is_reused(&call(ca.certificates().issue_certificate(other)).await.unwrap_err());
    let signatures = records_of(&name).await.into_iter().filter(|record| !record.signature.is_empty()).count();
    assert_eq!(signatures, 2, "one for the request, one for the certificate");
}
