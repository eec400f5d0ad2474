//! The service after its log's first records were archived.

use crate::{
    harness::expect_code,
    keeper::{Keeper, field},
    shared::{call, creation, id, key, make, records_in, sign, signing},
};
use chancery_api::v1::{
    Algorithm, GetKeyRequest, Key, KeyState, RotateKeyRequest, ScheduleKeyVersionDestructionRequest,
};
use chancery_client::Client;
use std::{
    fs,
    time::{Duration, Instant},
};

async fn get(officer: &Client, name: &str) -> Key {
    call(officer.keys().get_key(GetKeyRequest { name: name.into() })).await.unwrap()
}

async fn destroy(officer: &Client, name: &str) {
    let version = format!("{name}/versions/1");
    let wait = Some(prost_types::Duration::default());
    let request =
        ScheduleKeyVersionDestructionRequest { name: version, request_id: id(), wait, confirm: String::new() };
    call(officer.keys().schedule_key_version_destruction(request)).await.unwrap();
    let start = Instant::now();
    while get(officer, name).await.versions[0].state() != KeyState::Destroyed {
        assert!(start.elapsed() < Duration::from_secs(30), "{name} is not destroyed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Keys, destroyed ones too, are as they were; what is kept verifies, alone and with the archive; each start reads only
/// what is kept. An older copy of the store brings no destroyed key back.
#[tokio::test]
async fn what_is_archived_is_remembered() {
    let mut keeper = Keeper::start();
    let (old, gone, new) = (key("old"), key("gone"), key("new"));
    let officer = keeper.deployment.client("org1-security").await;
    for name in [&old, &gone] {
        make(&officer, creation(name, "peer0", Algorithm::EcP256)).await;
    }
    keeper.stop();
    let store = keeper.deployment.dir().join("data").join("store.sqlite");
    let before_destruction = fs::read(&store).unwrap();
    keeper.deployment.serve();

    let officer = keeper.deployment.client("org1-security").await;
    let peer = keeper.deployment.client("org1-peer0").await;
    destroy(&officer, &gone).await;
    keeper.fill(&peer, &old, 2).await;
    keeper.restart();
    keeper.until_archived();
    assert!(keeper.archived().len() >= 2, "{:?}", keeper.archived());

    // It archived while it ran; a start without the archived records knows the same, even with an old store.
    for with_old_store in [false, true] {
        keeper.stop();
        if with_old_store {
            for suffix in ["-wal", "-shm"] {
                let _ = fs::remove_file(store.with_file_name(format!("store.sqlite{suffix}")));
            }
            fs::write(&store, &before_destruction).unwrap();
        }
        keeper.deployment.serve();
        let officer = keeper.deployment.client("org1-security").await;
        let peer = keeper.deployment.client("org1-peer0").await;
        assert_eq!(get(&officer, &gone).await.versions[0].state(), KeyState::Destroyed);
        sign(&peer, signing(&gone, b"m")).await.unwrap_err();
        sign(&peer, signing(&old, b"m")).await.unwrap();
        let rotated = call(officer.keys().rotate_key(RotateKeyRequest { name: old.clone(), request_id: id() })).await;
        assert_eq!(rotated.unwrap().versions.len(), 2 + usize::from(with_old_store));
        let mut again = creation(&gone, "peer0", Algorithm::EcP256);
        call(officer.keys().create_key(again.clone())).await.unwrap_err();
        again.request_id = id();
        again.key_id = format!("new{}", u8::from(with_old_store));
        make(&officer, again).await;
        let made = get(&officer, &format!("{new}{}", u8::from(with_old_store))).await;
        assert_eq!(made.versions.len(), 1);
    }

    let auditor = keeper.deployment.client("org1-auditor").await;
    let listed = records_in(&auditor, "organizations/org1", &old).await;
    let first = keeper.kept()[0].strip_suffix(".seg").unwrap().parse::<u64>().unwrap();
    assert!(listed.len() > 2 && listed.iter().all(|record| record.index >= first), "only what is kept is listed");

    keeper.stop();
    let (kept, whole) = (keeper.verify(), keeper.verify_whole());
    expect_code(&kept, 0);
    expect_code(&whole, 0);
    assert_eq!((field(&kept, "archived"), field(&whole, "archived")), (first.into(), 0.into()));
    assert_eq!(field(&kept, "records"), field(&whole, "records"));
    assert_eq!(field(&kept, "checkpoint"), field(&whole, "checkpoint"));
    assert!(field(&kept, "bytes").as_u64() < field(&whole, "bytes").as_u64());
}

/// Second and further times go on from the snapshot before.
#[tokio::test]
async fn archiving_goes_on() {
    let mut keeper = Keeper::start();
    let name = key("peer0");
    make(&keeper.deployment.client("org1-security").await, creation(&name, "peer0", Algorithm::EcP256)).await;
    for _ in 0..2 {
        let before = keeper.archived().len();
        keeper.fill(&keeper.deployment.client("org1-peer0").await, &name, 1).await;
        keeper.restart();
        keeper.until_archived();
        assert!(keeper.archived().len() > before);
    }
    keeper.stop();
    expect_code(&keeper.verify(), 0);
    expect_code(&keeper.verify_whole(), 0);
    keeper.deployment.serve();
    sign(&keeper.deployment.client("org1-peer0").await, signing(&name, b"m")).await.unwrap();
}
