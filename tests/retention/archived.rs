//! Archives, snapshots and logs that were changed, lost or brought back.

use crate::{
    harness::expect_code,
    keeper::Keeper,
    shared::{creation, key, make, sign, signing},
};
use chancery_api::v1::Algorithm;
use std::fs;

/// With a key, and at least one segment archived; stopped.
async fn archived(name: &str) -> Keeper {
    let mut keeper = Keeper::start();
    make(&keeper.deployment.client("org1-security").await, creation(name, "peer0", Algorithm::EcP256)).await;
    keeper.fill(&keeper.deployment.client("org1-peer0").await, name, 2).await;
    keeper.restart();
    keeper.until_archived();
    keeper.stop();
    keeper
}

/// Whatever is wrong with the snapshot, the service does not start, says what to do, and that helps.
#[tokio::test]
async fn a_snapshot_that_is_changed_or_gone_is_mended_by_the_archive() {
    let name = key("peer0");
    let mut keeper = archived(&name).await;
    let (path, sound) = (keeper.snapshot(), fs::read(keeper.snapshot()).unwrap());
    for at in [1, sound.len() / 3, sound.len() - 1] {
        let mut changed = sound.clone();
        changed[at] ^= 1;
        fs::write(&path, changed).unwrap();
        let said = keeper.refuses_to_start();
        assert!(said.contains("archived segments back"), "byte {at}: {said}");
        expect_code(&keeper.verify(), 1);
    }
    fs::remove_file(&path).unwrap();
    let said = keeper.refuses_to_start();
    assert!(said.contains("archived segments back"), "{said}");
    expect_code(&keeper.verify(), 1);
    // The archive has everything, whatever the snapshot says.
    expect_code(&keeper.verify_whole(), 0);

    keeper.put_back();
    expect_code(&keeper.verify(), 0);
    keeper.deployment.serve();
    sign(&keeper.deployment.client("org1-peer0").await, signing(&name, b"m")).await.unwrap();
    keeper.until_archived();
    keeper.stop();
    assert_eq!(fs::read(keeper.snapshot()).unwrap(), sound, "it follows from the records");
    expect_code(&keeper.verify(), 0);
}

/// An archive is proved by the log that goes on after it.
#[tokio::test]
async fn an_archive_that_is_changed_or_has_a_gap_does_not_verify() {
    let keeper = archived(&key("peer0")).await;
    let segments = keeper.archived();
    let path = keeper.archive().join(&segments[1]);
    let sound = fs::read(&path).unwrap();
    let mut changed = sound.clone();
    let at = changed.len() / 2;
    changed[at] ^= 1;
    fs::write(&path, changed).unwrap();
    expect_code(&keeper.verify_whole(), 1);
    expect_code(&keeper.verify(), 0);
    fs::write(&path, &sound[..sound.len() - 1]).unwrap();
    expect_code(&keeper.verify_whole(), 1);
    fs::remove_file(&path).unwrap();
    expect_code(&keeper.verify_whole(), 1);
    fs::write(&path, sound).unwrap();
    expect_code(&keeper.verify_whole(), 0);
}

/// Tiles of archived records can't be made again: without them nothing could be proved of those records.
#[tokio::test]
async fn tiles_of_archived_records_are_needed_and_made_again_from_the_archive() {
    let name = key("peer0");
    let mut keeper = archived(&name).await;
    let tiles = keeper.deployment.dir().join("data").join("tiles");
    fs::remove_dir_all(&tiles).unwrap();
    let said = keeper.refuses_to_start();
    assert!(said.contains("archived"), "{said}");
    keeper.put_back();
    keeper.deployment.serve();
    sign(&keeper.deployment.client("org1-peer0").await, signing(&name, b"m")).await.unwrap();
    keeper.until_archived();
    keeper.restart();
}
