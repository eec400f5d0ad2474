//! Each test is a defect that once was: it failed before its fix.

#[path = "../harness/mod.rs"]
mod harness;

use chancery_api::v1::{
    self, CreateKeyRequest, Digest, Hash, Key, ListRecordsRequest, RotateKeyRequest, SignRequest, sign_request,
};
use chancery_audit::record::Kind;
use chancery_client::request_id;
use harness::{Deployment, expect_code, signal};
use std::time::{Duration, Instant};

fn new_key(organization: &str, id: &str, owner: &str, algorithm: v1::Algorithm) -> CreateKeyRequest {
    CreateKeyRequest {
        parent: format!("organizations/{organization}"),
        key_id: id.into(),
        key: Some(Key {
            owner: format!("organizations/{organization}/principals/{owner}"),
            algorithm: algorithm.into(),
            ..Key::default()
        }),
        request_id: request_id(),
        ..CreateKeyRequest::default()
    }
}

fn sign_digest(name: &str, digest: [u8; 32]) -> SignRequest {
    SignRequest {
        name: name.into(),
        input: Some(sign_request::Input::Digest(Digest { hash: Hash::Sha256.into(), value: digest.to_vec() })),
        request_id: request_id(),
        ..SignRequest::default()
    }
}

/// Retries that overlap: the second found the first's id reserved "by nobody", freed it, and made a version of its own.
#[tokio::test(flavor = "multi_thread")]
async fn overlapping_retries_of_a_rotation_make_one_version() {
    let deployment = Deployment::start();
    let officer = deployment.client("org1-security").await;
    officer.keys().create_key(new_key("org1", "k", "peer0", v1::Algorithm::EcP256)).await.unwrap();
    for round in 1..=5 {
        let request = RotateKeyRequest { name: "organizations/org1/keys/k".into(), request_id: request_id() };
        let calls = (0..6).map(|_| {
            let (mut keys, request) = (officer.keys(), request.clone());
            tokio::spawn(async move { keys.rotate_key(request).await.unwrap().into_inner() })
        });
        let mut answers = Vec::new();
        for call in calls.collect::<Vec<_>>() {
            answers.push(call.await.unwrap());
        }
        assert!(answers.iter().all(|key| key.versions.len() == round + 1), "round {round}: {answers:?}");
    }
}

/// A message that fitted the API and not the enclave's frame was dropped, and the watchdog ended a healthy enclave.
#[tokio::test(flavor = "multi_thread")]
async fn the_largest_message_reaches_the_enclave() {
    let deployment = Deployment::start();
    let officer = deployment.client("org1-security").await;
    officer.keys().create_key(new_key("org1", "ed", "peer0", v1::Algorithm::Ed25519)).await.unwrap();
    let enclave = deployment.enclave_pid();
    let mut signing = deployment.client("org1-peer0").await.signing();
    let mut request = sign_digest("organizations/org1/keys/ed", [0; 32]);
    request.input = Some(sign_request::Input::Message(vec![7; (1 << 20) - 100]));
    assert_eq!(signing.sign(request).await.unwrap().into_inner().signature.len(), 64);
    assert_eq!(deployment.enclave_pid(), enclave, "the same enclave still serves");
}

/// A caller that hung up between the signature and its record left an operation that no record showed.
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_hangs_up_leaves_no_operation_without_a_record() {
    let mut deployment = Deployment::start();
    let officer = deployment.client("org1-security").await;
    officer.keys().create_key(new_key("org1", "k", "peer0", v1::Algorithm::EcP256)).await.unwrap();
    let signing = deployment.client("org1-peer0").await.signing();
    for n in 0..300u32 {
        let mut digest = [0; 32];
        digest[..4].copy_from_slice(&n.to_be_bytes());
        let (mut signing, request) = (signing.clone(), sign_digest("organizations/org1/keys/k", digest));
        let call = tokio::spawn(async move { signing.sign(request).await });
        tokio::time::sleep(Duration::from_micros(u64::from(n % 40) * 100)).await;
        call.abort();
    }
    assert_eq!(deployment.stop(), Some(0));
    let verified = deployment.verify_log();
    expect_code(&verified, 0);
    let report = String::from_utf8(verified.stdout).unwrap();
    assert!(report.contains(" 0 operations without a record"), "{report}");
}

