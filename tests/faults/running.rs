//! An audit log that fails under a running service: nothing is released, health says so, and it heals by itself.

use crate::{
    harness::{Deployment, expect_code, signal},
    load::{Load, PATIENCE, create, create_with, creation, request, sign},
    log::Log,
};
use chancery_api::{
    reasons,
    v1::{Algorithm, GetKeyRequest},
};
use chancery_client::{Client, Code, Health, Performed};
use std::{
    fs,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};
use tokio_stream::wrappers::ReceiverStream;

fn segment(deployment: &Deployment) -> PathBuf {
    deployment.dir().join("audit/00000000000000000000.seg")
}

/// Waits until health says so. Nobody else calls meanwhile: a balancer that sees NOT_SERVING sends no requests.
pub async fn until_health(client: &Client, expected: Health) {
    let start = Instant::now();
    while client.health().await.unwrap() != expected {
        assert!(start.elapsed() < PATIENCE, "health never came to be {expected:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A signature is refused for the log's sake, truthfully.
pub async fn refused(peer: &Client, key: &str) {
    let error = sign(peer, request(key)).await.unwrap_err();
    assert_eq!((error.code, error.reason.as_deref()), (Code::Unavailable, Some(reasons::AUDIT_UNAVAILABLE)));
    assert!(error.retryable && error.performed == Some(Performed::Unknown), "{error:?}");
}

/// A segment that is renamed, removed or replaced takes no records that nobody will find; once it is back, the service
/// heals without being asked to sign.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_segment_that_goes_stops_signing_until_it_is_back() {
    let mut deployment = Deployment::start();
    let key = create(&deployment, "k", Algorithm::EcP256).await;
    let peer = deployment.client("org1-peer0").await;
    let officer = deployment.client("org1-security").await;
    let (path, away) = (segment(&deployment), deployment.dir().join("away"));
    let load = Load::of_four(&deployment, &key).await;

    for put_away in ["rename", "remove", "directory"] {
        load.released(20).await;
        match put_away {
            "rename" => fs::rename(&path, &away).unwrap(),
            "directory" => fs::rename(path.parent().unwrap(), &away).unwrap(),
            // The service may write to the file that is removed until it looks: what it wrote must not be lost.
            _ => {
                fs::hard_link(&path, &away).unwrap();
                fs::remove_file(&path).unwrap();
            }
        }
        until_health(&peer, Health::NotServing).await;
        refused(&peer, &key).await;
        let error = create_with(&officer, creation("new", Algorithm::EcP256)).await.unwrap_err();
        assert_eq!(error.reason.as_deref(), Some(reasons::AUDIT_UNAVAILABLE), "{error:?}");
        match put_away {
            "directory" => fs::rename(&away, path.parent().unwrap()).unwrap(),
            _ => fs::rename(&away, &path).unwrap(),
        }
        until_health(&peer, Health::Serving).await;
        sign(&peer, request(&key)).await.unwrap();
    }
    load.released(20).await;
    let seen = load.stop().await;
    assert!(!seen.failures.is_empty());
    assert_eq!(deployment.stop(), Some(0));
    Log::read(&deployment).accounts_for(&seen);
}

/// Without any traffic: whoever stopped calling because of health must see it heal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_comes_back_although_nobody_asks_for_a_signature() {
    let deployment = Deployment::start();
    let key = create(&deployment, "k", Algorithm::EcP256).await;
    let peer = deployment.client("org1-peer0").await;
    let (path, away) = (segment(&deployment), deployment.dir().join("away"));
    fs::rename(&path, &away).unwrap();
    refused(&peer, &key).await;
    until_health(&peer, Health::NotServing).await;
    fs::rename(&away, &path).unwrap();
    until_health(&peer, Health::Serving).await;
    sign(&peer, request(&key)).await.unwrap();
}

/// A key whose record could not be written is there when it is asked for again, and is one key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_could_not_be_recorded_can_be_made_again() {
    let mut deployment = Deployment::start();
    let officer = deployment.client("org1-security").await;
    let peer = deployment.client("org1-peer0").await;
    let (path, away) = (segment(&deployment), deployment.dir().join("away"));
    // RSA, so that the segment can go between the intent and the outcome.
    let wanted = creation("k", Algorithm::Rsa3072);
    let making = tokio::spawn({
        let (officer, wanted) = (officer.clone(), wanted.clone());
        async move { create_with(&officer, wanted).await }
    });
    let start = Instant::now();
    let name = b"organizations/org1/keys/k/versions/1";
    while !fs::read(&path).unwrap().windows(name.len()).any(|window| window == name) {
        assert!(start.elapsed() < PATIENCE, "no key was begun");
    }
    fs::rename(&path, &away).unwrap();
    let first = making.await.unwrap();
    fs::rename(&away, &path).unwrap();
    if let Err(error) = first {
        assert!(error.retryable && error.performed == Some(Performed::Unknown), "{error:?}");
    }
    // Asks until the log has healed.
    let key = officer.retry(|attempt| {
        let (mut keys, wanted) = (officer.keys(), attempt.request(wanted.clone()));
        async move { keys.create_key(wanted).await }
    });
    let key = key.await.unwrap();
    sign_rsa(&peer, &key.name).await;
    assert_eq!(deployment.stop(), Some(0));
    deployment.serve();
    let peer = deployment.client("org1-peer0").await;
    sign_rsa(&peer, &key.name).await;
    expect_code(&deployment.verify_log(), 0);
}

