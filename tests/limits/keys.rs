//! How many keys an owner that enrols, and an organization, may have.

use crate::{
    harness::Deployment,
    setting::{let_through, limited, of, set},
    shared::{ORG1, call, creation, id, key},
};
use chancery_api::{
    reasons::TOO_MANY_KEYS,
    v1::{
        Algorithm, CreateKeyRequest, DeactivateKeyVersionRequest, GetKeyRequest, KeyState, Limit, Protection,
        ScheduleKeyVersionDestructionRequest,
    },
};
use chancery_client::{Client, ClientError};
use futures_util::future::join_all;
use std::time::{Duration, Instant};

fn small(id: &str, owner: &str) -> CreateKeyRequest {
    let mut request = creation(&key(id), owner, Algorithm::EcP256);
    request.key.as_mut().unwrap().protection = Protection::Enclave.into();
    request
}

async fn make(client: &Client, id: &str, owner: &str) -> Result<(), ClientError> {
    call(client.keys().create_key(small(id, owner))).await.map(drop)
}

/// Destroys a key's only version, and waits until that is done.
async fn destroy(deployment: &Deployment, id_of: &str) {
    let officer = deployment.client("org1-security").await;
    let name = format!("{}/versions/1", key(id_of));
    let deactivate = DeactivateKeyVersionRequest { name: name.clone(), request_id: id() };
    call(officer.keys().deactivate_key_version(deactivate)).await.unwrap();
    let destroy = ScheduleKeyVersionDestructionRequest {
        name,
        request_id: id(),
        wait: Some(prost_types::Duration::default()),
        ..Default::default()
    };
    call(officer.keys().schedule_key_version_destruction(destroy)).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let found = call(officer.keys().get_key(GetKeyRequest { name: key(id_of) })).await.unwrap();
        if found.versions.iter().all(|version| version.state() == KeyState::Destroyed) {
            return;
        }
        assert!(Instant::now() < deadline, "{found:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_limited_by_owner_and_organization() {
    let mut deployment = limited("keys_per_owner = 3\nkeys_per_organization = 8");
    let (officer, peer) = (deployment.client("org1-security").await, deployment.client("org1-peer0").await);

    // A node that enrols, all at once.
    let names: Vec<_> = (0..9).map(|n| format!("own{n}")).collect();
    let answers = join_all(names.iter().map(|name| make(&peer, name, "peer0"))).await;
    assert_eq!(let_through(&answers, TOO_MANY_KEYS), 3);
    let made = names.iter().zip(&answers).find(|(_, answer)| answer.is_ok()).unwrap().0;

    // Officers make keys for others: within the organization's limit.
    make(&officer, "given", "peer0").await.unwrap();
    assert_eq!(let_through(&[make(&peer, "fourth", "peer0").await], TOO_MANY_KEYS), 0);

    // An officer's limit for the owner goes before the configuration's, and holds for officers, too.
    let subject = format!("{ORG1}/principals/peer0");
    set(&officer, Limit { keys: Some(5), ..of(&subject) }).await;
    make(&peer, "fifth", "peer0").await.unwrap();
    assert_eq!(let_through(&[make(&peer, "sixth", "peer0").await], TOO_MANY_KEYS), 0);
    assert_eq!(let_through(&[make(&officer, "sixth", "peer0").await], TOO_MANY_KEYS), 0);

    // The organization has five; no officer raises the operator's bound.
    set(&officer, Limit { keys: Some(1_000), ..of(ORG1) }).await;
    let names: Vec<_> = (0..9).map(|n| format!("orderers{n}")).collect();
    let answers = join_all(names.iter().map(|name| make(&officer, name, "orderer0"))).await;
    assert_eq!(let_through(&answers, TOO_MANY_KEYS), 3);

    // A key that is destroyed leaves its place, and counts are as they were after a restart.
    destroy(&deployment, made).await;
    deployment.stop();
    deployment.serve();
    let (officer, peer) = (deployment.client("org1-security").await, deployment.client("org1-peer0").await);
    make(&peer, "after", "peer0").await.unwrap();
    for (client, owner) in [(&peer, "peer0"), (&officer, "orderer0")] {
        let answer = make(client, &format!("last-{owner}"), owner).await;
        assert_eq!(let_through(std::slice::from_ref(&answer), TOO_MANY_KEYS), 0);
        assert!(!answer.unwrap_err().retryable);
    }
    set(&officer, Limit { keys: Some(2), ..of(ORG1) }).await;
    destroy(&deployment, "after").await;
    assert_eq!(let_through(&[make(&officer, "lower", "orderer0").await], TOO_MANY_KEYS), 0, "lower it may be");
}
