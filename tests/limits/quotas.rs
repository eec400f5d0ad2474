//! Quotas of a day and in all: used to the last unit, by first answers alone.

use crate::{
    setting::{away_from_midnight, let_through, listed, of, set, sign_at_once},
    shared::{ORG1, call, client, create, id, key, sign, signing},
};
use chancery_api::{
    reasons::QUOTA_EXHAUSTED,
    v1::{Algorithm, CreateCertificateSigningRequestRequest, Limit},
};
use chancery_client::Attempt;
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_total_is_used_to_its_last_unit_and_retries_cost_nothing() {
    let (officer, peer, name) = (client("org1-security").await, client("org1-peer0").await, key("seven"));
    create(&name, "peer0", Algorithm::EcP256).await;
    set(&officer, Limit { total: Some(7), ..of(&name) }).await;
    let first = signing(&name, b"first");
    let signed = sign(&peer, first.clone()).await.unwrap();
    for _ in 0..20 {
        assert_eq!(sign(&peer, first.clone()).await.unwrap().signature, signed.signature);
    }
    assert_eq!(listed(&officer, &name).await.used_total, 1);
    assert_eq!(let_through(&sign_at_once(&peer, &name, 30).await, QUOTA_EXHAUSTED), 6);
    let request = CreateCertificateSigningRequestRequest {
        name: name.clone(),
        subject: "CN=peer0".into(),
        request_id: id(),
        ..Default::default()
    };
    let error = call(peer.certificates().create_certificate_signing_request(request)).await.unwrap_err();
    assert_eq!((error.reason.as_deref(), error.retryable), (Some(QUOTA_EXHAUSTED), false), "{error}");
    assert!(sign(&peer, first).await.unwrap().replayed, "an answer that was given is given again");
    let limit = listed(&officer, &name).await;
    assert_eq!((limit.used_today, limit.used_total, limit.total), (7, 7, Some(7)));

    set(&officer, Limit { total: Some(9), ..of(&name) }).await;
    assert_eq!(let_through(&sign_at_once(&peer, &name, 5).await, QUOTA_EXHAUSTED), 2);
}

#[tokio::test]
async fn a_use_counts_against_all_its_quotas_or_none() {
    let (officer, caller) = (client("org1-security").await, client("org1-client").await);
    let (small, large) = (key("two-uses"), key("any-uses"));
    create(&small, "client", Algorithm::EcP256).await;
    create(&large, "client", Algorithm::EcP256).await;
    let principal = format!("{ORG1}/principals/client");
    set(&officer, Limit { total: Some(2), ..of(&small) }).await;
    let before = set(&officer, Limit { total: Some(1_000), ..of(&principal) }).await.used_total;
    set(&officer, Limit { total: Some(before + 10), ..of(&principal) }).await;
    assert_eq!(let_through(&sign_at_once(&caller, &small, 20).await, QUOTA_EXHAUSTED), 2);
    assert_eq!(listed(&officer, &principal).await.used_total, before + 2, "what its key refused cost it nothing");
    assert_eq!(let_through(&sign_at_once(&caller, &large, 20).await, QUOTA_EXHAUSTED), 8);
    set(&officer, of(&principal)).await;
    assert_eq!(let_through(&sign_at_once(&caller, &large, 20).await, QUOTA_EXHAUSTED), 20);
}

#[tokio::test]
async fn a_days_quota_comes_again_at_midnight_and_nobody_waits_for_it_in_vain() {
    away_from_midnight().await;
    let (officer, peer, name) = (client("org1-security").await, client("org1-peer0").await, key("three-a-day"));
    create(&name, "peer0", Algorithm::EcP256).await;
    set(&officer, Limit { per_day: Some(3), ..of(&name) }).await;
    let answers = sign_at_once(&peer, &name, 10).await;
    assert_eq!(let_through(&answers, QUOTA_EXHAUSTED), 3);
    let refused = answers.into_iter().find_map(Result::err).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let midnight = (86_400 - now % 86_400).abs_diff(refused.retry_after.unwrap().as_secs());
    assert!(midnight <= 30, "{:?}, {midnight} s from midnight", refused.retry_after);

    let start = Instant::now();
    let sign = |attempt: Attempt| {
        let (mut signing, request) = (peer.signing(), attempt.request(signing(&name, b"x")));
        async move { signing.sign(request).await }
    };
    let error = peer.retry(sign).await.unwrap_err();
    assert_eq!(error.reason.as_deref(), Some(QUOTA_EXHAUSTED), "{error}");
    assert!(start.elapsed() < Duration::from_secs(5), "midnight is past its deadline: {:?}", start.elapsed());
}
