//! A build of the service that leaves records out is caught, and what it left out is named.

use crate::{
    harness::{Deployment, chanceryd},
    load::{Load, PATIENCE, create, request, sign},
    recorded::{processes, records_so_far},
};
use chancery_api::v1::Algorithm;
use serde_json::Value;
use std::{
    path::PathBuf,
    process::Command,
    sync::LazyLock,
    time::{Duration, Instant},
};

/// The sabotaged build: of this package alone, beside the real one.
static SABOTAGED: LazyLock<PathBuf> = LazyLock::new(|| {
    let beside = chanceryd().with_file_name("chanceryd-sabotaged");
    let target = beside.parent().and_then(|profile| profile.parent()).unwrap();
    let built = Command::new(env!("CARGO"))
        .args(["build", "--offline", "--package", "chancery", "--features", "sabotage", "--bin", "chanceryd-sabotaged"])
        .arg("--target-dir")
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .unwrap();
    assert!(built.success());
    beside
});

/// A deployment that the sabotaged build serves.
fn sabotaged(how: &str) -> Deployment {
    let script = format!("shift; CHANCERY_SABOTAGE={how} exec \"$0\" \"$@\"");
    Deployment::start_under(&["sh", "-c", &script, SABOTAGED.to_str().unwrap()])
}

/// What `chancery audit verify` says in JSON, and its exit code.
fn verified(deployment: &Deployment, options: &[&str]) -> (Value, i32) {
    let output = Command::new(crate::harness::program("chancery"))
        .args(["--output", "json", "audit", "verify", "--log"])
        .arg(deployment.dir().join("audit"))
        .arg("--key")
        .arg(deployment.dir().join("audit.vkey"))
        .args(options)
        .output()
        .unwrap();
    let text = if output.stdout.is_empty() { &output.stderr } else { &output.stdout };
    let json = serde_json::from_slice(text).unwrap_or_else(|_| panic!("{output:?}"));
    (json, output.status.code().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signatures_that_are_released_without_a_record_are_named() {
    let mut deployment = sabotaged("skip:10");
    let key = create(&deployment, "k", Algorithm::EcP256).await;
    let peer = deployment.client("org1-peer0").await;
    for _ in 0..35 {
        sign(&peer, request(&key)).await.unwrap();
    }
    // Stated, and stated once more: no crash explains a hole then.
    let start = Instant::now();
    while !states(&deployment, 36) {
        assert!(start.elapsed() < PATIENCE, "no statement");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    sign(&peer, request(&key)).await.unwrap();
    assert_eq!(deployment.stop(), Some(0));
    let all = processes(&deployment);
    let process = all.values().next().unwrap();
    // The key itself is operation 1.
    assert_eq!((all.len(), process.holes()), (1, vec![11, 21, 31]));
    assert_eq!(process.statements.last().unwrap().operations, 37);
    let (report, code) = verified(&deployment, &[]);
    let message = report["error"]["message"].as_str().unwrap();
    assert_eq!(code, 1, "{report}");
    assert!(message.contains("operations without a record: 11 to 11 of enclave process"), "{message}");
    assert!(message.contains("3 such holes"), "{message}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signature_that_a_crash_left_without_a_record_is_named() {
    let mut deployment = sabotaged("crash:20");
    let key = create(&deployment, "k", Algorithm::EcP256).await;
    let load = Load::of_four(&deployment, &key).await;
    let (pid, start) = (deployment.pid(), Instant::now());
    while !has_ended(pid) {
        assert!(start.elapsed() < PATIENCE, "it did not crash");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let seen = load.stop().await;
    deployment.kill();
    let all = processes(&deployment);
    let process = all.values().next().unwrap();
    let missing = process.holes()[0];
    // Whatever the crash lost beside it is beyond the last statement, or was in the log's queue.
    assert!((2..=60).contains(&missing), "{missing}");
    assert!(process.statements.last().unwrap().operations > missing);
    assert!(seen.released.len() as u64 > missing);
    // It could be an honest service's: it is named, and an error only for those who ask for that.
    let (report, code) = verified(&deployment, &[]);
    assert_eq!(code, 0, "{report}");
    let holes = report["holes"].as_array().unwrap();
    assert!(holes.iter().any(|hole| hole["first"] == missing && hole["last"] == missing), "{missing}: {report}");
    let (report, code) = verified(&deployment, &["--strict"]);
    let message = report["error"]["message"].as_str().unwrap();
    assert_eq!(code, 1, "{report}");
    assert!(
        message.contains(&format!("operations without a record: {missing} to {missing} of enclave process")),
        "{message}"
    );
}

/// Whether the running service's log has a statement of so many operations.
fn states(deployment: &Deployment, operations: u64) -> bool {
    let records = records_so_far(deployment);
    records.iter().filter_map(|record| record.statement.as_ref()).any(|statement| statement.operations >= operations)
}

/// Whether a process has ended: its parent, which is this one, has not waited for it yet.
fn has_ended(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("State:\tZ"))
}
