//! The service is killed in the middle of a destruction, which the next start finishes whatever else holds destruction up;
//! and while ENCLAVE keys are made, of which there is a whole one or none.

use crate::{
    clock::move_clock,
    harness::{Deployment, expect_code, signal},
    parties::{Event, PATIENCE, Parties, refused, signer, version},
    shared::{ORG1, call, key, make},
    store,
};
use chancery_api::{
    reasons,
    v1::{Key, KeyState, ListKeysRequest, ListRecordsRequest, Protection},
};
use std::{fs, time::Instant};

const DESTRUCTION: &str = "ScheduledDestruction";

/// Whether the log's files have a record of a destruction. The intent is on disk before anything is destroyed.
fn is_begun(deployment: &Deployment) -> bool {
    let files = fs::read_dir(deployment.dir().join("audit")).unwrap();
    files.into_iter().any(|file| {
        // A file may be replaced while it is looked at.
        let bytes = fs::read(file.unwrap().path()).unwrap_or_default();
        bytes.windows(DESTRUCTION.len()).any(|window| window == DESTRUCTION.as_bytes())
    })
}

#[tokio::test]
async fn a_destruction_that_was_begun_is_finished_after_a_crash() {
    for protection in [Protection::Token, Protection::Enclave] {
        let mut deployment = Deployment::start();
        let parties = Parties::of(&deployment).await;
        let (name, kept) = (key("crashed"), key("kept"));
        parties.make(&name, protection).await;
        parties.make(&kept, protection).await;
        let name = version(&name, 1);
        let signature = parties.sign(&name, b"m").await.unwrap().signature;
        parties.cause(Event::Deactivate, &name).await.unwrap();
        // The enclave stands still: the intent is recorded, and what it says is not done.
        let enclave = deployment.enclave_pid().unwrap();
        signal(enclave, "STOP");
        parties.cause(Event::Destroy(0), &name).await.unwrap();
        let start = Instant::now();
        while !is_begun(&deployment) {
            assert!(start.elapsed() < PATIENCE, "it does not begin: {}", deployment.stderr());
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        deployment.kill();
        // Its parent is gone, and it with it, unless it was replaced before.
        let _ = std::process::Command::new("kill").args(["-CONT", &enclave.to_string()]).status();
        // The clock is in doubt, too: a destruction that was only due would wait for an officer.
        move_clock(&deployment, 2);
        deployment.serve();
        let parties = Parties::of(&deployment).await;
        let destroyed = parties.until_state(&name, KeyState::Destroyed).await;
        assert!(destroyed.destroyed_time.is_some());
        if protection == Protection::Enclave {
            assert_eq!(store::wrapped(&deployment, &name), None);
        }
        refused(parties.sign(&name, b"m").await, reasons::WRONG_STATE);
        refused(parties.cause(Event::Restore, &name).await, reasons::WRONG_STATE);
        assert!(parties.verifies(&name, b"m", &signature).await);
        parties.sign(&kept, b"m").await.unwrap();

        // One intent, and one outcome that names it.
        let auditor = deployment.client("org1-auditor").await;
        let request = ListRecordsRequest { parent: ORG1.into(), key: key("crashed"), ..ListRecordsRequest::default() };
        let records = crate::shared::records(&auditor, request).await;
        let destruction: Vec<_> = records.iter().filter(|record| record.action == DESTRUCTION).collect();
        assert_eq!(destruction.len(), 2, "{destruction:#?}");
        assert_eq!(destruction[1].intent, destruction[0].index + 1);
        // What is only due waits: the clock is still in doubt.
        parties.cause(Event::Destroy(0), &version(&kept, 1)).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        assert_eq!(parties.version(&version(&kept, 1)).await.state(), KeyState::Deactivated);
        expect_code(&deployment.verify_log(), 0);
    }
}

/// Crashes while keys are made, by request and for pools: afterwards the store holds a wrapped key of each living version
/// and of nothing else, and each of them signs.
#[tokio::test]
async fn no_wrapped_key_is_lost_or_left_over_when_keys_are_being_made() {
    let mut deployment = Deployment::start();
    let mut names = Vec::new();
    for round in 0..4u64 {
        let parties = Parties::of(&deployment).await;
        let pooled = key(&format!("pooled-{round}"));
        let mut request = signer(&pooled, Protection::Enclave);
        request.key.as_mut().unwrap().pool_size = 16;
        make(&parties.officer, request).await;
        names.push(pooled);
        let making: Vec<_> = (0..6).map(|at| key(&format!("made-{round}-{at}"))).collect();
        let asked = making.iter().map(|name| {
            let (officer, request) = (parties.officer.clone(), signer(name, Protection::Enclave));
            tokio::spawn(async move { call(officer.keys().create_key(request)).await.map(|key| key.name) })
        });
        let asked: Vec<_> = asked.collect();
        tokio::time::sleep(std::time::Duration::from_millis(15 * (round + 1))).await;
        deployment.kill();
        for made in asked {
            names.extend(made.await.unwrap().ok());
        }
        deployment.serve();
    }
    let parties = Parties::of(&deployment).await;
    for name in &names {
        let none = Key { name: name.clone(), ..Key::default() };
        parties.update(none, &["pool_size"]).await.unwrap();
        parties.sign(name, b"m").await.unwrap();
    }
    // A filling that was under way may just have ended.
    let start = Instant::now();
    loop {
        let request = ListKeysRequest { parent: ORG1.into(), page_size: 1000, ..ListKeysRequest::default() };
        let listed = call(parties.officer.keys().list_keys(request)).await.unwrap().keys;
        let mut living = Vec::new();
        for key in &listed {
            living.extend(parties.key(&key.name).await.versions.into_iter().map(|version| version.name));
        }
        let mut kept = store::versions(&deployment);
        living.sort();
        kept.sort();
        if living == kept {
            break;
        }
        assert!(start.elapsed() < PATIENCE, "{living:?}\n{kept:?}");
    }
    expect_code(&deployment.verify_log(), 0);
}
