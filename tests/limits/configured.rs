//! Limits that the operator configures: requests of a connection, and an organization's share of the log.

use crate::{
    setting::{away_from_midnight, create, let_through, limited, of, set, sign_at_once},
    shared::{ORG1, call, key},
};
use chancery_api::{
    reasons::{LOG_SHARE_EXHAUSTED, RATE_EXCEEDED},
    v1::{GetKeyRequest, Limit},
};
use futures_util::future::join_all;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_counts_and_every_connection_has_its_own() {
    let deployment = limited("requests_per_second_per_connection = 40\nrequests_per_second_per_principal = 60");
    let name = key("k");
    create(&deployment, &name, "peer0").await;
    let (one, two) = (deployment.client("org1-peer0").await, deployment.client("org1-peer0").await);
    let read = async |client: &chancery_client::Client| {
        let get = |_| async { call(client.keys().get_key(GetKeyRequest { name: name.clone() })).await.map(drop) };
        let_through(&join_all((0..400).map(get)).await, RATE_EXCEEDED)
    };
    let first = read(&one).await;
    assert!((40..400).contains(&first), "{first} of 400 reads of one connection");
    // The principal has more than that: its other connection is served, too, but not as much again.
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let start = std::time::Instant::now();
    let (first, second) = tokio::join!(read(&one), read(&two));
    let most = 60 + 60 * usize::try_from(start.elapsed().as_secs() + 1).unwrap();
    assert!(second > 0 && first + second <= most, "{first} and {second} in {:?}", start.elapsed());
    // No officer raises it.
    let officer = deployment.client("org1-security").await;
    let peer = format!("{ORG1}/principals/peer0");
    set(&officer, Limit { per_second: Some(1_000_000), ..of(&peer) }).await;
    let still = let_through(&sign_at_once(&one, &name, 400).await, RATE_EXCEEDED);
    assert!(still < 400, "{still}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_organizations_share_of_the_log_is_for_the_day() {
    away_from_midnight().await;
    let mut deployment = limited("log_bytes_per_day = 1048576");
    let (name, other) = (key("k"), "organizations/org2/keys/k");
    create(&deployment, &name, "peer0").await;
    create(&deployment, other, "peer0").await;
    let peer = deployment.client("org1-peer0").await;
    let mut signed = 0;
    loop {
        let through = let_through(&sign_at_once(&peer, &name, 100).await, LOG_SHARE_EXHAUSTED);
        signed += through;
        if through < 100 {
            break;
        }
        assert!(signed < 10_000, "a record has over a hundred bytes");
    }
    assert!(signed > 500, "{signed} signatures");
    // Not after a restart either; what is not recorded goes on, and so does the other organization.
    assert_eq!(deployment.stop(), Some(0));
    deployment.serve();
    let peer = deployment.client("org1-peer0").await;
    let answers = sign_at_once(&peer, &name, 1).await;
    assert_eq!(let_through(&answers, LOG_SHARE_EXHAUSTED), 0);
    assert!(answers[0].as_ref().unwrap_err().retry_after.is_some());
    call(peer.keys().get_key(GetKeyRequest { name })).await.unwrap();
    assert!(sign_at_once(&deployment.client("org2-peer0").await, other, 10).await.iter().all(Result::is_ok));
}
