//! One deployment for all tests of a suite, and the calls that they make on it.
//!
//! **Invariants**: each test uses keys of its own, so that tests may run at once. The deployment ends with the process,
//! however that ends: statics are not dropped, so a shell waits at a pipe for the process's end and then kills the
//! service.
#![allow(dead_code, unreachable_pub, reason = "each suite uses a part; a test has no public")]

use crate::harness::Deployment;
use chancery_api::reasons;
use chancery_api::v1::{
    Algorithm, CreateKeyRequest, Digest, Hash, Key, ListRecordsRequest, Purpose, SignRequest, SignResponse,
    sign_request::Input,
};
use chancery_audit::record::Record;
use chancery_client::{Client, ClientError};
use std::{
    future::Future,
    process::{Child, Command, Stdio},
    sync::LazyLock,
};
use tonic::{Response, Status};

pub const ORG1: &str = "organizations/org1";
pub const ORG2: &str = "organizations/org2";

struct Shared {
    deployment: Deployment,
    /// Holds the pipe's writing end.
    _reaper: Child,
}

static SHARED: LazyLock<Shared> = LazyLock::new(|| {
    let deployment = Deployment::start();
    let pid = deployment.pid().to_string();
    let directory = deployment.dir();
    let script = r#"read -r _; kill -9 "$1"; while kill -0 "$1" 2>/dev/null; do sleep 0.05; done; rm -rf "$2""#;
    let reaper = Command::new("sh")
        .args(["-c", script, "reaper", &pid])
        .arg(directory.parent().unwrap())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    Shared { deployment, _reaper: reaper }
});

/// The suite's deployment.
pub fn deployment() -> &'static Deployment {
    &SHARED.deployment
}

/// A connection of the test's own: it belongs to the test's runtime.
pub async fn client(name: &str) -> Client {
    deployment().client(name).await
}

/// A fresh request id.
pub fn id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// What a call answered.
pub async fn call<T>(answer: impl Future<Output = Result<Response<T>, Status>>) -> Result<T, ClientError> {
    answer.await.map(Response::into_inner).map_err(ClientError::from)
}

/// org1's key of this id.
pub fn key(id: &str) -> String {
    format!("{ORG1}/keys/{id}")
}

/// To make a SIGN key `name` of `owner`, a principal of the key's organization.
pub fn creation(name: &str, owner: &str, algorithm: Algorithm) -> CreateKeyRequest {
    let (parent, key_id) = name.rsplit_once("/keys/").unwrap();
    let owner = format!("{parent}/principals/{owner}");
    let key = Key { owner, algorithm: algorithm.into(), purpose: Purpose::Sign.into(), ..Key::default() };
    CreateKeyRequest {
        parent: parent.into(),
        key_id: key_id.into(),
        key: Some(key),
        request_id: id(),
        ..CreateKeyRequest::default()
    }
}

/// Makes a key as the organization's security officer.
pub async fn create(name: &str, owner: &str, algorithm: Algorithm) -> Key {
    let organization = name.split('/').nth(1).unwrap();
    let officer = client(&format!("{organization}-security")).await;
    make(&officer, creation(name, owner, algorithm)).await
}

/// Makes a P-256 key as this officer.
pub async fn create_as(officer: &Client, name: &str, owner: &str) -> Key {
    make(officer, creation(name, owner, Algorithm::EcP256)).await
}

/// Makes a key; RSA keys may take a token several attempts' time, so the same request is repeated.
pub async fn make(client: &Client, request: CreateKeyRequest) -> Key {
    let mut last = None;
    for _ in 0..6 {
        match call(client.keys().create_key(request.clone())).await {
            Err(error) if error.retryable => last = Some(error),
            answer => return answer.unwrap(),
        }
    }
    panic!("the key was not made: {last:?}");
}

/// SHA-256 of a message, as a signing input.
pub fn sha256(message: &[u8]) -> Input {
    use sha2::Digest as _;
    Input::Digest(Digest { hash: Hash::Sha256.into(), value: sha2::Sha256::digest(message).to_vec() })
}

/// To sign a message's SHA-256 with a key.
pub fn signing(name: &str, message: &[u8]) -> SignRequest {
    SignRequest { name: name.into(), input: Some(sha256(message)), request_id: id(), ..SignRequest::default() }
}

/// Signs. SoftHSM's library may crash, rarely, while keys are made beside signatures; then the same request is repeated,
/// as the answer asks for.
pub async fn sign(client: &Client, request: SignRequest) -> Result<SignResponse, ClientError> {
    let lost = |error: &ClientError| error.reason.as_deref() == Some(reasons::TOKEN_UNAVAILABLE);
    match call(client.signing().sign(request.clone())).await {
        Err(error) if lost(&error) => call(client.signing().sign(request)).await,
        answer => answer,
    }
}

/// All records that a request selects, page by page.
pub async fn records(auditor: &Client, mut request: ListRecordsRequest) -> Vec<Record> {
    let mut records = Vec::new();
    loop {
        let page = call(auditor.audit().list_records(request.clone())).await.unwrap();
        records.extend(page.records);
        if page.next_page_token.is_empty() {
            return records;
        }
        request.page_token = page.next_page_token;
    }
}

/// All of org1's records of a key and its versions.
pub async fn records_of(key: &str) -> Vec<Record> {
    records_in(&client("org1-auditor").await, ORG1, key).await
}

/// All of an organization's records of a key and its versions, as its auditor reads them.
pub async fn records_in(auditor: &Client, organization: &str, key: &str) -> Vec<Record> {
    let request = ListRecordsRequest { parent: organization.into(), key: key.into(), ..ListRecordsRequest::default() };
    records(auditor, request).await
}

/// A context value of a record.
pub fn context<'r>(record: &'r Record, key: &str) -> Option<&'r str> {
    record.context.iter().find(|value| value.key == key).map(|value| value.value.as_str())
}
