//! A request that is there whenever the enclave crashes may be what crashes it.

use crate::{
    harness::{Deployment, signal},
    load::{create, request, sign},
    log::Log,
};
use chancery_api::{
    reasons,
    v1::{Algorithm, GetKeyRequest},
};
use chancery_client::{Code, Performed};

/// In flight at two crashes, it is not tried again; other requests are served on, and the refusal is in the log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_in_flight_at_two_crashes_is_quarantined() {
    let mut deployment = Deployment::start();
    let key = create(&deployment, "k", Algorithm::EcP256).await;
    let peer = deployment.client("org1-peer0").await;
    let suspect = request(&key);
    for _ in 0..2 {
        let crashing = deployment.enclave_pid().unwrap();
        // So that it can't answer before it is killed.
        signal(crashing, "STOP");
        let waiting = tokio::spawn({
            let (peer, suspect) = (peer.clone(), suspect.clone());
            async move { sign(&peer, suspect).await }
        });
        // What comes after it on the same connection is answered, without the enclave: so it has been taken in.
        for _ in 0..20 {
            peer.keys().get_key(GetKeyRequest { name: key.clone() }).await.unwrap();
        }
        signal(crashing, "KILL");
        let error = waiting.await.unwrap().unwrap_err();
        assert_eq!(error.reason.as_deref(), Some(reasons::TOKEN_UNAVAILABLE), "{error:?}");
        assert!(error.retryable && error.performed == Some(Performed::Unknown), "{error:?}");
        // Served by the next one.
        sign(&peer, request(&key)).await.unwrap();
    }
    let error = sign(&peer, suspect.clone()).await.unwrap_err();
    assert_eq!((error.code, error.reason.as_deref()), (Code::FailedPrecondition, Some(reasons::QUARANTINED)));
    assert!(!error.retryable, "{error:?}");
    sign(&peer, request(&key)).await.unwrap();

    assert_eq!(deployment.stop(), Some(0));
    let log = Log::read(&deployment);
    let outcomes = log.records.iter().filter(|record| record.request_id == suspect.request_id);
    let reasons: Vec<_> = outcomes.map(|record| record.reason.as_str()).collect();
    assert_eq!(reasons, [reasons::TOKEN_UNAVAILABLE, reasons::TOKEN_UNAVAILABLE, reasons::QUARANTINED]);
}
