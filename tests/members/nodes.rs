//! Nodes by certificate: what keys they come with stands in the log before anything is done for them.

use crate::{
    authority::{Authority, peer},
    given::{Bearer, is_let_in, of_members, principal, principals},
    shared::{ORG1, client, deployment, records},
};
use chancery_audit::record::{Kind, Record};
use futures_util::future::join_all;

/// The records of a node being seen, oldest first.
async fn sightings(name: &str) -> Vec<Record> {
    let mut all = records(&client("org1-auditor").await, of_members(ORG1)).await;
    all.retain(|record| record.action == "SeeNode" && record.resource == format!("{ORG1}/nodes/{name}"));
    all.sort_by_key(|record| record.index);
    all
}

#[tokio::test]
async fn a_second_key_under_a_known_name_is_recorded_and_let_in() {
    let ca = Authority::of("org1");
    let (first, second) = (Bearer::new(&ca, &peer("peer-twice")), Bearer::new(&ca, &peer("peer-twice")));
    let (one, other) = (first.connect().await, second.connect().await);
    is_let_in(&one).await.unwrap();
    is_let_in(&other).await.unwrap();
    // Known by now: nothing more is written, for either, on new connections, or with another certificate of the key.
    for bearer in [&first, &second, &first.again(&ca, &peer("peer-twice"))] {
        is_let_in(&bearer.connect().await).await.unwrap();
    }
    is_let_in(&one).await.unwrap();
    let seen = sightings("peer-twice").await;
    let of = |record: &Record| (record.kind(), record.reason.clone(), record.principal.clone().unwrap());
    let [(first_kind, first_reason, first_node), (kind, reason, node)] = [of(&seen[0]), of(&seen[1])];
    assert_eq!((seen.len(), first_kind, kind), (2, Kind::StateChange, Kind::StateChange));
    assert_eq!((first_reason.as_str(), reason.as_str()), ("", "NEW_KEY"), "the record says which is new");
    assert_eq!(
        (first_node.name.as_str(), node.name.as_str(), node.role.as_str()),
        ("peer-twice", "peer-twice", "peer")
    );
    assert_eq!(node.certificate_fingerprint, second.fingerprint(), "whoever came with it");
    // And the operator is told.
    let alerts = deployment().stderr();
    let key = hex(&second.public_key());
    assert!(alerts.lines().any(|line| line.contains("WARN") && line.contains(&key)), "no alert names {key}");

    let listed = principals(ORG1, 3).await;
    assert!(listed.is_sorted_by(|one, next| one.name < next.name), "pages follow one another");
    let node = listed.iter().find(|one| one.name == principal(ORG1, "peer-twice")).unwrap();
    let keys: Vec<_> = node.keys.iter().map(|key| key.public_key_sha256.clone()).collect();
    assert_eq!((keys, node.role.as_str()), (vec![first.public_key(), second.public_key()], ""));
    assert!(node.keys.iter().all(|key| !key.pending && key.first_seen.is_some()));
    let officer = listed.iter().find(|one| one.name == principal(ORG1, "security")).unwrap();
    assert_eq!((officer.role.as_str(), officer.keys.len()), ("security-officer", 1));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A node that opens many calls at a time comes once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn first_requests_at_a_time_make_one_record() {
    let node = Bearer::new(&Authority::of("org1"), &peer("peer-hasty"));
    let clients = join_all((0..8).map(|_| node.connect())).await;
    let calls = (0..64).map(|call| is_let_in(&clients[call % clients.len()]));
    assert!(join_all(calls).await.iter().all(Result::is_ok));
    assert_eq!(sightings("peer-hasty").await.len(), 1);
}
