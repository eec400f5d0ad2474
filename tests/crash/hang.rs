//! An enclave that hangs, as one whose library waits for a device that is gone.

use crate::{
    creation::{objects, until},
    harness::{Deployment, signal},
    load::{create, create_with, creation, request, sign},
    log::Log,
};
use chancery_api::{reasons, v1::Algorithm};
use chancery_client::Performed;
use std::fs;

/// A deployment whose token operations may take a second.
fn impatient() -> Deployment {
    let mut deployment = Deployment::start();
    deployment.stop();
    let path = deployment.dir().join("chancery.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, text.replace("[token]\n", "[token]\noperation_deadline_seconds = 1\n")).unwrap();
    deployment.serve();
    deployment
}

/// It is noticed, ended and replaced; who waited is told that the outcome is unknown, as it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_enclave_that_hangs_is_replaced() {
    let mut deployment = impatient();
    let key = create(&deployment, "k", Algorithm::EcP256).await;
    let peer = deployment.client("org1-peer0").await;
    let (service, hung) = (deployment.pid(), deployment.enclave_pid().unwrap());
    signal(hung, "STOP");
    let error = sign(&peer, request(&key)).await.unwrap_err();
    assert_eq!(error.reason.as_deref(), Some(reasons::DEADLINE_EXCEEDED), "{error:?}");
    assert!(error.retryable && error.performed == Some(Performed::Unknown), "{error:?}");
    until("the enclave was not replaced", || deployment.enclave_pid().is_some_and(|pid| pid != hung)).await;
    // Waits for the new one to be open.
    sign(&peer, request(&key)).await.unwrap();
    assert_eq!(deployment.pid(), service);
    assert_eq!(deployment.stop(), Some(0));
    Log::read(&deployment);
}

/// A key whose first try met a hang and whose second one succeeded is there for good: the first try's intent, which
/// nobody could settle at the time, must not undo it at the next start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_made_after_a_hang_survives_the_next_start() {
    let mut deployment = impatient();
    let own = objects(&deployment);
    let officer = deployment.client("org1-security").await;
    let hung = deployment.enclave_pid().unwrap();
    signal(hung, "STOP");
    let wanted = creation("k", Algorithm::EcP256);
    let error = create_with(&officer, wanted.clone()).await.unwrap_err();
    assert!(error.retryable && error.performed == Some(Performed::Unknown), "{error:?}");
    until("the enclave was not replaced", || deployment.enclave_pid().is_some_and(|pid| pid != hung)).await;
    let key = create_with(&officer, wanted).await.unwrap().name;
    sign(&deployment.client("org1-peer0").await, request(&key)).await.unwrap();

    assert_eq!(deployment.stop(), Some(0));
    deployment.serve();
    let peer = deployment.client("org1-peer0").await;
    sign(&peer, request(&key)).await.unwrap_or_else(|error| panic!("the key was lost: {error}"));
    assert_eq!(objects(&deployment), own + 2);
    assert_eq!(deployment.stop(), Some(0));
    assert_eq!(Log::read(&deployment).report.open_intents, []);
}
