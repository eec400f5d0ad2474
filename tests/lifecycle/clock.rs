//! A clock in doubt: destruction waits for an officer of each organization, and goes on when that officer confirms.
//!
//! **Not here**: which readings are in doubt (src/keys/clock/tests.rs).

use crate::{
    harness::{Deployment, expect_code},
    parties::{Event, Parties, refused, version},
    shared::{ORG1, ORG2, call, creation, id, key, make},
};
use chancery_api::{
    reasons,
    v1::{Algorithm, ConfirmClockRequest, ConfirmClockResponse, KeyState, Protection},
};
use chancery_client::{Client, ClientError};
use std::{fs, path::PathBuf, time::Duration};

/// What the service keeps of its clock between two runs (docs/operations.md, "The clock").
fn evidence(deployment: &Deployment) -> PathBuf {
    deployment.dir().join("data").join("clock")
}

/// Makes the evidence say that the clock stood at another time, by so many hours, when the host was started.
pub fn move_clock(deployment: &Deployment, hours: i64) {
    let path = evidence(deployment);
    let text = fs::read_to_string(&path).unwrap();
    let moved = text.lines().map(|line| match line.split_once(' ').unwrap() {
        ("booted", nanos) => format!("booted {}\n", nanos.parse::<i64>().unwrap() + hours * 3_600_000_000_000),
        _ => format!("{line}\n"),
    });
    fs::write(&path, moved.collect::<String>()).unwrap();
}

async fn confirm(officer: &Client, parent: &str) -> Result<ConfirmClockResponse, ClientError> {
    call(officer.keys().confirm_clock(ConfirmClockRequest { parent: parent.into(), request_id: id() })).await
}

#[tokio::test]
async fn a_frozen_destruction_waits_for_the_organizations_own_officer() {
    let mut deployment = Deployment::start();
    let parties = Parties::of(&deployment).await;
    let other = deployment.client("org2-security").await;
    assert_eq!(confirm(&parties.officer, ORG1).await.unwrap().frozen, "", "nothing is frozen");
    let [token, enclave] = [(key("in-token"), Protection::Token), (key("in-enclave"), Protection::Enclave)];
    for (name, protection) in [&token, &enclave] {
        parties.make(name, *protection).await;
        parties.sign(name, b"m").await.unwrap();
    }
    let theirs = "organizations/org2/keys/theirs";
    make(&other, creation(theirs, "peer0", Algorithm::EcP256)).await;
    deployment.stop();
    move_clock(&deployment, 2);
    deployment.serve();

    let parties = Parties::of(&deployment).await;
    let other = deployment.client("org2-security").await;
    let names = [&token, &enclave].map(|(name, _)| version(name, 1));
    for name in &names {
        parties.cause(Event::Destroy(0), name).await.unwrap();
    }
    // Everything but destruction goes on, also what the clock does.
    let rotated = parties.rotate(&enclave.0).await.unwrap();
    parties.sign(&rotated.primary.unwrap().name, b"m").await.unwrap();
    tokio::time::sleep(Duration::from_secs(4)).await;
    for name in &names {
        assert_eq!(parties.version(name).await.state(), KeyState::Deactivated, "due, and frozen");
    }
    // Another organization's officer thaws its own alone; whoever is no officer thaws nothing.
    refused(confirm(&other, ORG1).await, reasons::DENIED);
    refused(confirm(&parties.peer, ORG1).await, reasons::DENIED);
    refused(confirm(&deployment.client("platform-operator").await, ORG1).await, reasons::DENIED);
    assert!(confirm(&other, ORG2).await.unwrap().frozen.contains("the clock says"));
    // A restart forgets nothing, though the clock is beyond doubt by now.
    deployment.stop();
    deployment.serve();
    let parties = Parties::of(&deployment).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    for name in &names {
        assert_eq!(parties.version(name).await.state(), KeyState::Deactivated, "frozen still");
    }
    let confirmed = deployment.chancery("org1-security", &["keys", "confirm-clock"]);
    expect_code(&confirmed, 0);
    let text = String::from_utf8_lossy(&confirmed.stdout).into_owned();
    assert!(text.contains("it was frozen: the clock says"), "{text} {}", String::from_utf8_lossy(&confirmed.stderr));
    for name in &names {
        parties.until_state(name, KeyState::Destroyed).await;
    }
    assert_eq!(confirm(&parties.officer, ORG1).await.unwrap().frozen, "", "once is enough");
    expect_code(&deployment.verify_log(), 0);
}

/// Without the file the log's last record counts: a restart at once is in no doubt.
#[tokio::test]
async fn without_evidence_the_log_counts() {
    let mut deployment = Deployment::start();
    let parties = Parties::of(&deployment).await;
    parties.make(&key("k"), Protection::Enclave).await;
    deployment.stop();
    fs::remove_file(evidence(&deployment)).unwrap();
    deployment.serve();
    let parties = Parties::of(&deployment).await;
    assert_eq!(confirm(&parties.officer, ORG1).await.unwrap().frozen, "");
    parties.destroy(&version(&key("k"), 1)).await;
}
