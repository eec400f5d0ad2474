//! A disk that fails under the whole service, by the I/O shim: key operations are refused in time, health and
//! `chancery status` say why, and the service goes on when the disk does. What each operation of the log's writer does on
//! such a disk: tests/crash_matrix.

use crate::{
    harness::{Deployment, chanceryd, signal},
    load::{Load, PATIENCE, create, create_with, creation, request, sign},
    log::Log,
    running::{refused, until_health},
    shim::{Action, EIO, ENOSPC, EROFS, Rule, Shim},
};
use chancery_api::{reasons, v1::Algorithm};
use chancery_client::{Health, Performed};
use std::{
    path::Path,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A deployment on a disk that does what it is told.
struct Frail {
    deployment: Deployment,
    shim: Shim,
    _rules: TempDir,
}

impl Frail {
    fn start() -> Self {
        let rules = TempDir::new().unwrap();
        let shim = Shim::new(rules.path());
        // The deployment's own directory is not known yet. Rules name its files.
        let environment = shim.environment(&chanceryd(), &[std::env::temp_dir()]);
        let environment = environment.iter().map(|(name, value)| format!("{name}={}", value.to_string_lossy()));
        let wrapper: Vec<_> = ["env".to_owned()].into_iter().chain(environment).collect();
        let wrapper: Vec<_> = wrapper.iter().map(String::as_str).collect();
        Self { deployment: Deployment::start_under(&wrapper), shim, _rules: rules }
    }

    /// What `chancery status` prints for the platform's operator.
    fn status(&self) -> String {
        let output = self.deployment.chancery("platform-operator", &["status", "--token"]);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// Full, failing, read-only: refused while it is so, with the reason for the operator, and well afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fails_is_refused_told_of_and_healed() {
    let mut frail = Frail::start();
    let key = create(&frail.deployment, "k", Algorithm::EcP256).await;
    let peer = frail.deployment.client("org1-peer0").await;
    let officer = frail.deployment.client("org1-security").await;
    let load = Load::of_four(&frail.deployment, &key).await;
    let faults = [
        (Rule::each("write", ".seg", Action::Error(ENOSPC)), "No space left"),
        (Rule::each("sync", ".seg", Action::Error(EIO)), "Input/output error"),
        (Rule::each("any", "/audit/", Action::Error(EROFS)), "Read-only file system"),
    ];
    for (fault, why) in faults {
        load.released(20).await;
        frail.shim.set(&[fault]);
        until_health(&peer, Health::NotServing).await;
        refused(&peer, &key).await;
        let error = create_with(&officer, creation("new", Algorithm::EcP256)).await.unwrap_err();
        assert_eq!(error.reason.as_deref(), Some(reasons::AUDIT_UNAVAILABLE), "{error:?}");
        let status = tokio::task::block_in_place(|| frail.status());
        assert!(status.contains("the audit log is down") && status.contains(why), "{why:?} is missing in: {status}");
        assert!(frail.deployment.stderr().contains(why), "{why:?} is missing in the service's log");
        frail.shim.set(&[]);
        until_health(&peer, Health::Serving).await;
        sign(&peer, request(&key)).await.unwrap();
    }
    load.released(20).await;
    let seen = load.stop().await;
    assert!(!seen.failures.is_empty());
    assert_eq!(frail.deployment.stop(), Some(0));
    Log::read(&frail.deployment).accounts_for(&seen);
}

/// A disk that is slow makes signatures slow, and nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_disk_is_waited_for() {
    let mut frail = Frail::start();
    let key = create(&frail.deployment, "k", Algorithm::EcP256).await;
    let load = Load::of_four(&frail.deployment, &key).await;
    frail.shim.set(&[Rule::each("sync", "*", Action::Delay(200))]);
    load.released(30).await;
    frail.shim.set(&[]);
    let seen = load.stop().await;
    assert!(seen.failures.is_empty(), "{:?}", seen.failures.first().map(|failure| &failure.error));
    assert_eq!(frail.deployment.stop(), Some(0));
    Log::read(&frail.deployment).accounts_for(&seen);
}

/// Nobody waits longer than the deadline for a disk that hangs, whether the call uses a key or changes one; when the disk
/// goes on, so does the service.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_hangs_is_refused_in_time() {
    let mut frail = Frail::start();
    let key = create(&frail.deployment, "k", Algorithm::EcP256).await;
    let peer = frail.deployment.client("org1-peer0").await;
    let officer = frail.deployment.client("org1-security").await;
    sign(&peer, request(&key)).await.unwrap();
    frail.shim.set(&[Rule::each("sync", ".seg", Action::Hang)]);
    let start = Instant::now();
    let wanted = creation("new", Algorithm::EcP256);
    let (signed, created) = tokio::join!(sign(&peer, request(&key)), create_with(&officer, wanted.clone()));
    for error in [signed.unwrap_err(), created.unwrap_err()] {
        assert_eq!(error.reason.as_deref(), Some(reasons::AUDIT_UNAVAILABLE), "{error:?}");
        assert!(error.retryable && error.performed == Some(Performed::Unknown), "{error:?}");
    }
    assert!(start.elapsed() < PATIENCE);
    until_health(&peer, Health::NotServing).await;
    let status = tokio::task::block_in_place(|| frail.status());
    assert!(status.contains("the audit log is down"), "{status}");
    frail.shim.set(&[]);
    until_health(&peer, Health::Serving).await;
    sign(&peer, request(&key)).await.unwrap();
    let made = officer.retry(|attempt| {
        let (mut keys, wanted) = (officer.keys(), attempt.request(wanted.clone()));
        async move { keys.create_key(wanted).await }
    });
    sign(&peer, request(&made.await.unwrap().name)).await.unwrap();
    assert_eq!(frail.deployment.stop(), Some(0));
    Log::read(&frail.deployment);
}

