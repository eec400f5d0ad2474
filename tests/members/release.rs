//! A suspension while something is under way: what is made then is not given out.

use crate::{
    authority::{Authority, Stranger},
    given::{Suspend, named, openssl, register, registration, suspension},
    harness::{Deployment, signal},
    shared::{ORG1, call, creation, id, make, signing},
};
use chancery_api::v1::{Algorithm, BackUpKeysRequest, Custodian, ListRecordsRequest, Protection};
use chancery_audit::record::{Kind, Outcome, Record};
use chancery_client::{Client, ClientError};
use rcgen::KeyPair;
use std::{
    fs,
    time::{Duration, Instant},
};

/// The log's last record of a request.
async fn last_of(auditor: &Client, request_id: &str) -> Option<Record> {
    let mut request = ListRecordsRequest { parent: ORG1.into(), ..ListRecordsRequest::default() };
    let mut last = None;
    loop {
        let page = call(auditor.audit().list_records(request.clone())).await.unwrap();
        last = page.records.into_iter().rfind(|record| record.request_id == request_id).or(last);
        if page.next_page_token.is_empty() {
            return last;
        }
        request.page_token = page.next_page_token;
    }
}

/// The token is made slow, by stopping its process while the request is with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signature_under_way_is_not_released_to_whoever_was_suspended_meanwhile() {
    let deployment = Deployment::start();
    let officer = deployment.client("org1-security").await;
    let auditor = deployment.client("org1-auditor").await;
    let node = deployment.client("org1-peer0").await;
    let name = format!("{ORG1}/keys/slow");
    make(&officer, creation(&name, "peer0", Algorithm::EcP256)).await;
    let request = signing(&name, b"meanwhile");
    call(node.signing().sign(signing(&name, b"before"))).await.unwrap();

    let enclave = deployment.enclave_pid().unwrap();
    signal(enclave, "STOP");
    let stopped = Instant::now();
    let (signer, asked) = (node.clone(), request.clone());
    let answer = tokio::spawn(async move { call(signer.signing().sign(asked)).await });
    // Long enough to be permitted; if it were not, the record below would be a denial's.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let of = Suspend::Principal(format!("{ORG1}/principals/peer0"));
    let suspended = call(officer.admin().suspend_principal(suspension(ORG1, of))).await;
    signal(enclave, "CONT");
    suspended.unwrap();
    assert!(stopped.elapsed() < Duration::from_secs(5), "the enclave would have been given up");

    let error: ClientError = answer.await.unwrap().unwrap_err();
    assert_eq!(error.reason.as_deref(), Some("SUSPENDED"), "{error}");
    let last = last_of(&auditor, &request.request_id).await.unwrap();
    assert_eq!((last.kind(), last.reason.as_str()), (Kind::Outcome, "SUSPENDED"), "it was permitted, and then refused");
    assert_eq!(last.outcome(), Outcome::NotPerformed);
    assert!(last.signature.is_empty(), "the record that it was not given out has none");
}

/// Another officer of the deployment.
async fn second_officer(deployment: &Deployment, first: &Client) -> Client {
    let key = KeyPair::generate().unwrap();
    let pem = Authority::at(deployment, "org1").certify(&named("security2"), &key).pem();
    register(first, registration(ORG1, "security-officer", "security2", &pem)).await.unwrap();
    Stranger::at(deployment, &pem, &key.serialize_pem()).connect().await.unwrap()
}

fn custodian(deployment: &Deployment, name: &str) -> Custodian {
    let pem = fs::read(deployment.client_dir(&format!("org1-{name}")).join("cert.pem")).unwrap();
    let key = openssl(&["x509", "-noout", "-pubkey"], &pem);
    let public_key = openssl(&["pkey", "-pubin", "-outform", "DER"], &key);
    Custodian { principal: format!("{ORG1}/principals/{name}"), public_key }
}

/// Why a backup ended before it was complete.
async fn end_of_backup(officer: Client, request: BackUpKeysRequest) -> ClientError {
    let mut answers = match officer.keys().back_up_keys(request).await {
        Ok(opened) => opened.into_inner(),
        Err(status) => return status.into(),
    };
    loop {
        match answers.message().await {
            Ok(Some(answer)) => assert_eq!(answer.backup, None, "it is complete"),
            Ok(None) => panic!("it ended without a word"),
            Err(status) => return status.into(),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_way_ends_for_whoever_was_suspended_meanwhile() {
    let deployment = Deployment::start();
    let officer = deployment.client("org1-security").await;
    let auditor = deployment.client("org1-auditor").await;
    let second = second_officer(&deployment, &officer).await;
    let mut key = creation(&format!("{ORG1}/keys/leaves"), "peer0", Algorithm::EcP256);
    key.key.as_mut().unwrap().protection = Protection::Enclave.into();
    make(&officer, key).await;
    let request = BackUpKeysRequest {
        parent: ORG1.into(),
        threshold: 2,
        custodians: ["auditor", "ca"].map(|name| custodian(&deployment, name)).to_vec(),
        request_id: id(),
    };

    let enclave = deployment.enclave_pid().unwrap();
    signal(enclave, "STOP");
    let ended = tokio::spawn(end_of_backup(officer.clone(), request.clone()));
    let deadline = Instant::now() + Duration::from_secs(5);
    while last_of(&auditor, &request.request_id).await.is_none_or(|record| record.kind() != Kind::Intent) {
        assert!(Instant::now() < deadline, "the backup was not begun");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let of = Suspend::Principal(format!("{ORG1}/principals/security"));
    let suspended = call(second.admin().suspend_principal(suspension(ORG1, of))).await;
    signal(enclave, "CONT");
    suspended.unwrap();
    let error = ended.await.unwrap();
    assert_eq!(error.reason.as_deref(), Some("SUSPENDED"), "{error}");
    let last = last_of(&auditor, &request.request_id).await.unwrap();
    assert_eq!((last.kind(), last.reason.as_str()), (Kind::Outcome, "SUSPENDED"));
}
