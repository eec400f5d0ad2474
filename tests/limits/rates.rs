//! Rates that officers set, of a principal, a key and an organization.

use crate::{
    setting::{let_through, of, set, sign_at_once},
    shared::{ORG1, ORG2, client, create, key, signing},
};
use chancery_api::{
    reasons::RATE_EXCEEDED,
    v1::{Algorithm, Limit, SignRequest},
};
use chancery_client::Attempt;
use futures_util::future::join_all;
use std::time::{Duration, Instant};

/// More than any of the rates here lets through in the time that a test takes to send them.
const BURST: usize = 200;

#[tokio::test]
async fn a_principals_rate_is_kept_and_the_client_waits_as_it_is_told() {
    let (officer, orderer, name) = (client("org1-security").await, client("org1-orderer0").await, key("slow-orderer"));
    create(&name, "orderer0", Algorithm::EcP256).await;
    let subject = format!("{ORG1}/principals/orderer0");
    set(&officer, Limit { per_second: Some(5), ..of(&subject) }).await;
    let start = Instant::now();
    let answers = sign_at_once(&orderer, &name, BURST).await;
    let most = 5 + 5 * usize::try_from(start.elapsed().as_secs() + 1).unwrap();
    let through = let_through(&answers, RATE_EXCEEDED);
    assert!((5..=most.min(BURST - 1)).contains(&through), "{through} in {:?}", start.elapsed());
    let refused = answers.into_iter().find_map(Result::err).unwrap();
    assert!(refused.retry_after.unwrap() <= Duration::from_secs(1), "{:?}", refused.retry_after);
    assert!(refused.message.contains(&subject), "{refused}");

    // The client repeats them until all are signed.
    let patient = async |request: SignRequest| {
        let sign = |attempt: Attempt| {
            let (mut signing, request) = (orderer.signing(), attempt.request(request.clone()));
            async move { signing.sign(request).await }
        };
        orderer.retry(sign).await
    };
    for answer in join_all((0..10).map(|_| patient(signing(&name, b"x")))).await {
        answer.unwrap();
    }
    set(&officer, of(&subject)).await;
    assert_eq!(let_through(&sign_at_once(&orderer, &name, 50).await, RATE_EXCEEDED), 50, "it is not limited any more");
}

#[tokio::test]
async fn a_keys_rate_is_its_own() {
    let (officer, peer) = (client("org1-security").await, client("org1-peer0").await);
    let (slow, fast) = (key("slow-key"), key("fast-key"));
    create(&slow, "peer0", Algorithm::EcP256).await;
    create(&fast, "peer0", Algorithm::EcP256).await;
    set(&officer, Limit { per_second: Some(3), ..of(&slow) }).await;
    let through = let_through(&sign_at_once(&peer, &slow, BURST).await, RATE_EXCEEDED);
    assert!((3..BURST).contains(&through), "{through}");
    assert_eq!(let_through(&sign_at_once(&peer, &fast, 50).await, RATE_EXCEEDED), 50);
}

#[tokio::test]
async fn an_organizations_rate_is_shared_by_its_members_alone() {
    let officer = client("org2-security").await;
    let name = |owner: &str| format!("{ORG2}/keys/of-{owner}");
    for owner in ["peer0", "orderer0"] {
        create(&name(owner), owner, Algorithm::EcP256).await;
    }
    let own = key("beside-org2");
    create(&own, "peer0", Algorithm::EcP256).await;
    set(&officer, Limit { per_second: Some(4), ..of(ORG2) }).await;
    let (peer, orderer, other) =
        (client("org2-peer0").await, client("org2-orderer0").await, client("org1-peer0").await);
    let (names, start) = ([name("peer0"), name("orderer0")], Instant::now());
    let (first, second, third) = tokio::join!(
        sign_at_once(&peer, &names[0], BURST),
        sign_at_once(&orderer, &names[1], BURST),
        sign_at_once(&other, &own, 50),
    );
    let most = 4 + 4 * usize::try_from(start.elapsed().as_secs() + 1).unwrap();
    let through = let_through(&first, RATE_EXCEEDED) + let_through(&second, RATE_EXCEEDED);
    assert!((4..=most.min(2 * BURST - 1)).contains(&through), "{through} in {:?}", start.elapsed());
    assert_eq!(let_through(&third, RATE_EXCEEDED), 50, "another organization's");
    // Officers are not locked out by a limit on uses of keys.
    set(&officer, of(ORG2)).await;
}
