//! Keys in the making when a crash comes: afterwards there is a usable key or none, and nothing is left in the token.

use crate::{
    harness::{Deployment, signal},
    load::{PATIENCE, create, create_with, creation, request, sign},
    log::Log,
};
use chancery_api::v1::{Algorithm, CreateKeyRequest, GetKeyRequest, Key};
use chancery_client::{Client, ClientError, Code, Performed};
use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};
use tokio::task::JoinHandle;

/// Objects in the token: SoftHSM keeps each in a file of its own.
pub fn objects(deployment: &Deployment) -> usize {
    fn count(directory: &Path) -> usize {
        let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
        let (directories, files): (Vec<_>, Vec<_>) = entries.partition(|entry| entry.path().is_dir());
        let object = |name: &str| name.ends_with(".object") && name != "token.object";
        let here = files.iter().filter(|file| object(&file.file_name().to_string_lossy())).count();
        here + directories.iter().map(|directory| count(&directory.path())).sum::<usize>()
    }
    count(&deployment.dir().join("tokens"))
}

/// Waits for something that must come.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Asks for a key without waiting for it.
fn make(officer: &Client, request: CreateKeyRequest) -> JoinHandle<Result<Key, ClientError>> {
    let officer = officer.clone();
    tokio::spawn(async move { create_with(&officer, request).await })
}

/// Whether the log's files mention a name. The intent to make a version is on disk before the token is asked for it.
fn is_recorded(deployment: &Deployment, name: &str) -> bool {
    let files = fs::read_dir(deployment.dir().join("audit")).unwrap();
    files.into_iter().any(|file| {
        // A file may be replaced while it is looked at.
        let bytes = fs::read(file.unwrap().path()).unwrap_or_default();
        bytes.windows(name.len()).any(|window| window == name.as_bytes())
    })
}

/// Whether the key exists, as the officer sees it. One that exists signs.
async fn exists(deployment: &Deployment, officer: &Client, id: &str) -> bool {
    let name = format!("organizations/org1/keys/{id}");
    match officer.keys().get_key(GetKeyRequest { name: name.clone() }).await {
        Ok(_) => {
            let peer = deployment.client("org1-peer0").await;
            sign(&peer, request(&name)).await.unwrap_or_else(|error| panic!("{name} exists and is lost: {error}"));
            true
        }
        Err(status) => {
            assert_eq!(status.code(), Code::NotFound, "{status:?}");
            false
        }
    }
}

/// Crashes of the service while several keys are made at once, each at another moment of the making.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_of_the_service_leaves_a_usable_key_or_none() {
    const AT_ONCE: usize = 4;
    let mut deployment = Deployment::start();
    let own = objects(&deployment);
    for round in 0..4 {
        let officer = deployment.client("org1-security").await;
        let ids: Vec<_> = (0..AT_ONCE).map(|at| format!("r{round}-{at}")).collect();
        let before = objects(&deployment);
        let requests: Vec<_> = (ids.iter()).map(|id| make(&officer, creation(id, Algorithm::EcP256))).collect();
        until("no key was begun", || objects(&deployment) > before + 2 * round).await;
        deployment.kill();
        for request in requests {
            let _ = request.await.unwrap();
        }
        deployment.serve();
        let officer = deployment.client("org1-security").await;
        let mut missing = Vec::new();
        for id in &ids {
            if !exists(&deployment, &officer, id).await {
                missing.push(id);
            }
        }
        let kept = own + 2 * (AT_ONCE * (round + 1) - missing.len());
        assert_eq!(objects(&deployment), kept, "missing: {missing:?}: {}", deployment.stderr());
        for id in missing {
            create(&deployment, id, Algorithm::EcP256).await;
            assert!(exists(&deployment, &officer, id).await, "{id} was made and is missing");
        }
    }
    assert_eq!(deployment.stop(), Some(0));
    assert_eq!(Log::read(&deployment).report.open_intents, []);
}

/// The enclave of a service that crashed finishes what it is doing: a pair that it makes after the next service looked
/// for it must not stay.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_enclave_that_outlives_its_service_leaves_nothing() {
    let mut deployment = Deployment::start();
    let own = objects(&deployment);
    for round in 0..2 {
        let id = format!("slow{round}");
        let officer = deployment.client("org1-security").await;
        let making = make(&officer, creation(&id, Algorithm::Rsa4096));
        until("no key was begun", || is_recorded(&deployment, &format!("keys/{id}/versions/1"))).await;
        let orphan = deployment.enclave_pid().unwrap();
        deployment.kill();
        let _ = making.await.unwrap();
        deployment.serve();
        until("the enclave outlives its service", || !Path::new(&format!("/proc/{orphan}")).exists()).await;
        let officer = deployment.client("org1-security").await;
        let here = exists(&deployment, &officer, &id).await;
        assert_eq!(objects(&deployment), own + 2 * (round + usize::from(here)), "{}", deployment.stderr());
        if !here {
            create(&deployment, &id, Algorithm::EcP256).await;
        }
    }
}

/// A crash of the enclave that makes a key: the caller learns that the outcome is unknown, asks again with the same
/// request id, and has its key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_of_the_enclave_leaves_a_usable_key_or_none() {
    let mut deployment = Deployment::start();
    let own = objects(&deployment);
    let officer = deployment.client("org1-security").await;
    for round in 0..3 {
        let id = format!("k{round}");
        let request = creation(&id, Algorithm::EcP256);
        signal(deployment.enclave_pid().unwrap(), "STOP");
        let making = make(&officer, request.clone());
        until("no key was begun", || is_recorded(&deployment, &format!("keys/{id}/versions/1"))).await;
        signal(deployment.enclave_pid().unwrap(), "KILL");
        match making.await.unwrap() {
            // The intent was on disk, and the request on its way to the enclave that serves now.
            Ok(_) => {}
            Err(error) => {
                assert!(error.retryable && error.performed == Some(Performed::Unknown), "{error:?}");
                assert_eq!(objects(&deployment), own + 2 * round, "the key was given up and is there");
                create_with(&officer, request).await.unwrap();
            }
        }
        assert!(exists(&deployment, &officer, &id).await);
        assert_eq!(objects(&deployment), own + 2 * (round + 1));
    }
    assert_eq!(deployment.stop(), Some(0));
    assert_eq!(Log::read(&deployment).report.open_intents, []);
}
