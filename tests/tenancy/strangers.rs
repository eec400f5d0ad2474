//! A stranger learns nothing of another organization's keys, not even whether they exist: every method answers the same
//! bytes for one that exists and one that does not, and leaves the same in the log that the stranger's auditor reads.

use crate::shared::{ORG1, ORG2, client, create, creation, id, key, make, records, sha256, signing};
use chancery_api::v1::{
    Algorithm, CertificateProfile, CreateCertificateSigningRequestRequest, GetKeyRequest, GetPublicKeyRequest,
    IssueCertificateRequest, ListKeysRequest, ListRecordsRequest, Purpose, RotateKeyRequest, VerifyRequest,
    sign_request::Input, sign_stream_response::Result as Answer, verify_request,
};
use chancery_audit::record::Record;
use chancery_client::{Client, Code};
use futures_util::{StreamExt, stream};
use prost::Message;
use tonic::{Response, Status};
use tonic_types::StatusExt;

/// What the caller sees of a refusal: code, message and details, whole.
#[derive(Debug, PartialEq, Eq)]
struct Seen(Code, String, Vec<u8>);

fn seen<T>(answer: Result<Response<T>, Status>) -> Seen {
    let status = answer.map(|_| ()).unwrap_err();
    assert_eq!(status.get_details_error_info().unwrap().reason, "DENIED");
    Seen(status.code(), status.message().to_owned(), status.details().to_vec())
}

/// A request that openssl made, for IssueCertificate.
pub(crate) fn foreign_request() -> Vec<u8> {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(rcgen::DnType::CommonName, "peer0");
    parameters.serialize_request(&key).unwrap().der().to_vec()
}

/// Each method on this key, as a client that may not see it.
async fn each_method(client: &Client, name: &str) -> Vec<(&'static str, Seen)> {
    let Input::Digest(digest) = sha256(b"x") else { unreachable!() };
    let verify = VerifyRequest {
        name: name.into(),
        input: Some(verify_request::Input::Digest(digest)),
        signature: vec![0; 70],
        ..VerifyRequest::default()
    };
    let request = CreateCertificateSigningRequestRequest {
        name: name.into(),
        subject: "CN=peer0".into(),
        request_id: id(),
        ..Default::default()
    };
    let issue = IssueCertificateRequest {
        issuer: name.into(),
        certificate_signing_request: foreign_request(),
        profile: CertificateProfile::Peer.into(),
        request_id: id(),
    };
    let mut streamed = client.signing().sign_stream(stream::iter([signing(name, b"x")])).await.unwrap().into_inner();
    let Some(Answer::Error(streamed)) = streamed.next().await.unwrap().unwrap().result else { panic!("not refused") };
    let streamed =
        Status::with_details(Code::from(streamed.code), streamed.message.clone(), streamed.encode_to_vec().into());
    let mut all = vec![
        ("Sign", seen(client.signing().sign(signing(name, b"x")).await)),
        ("SignStream", seen(Err::<Response<()>, _>(streamed))),
        ("Verify", seen(client.signing().verify(verify).await)),
        ("GetPublicKey", seen(client.signing().get_public_key(GetPublicKeyRequest { name: name.into() }).await)),
        ("CSR", seen(client.certificates().create_certificate_signing_request(request).await)),
        ("IssueCertificate", seen(client.certificates().issue_certificate(issue).await)),
    ];
    if !name.contains("/versions/") {
        let rotate = RotateKeyRequest { name: name.into(), request_id: id() };
        all.push(("GetKey", seen(client.keys().get_key(GetKeyRequest { name: name.into() }).await)));
        all.push(("RotateKey", seen(client.keys().rotate_key(rotate).await)));
        let create = client.keys().create_key(creation(name, "peer0", Algorithm::EcP256)).await;
        all.push(("CreateKey", seen(create)));
    }
    all
}

/// org1's keys of both purposes, one with a second version.
async fn targets(suffix: &str) -> (String, String) {
    let (signs, certifies) = (key(&format!("secret-{suffix}")), key(&format!("secret-ca-{suffix}")));
    create(&signs, "peer0", Algorithm::EcP384).await;
    let mut authority = creation(&certifies, "ca", Algorithm::EcP256);
    authority.key.as_mut().unwrap().purpose = Purpose::Certify.into();
    make(&client("org1-security").await, authority).await;
    (signs, certifies)
}

