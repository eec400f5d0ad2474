//! Archiving that ends in the middle.

use crate::{
    harness::expect_code,
    keeper::{Keeper, names},
    shared::{creation, key, make, sign, signing},
};
use chancery_api::v1::Algorithm;
use std::{
    fs,
    time::{Duration, Instant},
};

/// With a key, and two closed segments that the next start archives; stopped.
async fn filled(name: &str) -> Keeper {
    let mut keeper = Keeper::start();
    make(&keeper.deployment.client("org1-security").await, creation(name, "peer0", Algorithm::EcP256)).await;
    keeper.fill(&keeper.deployment.client("org1-peer0").await, name, 2).await;
    keeper.stop();
    keeper
}

/// Killed at any time, log and archive hold everything together, and the next start goes on.
#[tokio::test]
async fn a_crash_loses_nothing() {
    let name = key("peer0");
    let mut keeper = filled(&name).await;
    for round in 0..12 {
        keeper.deployment.serve();
        // From before the first copy until after the last removal, on most machines.
        std::thread::sleep(Duration::from_millis(round * 15));
        keeper.deployment.kill();
        if round % 4 == 3 {
            keeper.deployment.serve();
            keeper.until_archived();
            keeper.fill(&keeper.deployment.client("org1-peer0").await, &name, 1).await;
            keeper.deployment.kill();
        }
        expect_code(&keeper.verify_whole(), 0);
        expect_code(&keeper.verify(), 0);
    }
    keeper.deployment.serve();
    sign(&keeper.deployment.client("org1-peer0").await, signing(&name, b"m")).await.unwrap();
    keeper.until_archived();
    keeper.stop();
    expect_code(&keeper.verify_whole(), 0);
}

/// What a crash can leave: half a copy, a snapshot that no record names, segments that were not removed yet.
#[tokio::test]
async fn what_a_crash_left_is_tidied() {
    let name = key("peer0");
    let mut keeper = filled(&name).await;
    let segments = keeper.kept();
    fs::write(keeper.archive().join(format!("{}.tmp", segments[0])), b"half").unwrap();
    let unnamed = keeper.log().join(segments[1].replace(".seg", ".snapshot"));
    fs::write(&unnamed, b"made from nothing").unwrap();
    keeper.deployment.serve();
    keeper.until_archived();
    assert!(!unnamed.exists());
    keeper.stop();

    // The second was removed after the first.
    let left = &segments[1];
    fs::copy(keeper.archive().join(left), keeper.log().join(left)).unwrap();
    expect_code(&keeper.verify(), 0);
    expect_code(&keeper.verify_whole(), 0);
    keeper.deployment.serve();
    keeper.until_archived();
    assert!(!keeper.kept().contains(left));
    keeper.stop();
    expect_code(&keeper.verify(), 0);
}

/// Nothing leaves the log for an archive that does not take it, and the service goes on.
#[tokio::test]
async fn without_its_archive_the_log_keeps_everything() {
    let name = key("peer0");
    let mut keeper = filled(&name).await;
    let segments = keeper.kept();
    let signs = async |keeper: &Keeper| {
        sign(&keeper.deployment.client("org1-peer0").await, signing(&name, b"m")).await.unwrap();
    };
    // Not mounted.
    fs::remove_dir(keeper.archive()).unwrap();
    keeper.deployment.serve();
    signs(&keeper).await;
    keeper.stop();
    assert!(!keeper.archive().exists(), "it was not made by the service");
    // Another log's.
    fs::create_dir(keeper.archive()).unwrap();
    fs::write(keeper.archive().join(&segments[0]), b"another log's").unwrap();
    keeper.deployment.serve();
    signs(&keeper).await;
    let start = Instant::now();
    while !keeper.deployment.stderr().contains("is not this log's segment") {
        assert!(start.elapsed() < Duration::from_secs(60), "{}", keeper.deployment.stderr());
        std::thread::sleep(Duration::from_millis(50));
    }
    keeper.stop();
    assert!(segments.iter().all(|segment| keeper.kept().contains(segment)));
    assert_eq!(names(&keeper.archive()).len(), 1);
    expect_code(&keeper.verify(), 0);
}
