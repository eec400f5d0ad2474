//! `kill -9` of the enclave under load.

use crate::{
    harness::{Deployment, signal},
    load::{Load, create, request, sign},
    log::Log,
};
use chancery_api::{reasons, v1::Algorithm};
use std::time::{Duration, Instant};

/// Signing resumes by itself and at once, in the same service; whoever was in flight is told the truth, and may try
/// again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signing_resumes_by_itself_after_a_crash_of_the_enclave() {
    let mut deployment = Deployment::start();
    let key = create(&deployment, "k", Algorithm::EcP256).await;
    let load = Load::of_four(&deployment, &key).await;
    let peer = deployment.client("org1-peer0").await;
    let service = deployment.pid();
    for _ in 0..4 {
        load.released(100).await;
        let crashed = deployment.enclave_pid().unwrap();
        signal(crashed, "KILL");
        let start = Instant::now();
        // Signed by the next enclave: the one before is gone.
        while sign(&peer, request(&key)).await.is_err() || deployment.enclave_pid() == Some(crashed) {
            assert!(start.elapsed() < Duration::from_secs(10), "{}", deployment.stderr());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // A second is what it should take, on a machine that has nothing else to do.
        assert!(start.elapsed() < Duration::from_secs(5), "signing resumed after {:?}", start.elapsed());
    }
    load.released(50).await;
    let seen = load.stop().await;
    assert_eq!(deployment.pid(), service);
    assert!(!seen.failures.is_empty(), "four crashes hit nobody: the load was no load");
    for failure in &seen.failures {
        assert_eq!(failure.error.reason.as_deref(), Some(reasons::TOKEN_UNAVAILABLE), "{:?}", failure.error);
        assert!(failure.error.performed.is_some(), "{:?}", failure.error);
    }
    assert_eq!(deployment.stop(), Some(0));
    let log = Log::read(&deployment);
    log.accounts_for(&seen);
    assert_eq!(log.report.enclaves.len(), 5, "one enclave, and one after each crash");
}

/// A crash while the next enclave starts is noticed as soon as any other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_enclave_that_crashes_while_it_starts_is_replaced_at_once() {
    let deployment = Deployment::start();
    let key = create(&deployment, "k", Algorithm::EcP256).await;
    let peer = deployment.client("org1-peer0").await;
    let first = deployment.enclave_pid().unwrap();
    let start = Instant::now();
    signal(first, "KILL");
    let second = loop {
        match deployment.enclave_pid() {
            // Stopped at once, it is still starting when it is killed.
            Some(pid) if pid != first => break pid,
            _ => assert!(start.elapsed() < Duration::from_secs(10), "{}", deployment.stderr()),
        }
    };
    signal(second, "STOP");
    signal(second, "KILL");
    while let Err(error) = sign(&peer, request(&key)).await {
        assert!(error.retryable, "{error:?}");
        assert!(start.elapsed() < Duration::from_secs(8), "it took the deadline of opening to notice: {error:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(start.elapsed() < Duration::from_secs(8), "signing resumed after {:?}", start.elapsed());
}