async fn sign_rsa(peer: &Client, key: &str) {
    let request = chancery_api::v1::SignRequest { format: 0, ..request(key) };
    sign(peer, request).await.unwrap_or_else(|error| panic!("{key} was lost: {error}"));
}

/// Opened files stay writable on some file systems; where they don't, it is as with a full disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_immutable_segment_releases_nothing_unrecorded() {
    let mut deployment = Deployment::start();
    let key = create(&deployment, "k", Algorithm::EcP256).await;
    let path = segment(&deployment);
    let chattr =
        |flag: &str| Command::new("chattr").arg(flag).arg(&path).output().is_ok_and(|run| run.status.success());
    if !chattr("+i") {
        eprintln!("SKIPPED: chattr +i is not permitted here, or the file system has no such flag");
        return;
    }
    let load = Load::of_four(&deployment, &key).await;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(1) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(chattr("-i"));
    load.released(20).await;
    let seen = load.stop().await;
    assert_eq!(deployment.stop(), Some(0));
    Log::read(&deployment).accounts_for(&seen);
}

/// SIGTERM under load and with a stream that its client holds open.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_drains_and_ends_with_success() {
    let mut deployment = Deployment::start();
    let key = create(&deployment, "k", Algorithm::EcP256).await;
    let idle = deployment.client("org1-peer0").await;
    let (requests, queue) = tokio::sync::mpsc::channel(1);
    let mut answers = idle.signing().sign_stream(ReceiverStream::new(queue)).await.unwrap().into_inner();
    requests.send(request(&key)).await.unwrap();
    answers.message().await.unwrap().unwrap();
    let load = Load::of_four(&deployment, &key).await;
    load.released(50).await;
    // Within 20 seconds, or the harness gives up.
    assert_eq!(tokio::task::block_in_place(|| deployment.stop()), Some(0), "{}", deployment.stderr());
    let seen = load.stop().await;
    drop(requests);
    let log = Log::read(&deployment);
    log.accounts_for(&seen);
    assert_eq!(log.report.past_checkpoint, 0, "the last checkpoint signs everything");
}

/// A log that is being written verifies, again and again, from outside.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_verifies_while_it_is_written() {
    let deployment = Deployment::start();
    let key = create(&deployment, "k", Algorithm::EcP256).await;
    let load = Load::of_four(&deployment, &key).await;
    for _ in 0..8 {
        load.released(20).await;
        expect_code(&tokio::task::block_in_place(|| deployment.verify_log()), 0);
    }
    load.stop().await;
}

/// The enclave away and the log away at once; each alone is not enough to serve.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_go_on_while_nothing_can_be_signed() {
    let deployment = Deployment::start();
    let key = create(&deployment, "k", Algorithm::EcP256).await;
    let peer = deployment.client("org1-peer0").await;
    // Known by now: a node's key that was not seen before must be recorded first, for a read, too.
    sign(&peer, request(&key)).await.unwrap();
    let (path, away) = (segment(&deployment), deployment.dir().join("away"));
    fs::rename(&path, &away).unwrap();
    signal(deployment.enclave_pid().unwrap(), "KILL");
    refused(&peer, &key).await;
    peer.keys().get_key(GetKeyRequest { name: key.clone() }).await.unwrap();
    until_health(&peer, Health::NotServing).await;
    fs::rename(&away, &path).unwrap();
    until_health(&peer, Health::Serving).await;
    sign(&peer, request(&key)).await.unwrap();
}