/// A change whose outcome hangs in the disk is answered too, and what was answered as unknown comes to be known.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_hangs_is_answered_and_found_out_later() {
    let mut frail = Frail::start();
    let officer = frail.deployment.client("org1-security").await;
    let peer = frail.deployment.client("org1-peer0").await;
    // The first sync is the intent's, the second the outcome's.
    frail.shim.set(&[Rule { first: 2, ..Rule::each("sync", ".seg", Action::Hang) }]);
    let wanted = creation("k", Algorithm::EcP256);
    let error = create_with(&officer, wanted.clone()).await.unwrap_err();
    assert_eq!(error.reason.as_deref(), Some(reasons::AUDIT_UNAVAILABLE), "{error:?}");
    assert_eq!(error.performed, Some(Performed::Unknown));
    frail.shim.set(&[]);
    until_health(&peer, Health::Serving).await;
    let key = create_with(&officer, wanted).await.unwrap();
    sign(&peer, request(&key.name)).await.unwrap();
    assert_eq!(frail.deployment.stop(), Some(0));
    let log = Log::read(&frail.deployment);
    let made = log.records.iter().filter(|record| record.action == "CreateKey" && record.intent > 0);
    assert_eq!((made.count(), log.report.open_intents.len()), (1, 0), "the key was made twice, or never");
}

/// A disk that hangs for ever does not keep the service from ending; what it released is there at the next start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_hangs_for_ever_lets_the_service_end() {
    let mut frail = Frail::start();
    let key = create(&frail.deployment, "k", Algorithm::EcP256).await;
    let load = Load::of_four(&frail.deployment, &key).await;
    load.released(20).await;
    frail.shim.set(&[Rule::each("any", "*", Action::Hang)]);
    let peer = frail.deployment.client("org1-peer0").await;
    until_health(&peer, Health::NotServing).await;
    let pid = frail.deployment.pid();
    signal(pid, "TERM");
    let gone = || {
        // Its parent has not waited for it: it stays as a zombie.
        let state = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).unwrap_or_default();
        state.is_empty() || state.contains(") Z ")
    };
    let start = Instant::now();
    while !gone() {
        assert!(start.elapsed() < 3 * PATIENCE, "the service waits for the disk: {}", frail.deployment.stderr());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let seen = load.stop().await;
    frail.deployment.kill();
    frail.shim.set(&[]);
    frail.deployment.serve();
    assert_eq!(frail.deployment.stop(), Some(0));
    Log::read(&frail.deployment).accounts_for(&seen);
}
