//! Disks that fail and enclaves that die: the log accounts for what was done nevertheless.

use crate::{
    harness::{Deployment, signal},
    load::{Load, PATIENCE, create},
    recorded::processes,
};
use chancery_api::v1::Algorithm;
use chancery_client::Health;
use std::{
    fs,
    time::{Duration, Instant},
};

/// While the log can't be written, signatures that were made are released to nobody, and have no record. When it can again,
/// each of them gets one: the chain has no hole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_disk_did_not_take_is_recorded_when_it_does() {
    let mut deployment = Deployment::start();
    let key = create(&deployment, "k", Algorithm::EcP256).await;
    let peer = deployment.client("org1-peer0").await;
    let (path, away) = (deployment.dir().join("audit/00000000000000000000.seg"), deployment.dir().join("away"));
    let load = Load::of_four(&deployment, &key).await;
    for _ in 0..3 {
        load.released(100).await;
        fs::rename(&path, &away).unwrap();
        until(&peer, Health::NotServing).await;
        fs::rename(&away, &path).unwrap();
        until(&peer, Health::Serving).await;
    }
    load.released(100).await;
    let seen = load.stop().await;
    assert!(!seen.failures.is_empty());
    assert_eq!(deployment.stop(), Some(0));
    let all = processes(&deployment);
    let process = all.values().next().unwrap();
    assert_eq!((all.len(), process.holes()), (1, vec![]));
    assert!(process.reconciled() > 0, "some were under way when the segment went");
    assert_eq!(process.statements.last().unwrap().operations, process.operations.len() as u64);
}

async fn until(client: &chancery_client::Client, expected: Health) {
    let start = Instant::now();
    while client.health().await.unwrap() != expected {
        assert!(start.elapsed() < PATIENCE, "health never came to be {expected:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A new enclave begins a chain of its own and is given the newest checkpoint: checkpoints go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_enclave_that_is_killed_is_followed_by_one_that_goes_on() {
    let mut deployment = Deployment::start();
    let key = create(&deployment, "k", Algorithm::EcP256).await;
    let load = Load::of_four(&deployment, &key).await;
    for _ in 0..2 {
        load.released(300).await;
        signal(deployment.enclave_pid().unwrap(), "KILL");
        load.released(300).await;
    }
    load.stop().await;
    assert_eq!(deployment.stop(), Some(0));
    let all = processes(&deployment);
    assert_eq!(all.len(), 3);
    let size = fs::read_to_string(deployment.dir().join("audit/checkpoint")).unwrap();
    let size: usize = size.lines().nth(1).unwrap().parse().unwrap();
    assert_eq!(size, crate::recorded::records(&deployment).len(), "the last checkpoint covers everything");
    let last = all.values().filter(|process| {
        process.statements.last().is_some_and(|last| last.operations == process.operations.len() as u64)
    });
    assert!(last.count() >= 1, "the last process stated all that it did");
    // A service that starts anew goes on from the checkpoint on disk.
    deployment.serve();
    assert_eq!(deployment.stop(), Some(0));
}
