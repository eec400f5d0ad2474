//! `kill -9` of the service under load.

use crate::{
    harness::Deployment,
    load::{Load, create, request, sign},
    log::Log,
};
use chancery_api::v1::Algorithm;

/// Over several crashes: what was released is in the log, the log verifies, every key signs on, and a client that asks
/// again with the request id of a signature that it has is given the same one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_of_the_service_loses_nothing_that_was_released() {
    let mut deployment = Deployment::start();
    let algorithms = [Algorithm::EcP256, Algorithm::EcP384, Algorithm::Ed25519, Algorithm::Rsa2048];
    let mut keys = Vec::new();
    for (at, algorithm) in algorithms.into_iter().enumerate() {
        keys.push(create(&deployment, &format!("k{at}"), algorithm).await);
    }
    let load = Load::of_four(&deployment, &keys[0]).await;
    let peer = deployment.client("org1-peer0").await;
    for _ in 0..4 {
        load.released(100).await;
        let known = request(&keys[0]);
        let first = sign(&peer, known.clone()).await.unwrap();
        deployment.kill();
        deployment.serve();
        let again = peer.retry(|_| {
            let (mut signing, known) = (peer.signing(), known.clone());
            async move { signing.sign(known).await }
        });
        let again = again.await.unwrap();
        assert!(again.replayed, "the answer was given before the crash");
        assert_eq!((again.signature, again.record_index), (first.signature, first.record_index));
    }
    load.released(50).await;
    let seen = load.stop().await;
    assert!(!seen.failures.is_empty(), "four crashes hit nobody: the load was no load");

    for (key, algorithm) in keys.iter().zip(algorithms) {
        let mut request = request(key);
        if algorithm == Algorithm::Ed25519 {
            request.input = Some(chancery_api::v1::sign_request::Input::Message(b"still here".to_vec()));
        }
        sign(&peer, request).await.unwrap_or_else(|error| panic!("{key} was lost: {error}"));
    }
    assert_eq!(deployment.stop(), Some(0));
    Log::read(&deployment).accounts_for(&seen);
}