/// An intent left open by a lost enclave undid, at the next start, the version that a later try had made.
#[tokio::test(flavor = "multi_thread")]
async fn an_open_intent_does_not_undo_what_a_later_try_made() {
    let mut deployment = Deployment::start();
    let officer = deployment.client("org1-security").await;
    let (conf, away) = (deployment.dir().join("softhsm2.conf"), deployment.dir().join("softhsm2.away"));
    // The enclave holds the generation, then is lost, and the token stays away for longer than a call waits.
    let enclave = deployment.enclave_pid().unwrap();
    signal(enclave, "STOP");
    let mut keys = officer.keys();
    let request = new_key("org1", "k", "peer0", v1::Algorithm::EcP256);
    let lost = tokio::spawn(async move { keys.create_key(request).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    std::fs::rename(&conf, &away).unwrap();
    signal(enclave, "KILL");
    lost.await.unwrap().expect_err("the enclave was lost");
    std::fs::rename(&away, &conf).unwrap();

    let deadline = Instant::now() + Duration::from_secs(30);
    while officer.keys().create_key(new_key("org1", "k", "peer0", v1::Algorithm::EcP256)).await.is_err() {
        assert!(Instant::now() < deadline, "{}", deployment.stderr());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    deployment.stop();
    deployment.serve();
    let mut signing = deployment.client("org1-peer0").await.signing();
    signing.sign(sign_digest("organizations/org1/keys/k", [1; 32])).await.expect("the key is whole");
}

/// The denied organization's own records told it the algorithm of a foreign key, and so that the key exists.
#[tokio::test(flavor = "multi_thread")]
async fn records_of_denials_tell_nothing_of_foreign_keys() {
    let deployment = Deployment::start();
    let officer = deployment.client("org1-security").await;
    officer.keys().create_key(new_key("org1", "there", "peer0", v1::Algorithm::EcP256)).await.unwrap();
    let mut stranger = deployment.client("org2-peer0").await.signing();
    for key in ["there", "nowhere"] {
        stranger.sign(sign_digest(&format!("organizations/org1/keys/{key}"), [2; 32])).await.unwrap_err();
    }
    let list = ListRecordsRequest {
        parent: "organizations/org2".into(),
        principal: "org2/peer0".into(),
        ..ListRecordsRequest::default()
    };
    let mut records =
        deployment.client("org2-auditor").await.audit().list_records(list).await.unwrap().into_inner().records;
    // That it was seen for the first time is a record, too.
    records.retain(|record| record.kind() == Kind::Denial);
    let [there, nowhere] = records.as_slice() else { panic!("{records:?}") };
    let mut same = nowhere.clone();
    (same.index, same.time_unix_nanos, same.salt) = (there.index, there.time_unix_nanos, there.salt.clone());
    (same.request_id, same.request_hash) = (there.request_id.clone(), there.request_hash.clone());
    same.resource.clone_from(&there.resource);
    assert_eq!(&same, there);
}

/// A subject of a megabyte made the denial's record too long to be written, or filled another organization's log.
#[tokio::test(flavor = "multi_thread")]
async fn a_denial_is_recorded_however_long_the_request() {
    let deployment = Deployment::start();
    let mut stranger = deployment.client("org2-peer0").await.certificates();
    let request = v1::CreateCertificateSigningRequestRequest {
        name: "organizations/org1/keys/ca".into(),
        subject: format!("CN={}", "x".repeat(900_000)),
        request_id: request_id(),
        ..Default::default()
    };
    let refused = stranger.create_certificate_signing_request(request).await.unwrap_err();
    assert_eq!(refused.code() as i32, 3, "INVALID_ARGUMENT: {refused:?}");
}