#[tokio::test]
async fn every_method_answers_alike_whether_the_key_exists_or_not() {
    let (signs, certifies) = targets("answers").await;
    let missing = key("missing");
    for name in ["org2-security", "org2-auditor", "org2-ca", "org2-peer0", "org2-orderer0", "platform-operator"] {
        let client = client(name).await;
        let expected = each_method(&client, &missing).await;
        assert_eq!(expected.len(), 9);
        for (method, Seen(code, ..)) in &expected {
            assert_eq!(*code, Code::PermissionDenied, "{method}");
        }
        for existing in [&signs, &certifies] {
            assert_eq!(each_method(&client, existing).await, expected, "{name} on {existing}");
        }
        let of_versions = each_method(&client, &format!("{missing}/versions/1")).await;
        assert_eq!(of_versions, expected[..6], "{name}: versions as keys");
        for version in ["1", "2"] {
            assert_eq!(each_method(&client, &format!("{signs}/versions/{version}")).await, of_versions, "{version}");
        }
    }
}

/// Nor do whole organizations.
#[tokio::test]
async fn lists_answer_alike_whether_the_organization_exists_or_not() {
    for name in ["org2-security", "org2-auditor", "org2-peer0", "platform-operator"] {
        let client = client(name).await;
        let mut answers = Vec::new();
        for parent in [ORG1, "organizations/nowhere"] {
            let keys = ListKeysRequest { parent: parent.into(), ..Default::default() };
            let records = ListRecordsRequest { parent: parent.into(), ..Default::default() };
            answers.push((
                seen(client.keys().list_keys(keys).await),
                seen(client.audit().list_records(records).await),
                seen(
                    client
                        .keys()
                        .create_key(creation(&format!("{parent}/keys/mine"), "peer0", Algorithm::EcP256))
                        .await,
                ),
            ));
        }
        assert_eq!(answers[0], answers[1], "{name}");
    }
}

/// What a record says that is the request's own.
fn without_names(record: Record, name: &str) -> Record {
    let request_hash = if record.request_hash.iter().all(|byte| *byte == 0) { Vec::new() } else { vec![1] };
    Record {
        index: 0,
        time_unix_nanos: 0,
        salt: Vec::new(),
        request_id: String::new(),
        request_hash,
        resource: record.resource.replace(name, "…"),
        ..record
    }
}

/// The stranger's own auditor reads its denials: they too are alike.
#[tokio::test]
async fn the_strangers_own_records_tell_it_no_more() {
    let (signs, certifies) = targets("records").await;
    let missing = key("missing-in-records");
    let (stranger, auditor) = (client("org2-opssc").await, client("org2-auditor").await);
    let mut found = Vec::new();
    for name in [&missing, &signs, &certifies] {
        let request = ListRecordsRequest { parent: ORG2.into(), key: name.clone(), ..Default::default() };
        // The budget of denials that are recorded one by one is 20 a second; these are 7.
        let before = records(&auditor, request.clone()).await.len();
        assert_eq!(before, 0);
        let mut denied = Vec::new();
        while denied.len() < 7 {
            let refused = seen(stranger.signing().sign(signing(name, b"x")).await);
            assert_eq!(refused.0, Code::PermissionDenied);
            seen(stranger.keys().get_key(GetKeyRequest { name: name.clone() }).await);
            denied = records(&auditor, request.clone()).await;
        }
        let mut records: Vec<_> = denied.into_iter().map(|record| without_names(record, name)).collect();
        records.sort_by(|one, other| one.action.cmp(&other.action));
        records.dedup();
        found.push(records);
    }
    assert_eq!(found[0].len(), 2, "one kind of record for Sign, one for GetKey: {:?}", found[0]);
    assert_eq!(found[1], found[0], "a key that exists leaves the record of one that does not");
    assert_eq!(found[2], found[0], "so does a CERTIFY key");
}
