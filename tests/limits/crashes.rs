//! A quota over crashes: it may lose budget, and never gains any. A stop loses none.

use crate::{
    harness::Deployment,
    setting::{create, listed, of, set, sign_at_once},
    shared::key,
};
use chancery_api::{reasons::QUOTA_EXHAUSTED, v1::Limit};
use chancery_audit::{
    record::{Outcome, Record},
    segment::Frames,
};
use prost::Message;
use std::fs;

/// Whatever the log's files hold.
fn records(deployment: &Deployment) -> Vec<Record> {
    let mut records = Vec::new();
    let mut files: Vec<_> = fs::read_dir(deployment.dir().join("audit")).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "seg"));
    files.sort();
    for path in files {
        let bytes = fs::read(path).unwrap();
        let (_, frames) = Frames::new(&bytes).unwrap();
        records.extend(frames.map_while(Result::ok).map(|frame| Record::decode(frame.record).unwrap()));
    }
    records
}

/// Signatures of a key that stand in the log.
fn signatures(deployment: &Deployment, name: &str) -> usize {
    let of_key = |record: &&Record| record.resource.starts_with(name) && record.action == "Sign";
    records(deployment).iter().filter(of_key).filter(|record| record.outcome() == Outcome::Succeeded).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crashes_gain_nothing() {
    const QUOTA: u64 = 300;
    let mut deployment = Deployment::start();
    let name = key("k");
    create(&deployment, &name, "peer0").await;
    let officer = deployment.client("org1-security").await;
    set(&officer, Limit { total: Some(QUOTA), ..of(&name) }).await;

    // Twice killed under load, at a different point each time.
    let mut released = 0;
    for already in [40, 90] {
        let peer = deployment.client("org1-peer0").await;
        while released < already {
            released += sign_at_once(&peer, &name, 8).await.iter().filter(|answer| answer.is_ok()).count();
        }
        let pid = deployment.pid().to_string();
        let killer = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(15));
            std::process::Command::new("kill").args(["-9", &pid]).status().unwrap()
        });
        let answers = sign_at_once(&peer, &name, 64).await;
        released += answers.iter().filter(|answer| answer.is_ok()).count();
        assert!(killer.join().unwrap().success());
        deployment.kill();
        deployment.serve();
    }
    let officer = deployment.client("org1-security").await;
    let used = listed(&officer, &name).await.used_total;
    assert!(used >= u64::try_from(released).unwrap(), "{released} signatures, {used} counted");

    // A stop gives back what it has not used.
    let peer = deployment.client("org1-peer0").await;
    released += sign_at_once(&peer, &name, 1).await.iter().filter(|answer| answer.is_ok()).count();
    let before = listed(&officer, &name).await.used_total;
    assert_eq!(deployment.stop(), Some(0));
    deployment.serve();
    let officer = deployment.client("org1-security").await;
    assert_eq!(listed(&officer, &name).await.used_total, before);

    // And what is left is used to the last unit.
    let peer = deployment.client("org1-peer0").await;
    let answers = loop {
        let answers = sign_at_once(&peer, &name, 32).await;
        released += answers.iter().filter(|answer| answer.is_ok()).count();
        if answers.iter().any(Result::is_err) {
            break answers;
        }
    };
    let refused = answers.into_iter().find_map(Result::err).unwrap();
    assert_eq!(refused.reason.as_deref(), Some(QUOTA_EXHAUSTED), "{refused}");
    assert_eq!(listed(&officer, &name).await.used_total, QUOTA);
    assert_eq!(deployment.stop(), Some(0));
    let logged = signatures(&deployment, &name);
    assert!(released <= logged && logged <= usize::try_from(QUOTA).unwrap(), "{released} released, {logged} made");
    assert!(logged + 2 * 3 + 2 * 64 >= usize::try_from(QUOTA).unwrap(), "a crash loses a block, not more: {logged}");
    let reservations = records(&deployment).iter().filter(|record| record.action == "ReserveQuota").count();
    assert!(reservations <= 110, "by blocks of a hundredth, not one by one: {reservations}");
}
