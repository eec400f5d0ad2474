//! A full disk, by a limit on the size of the service's files: writes fail half way, as on a disk that fills up.

use crate::{
    harness::{Deployment, expect_code},
    load::{Load, create, request, sign},
    log::Log,
    running::{refused, until_health},
};
use chancery_api::v1::Algorithm;
use chancery_audit::segment::Frames;
use chancery_client::Health;
use std::{fs, process::Command, time::Duration};

/// The limit sends SIGXFSZ before it fails a write, and a full disk doesn't: ignored, the two are alike.
const IGNORE_LIMIT_SIGNAL: [&str; 4] = ["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"];

/// Limits how far the service may write any file; None takes the limit away.
fn limit(deployment: &Deployment, bytes: Option<usize>) {
    let soft = bytes.map_or("unlimited".to_owned(), |bytes| bytes.to_string());
    let pid = deployment.pid().to_string();
    let output = Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={soft}:unlimited")]).output().unwrap();
    expect_code(&output, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_stops_signing_and_nothing_else() {
    let mut deployment = Deployment::start_under(&IGNORE_LIMIT_SIGNAL);
    let key = create(&deployment, "k", Algorithm::EcP256).await;
    let peer = deployment.client("org1-peer0").await;
    let service = deployment.pid();
    let segment = deployment.dir().join("audit/00000000000000000000.seg");
    let load = Load::of_four(&deployment, &key).await;
    for room in [10_000, 3, 0] {
        load.released(20).await;
        let end = Frames::new(&fs::read(&segment).unwrap()).unwrap().1.map_while(Result::ok).last().unwrap().offset;
        // In the midst of what is reserved: a part of a batch is written, then no more.
        limit(&deployment, Some(end + room));
        until_health(&peer, Health::NotServing).await;
        refused(&peer, &key).await;
        limit(&deployment, None);
        until_health(&peer, Health::Serving).await;
        sign(&peer, request(&key)).await.unwrap();
    }
    load.released(20).await;
    let seen = load.stop().await;
    assert!(!seen.failures.is_empty());
    assert_eq!(deployment.pid(), service);
    assert_eq!(deployment.stop(), Some(0));
    Log::read(&deployment).accounts_for(&seen);
}

/// A disk that is still full is not taken for a healed one: whoever goes by health is not sent back too early.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_stays_down_while_the_disk_is_full() {
    let deployment = Deployment::start_under(&IGNORE_LIMIT_SIGNAL);
    let key = create(&deployment, "k", Algorithm::EcP256).await;
    let peer = deployment.client("org1-peer0").await;
    limit(&deployment, Some(100));
    refused(&peer, &key).await;
    until_health(&peer, Health::NotServing).await;
    // Longer than it takes to try the disk again.
    for _ in 0..25 {
        assert_eq!(peer.health().await.unwrap(), Health::NotServing);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    limit(&deployment, None);
    until_health(&peer, Health::Serving).await;
    sign(&peer, request(&key)).await.unwrap();
}
