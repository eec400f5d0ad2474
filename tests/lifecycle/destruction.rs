//! Destruction: what is called off, and what is gone from token, enclave and store, with a tombstone that stays.

use crate::{
    harness::{Deployment, expect_code},
    parties::{Event, LONG, Parties, duration, refused, version},
    shared::{ORG1, call, client, creation, deployment, id, key, make},
    store,
};
use chancery_api::{
    reasons,
    v1::{Algorithm, KeyState, Protection, Purpose, RewrapKeysRequest, ScheduleKeyVersionDestructionRequest},
};
use std::process::Command;

/// What the token holds of a version, as OpenSC's pkcs11-tool lists it.
fn objects(deployment: &Deployment, version: &str) -> usize {
    let pin = std::fs::read_to_string(deployment.dir().join("pin")).unwrap();
    let configuration = std::fs::read_to_string(deployment.dir().join("chancery.toml")).unwrap();
    let library = configuration.lines().find_map(|line| line.strip_prefix("library = ")).unwrap().trim_matches('"');
    let listed = Command::new("pkcs11-tool")
        .env("SOFTHSM2_CONF", deployment.dir().join("softhsm2.conf"))
        .args(["--module", library, "--token-label", "chancery-dev", "--login", "--pin", pin.trim(), "--list-objects"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&listed.stdout);
    assert!(listed.status.success() && text.contains("label:"), "{text} {}", String::from_utf8_lossy(&listed.stderr));
    // CKA_ID is the version's name.
    let id: String = version.bytes().map(|byte| format!("{byte:02x}")).collect();
    text.lines().filter(|line| line.contains(version) || line.contains(&id)).count()
}

#[tokio::test]
async fn what_is_destroyed_is_gone_and_its_tombstone_stays() {
    let mut deployment = Deployment::start();
    let parties = Parties::of(&deployment).await;
    let (token, enclave) = (key("in-token"), key("in-enclave"));
    parties.make(&token, Protection::Token).await;
    parties.make(&enclave, Protection::Enclave).await;
    let [in_token, in_enclave] = [&token, &enclave].map(|key| version(key, 1));
    let signature = parties.sign(&enclave, b"m").await.unwrap().signature;
    parties.sign(&token, b"m").await.unwrap();
    let wrapped = store::wrapped(&deployment, &in_enclave).unwrap();
    assert!(store::holds(&deployment, &wrapped), "the search finds what is there");
    assert!(objects(&deployment, &in_token) > 0);

    // Called off, it is all there still, and stays out of use.
    for version in [&in_token, &in_enclave] {
        parties.cause(Event::Destroy(LONG), version).await.unwrap();
        let back = parties.cause(Event::Restore, version).await.unwrap();
        assert_eq!(back.versions[0].state(), KeyState::Deactivated);
        assert_eq!(back.versions[0].destroy_time, None);
    }
    assert!(objects(&deployment, &in_token) > 0 && store::wrapped(&deployment, &in_enclave).is_some());

    parties.destroy(&in_token).await;
    let destroyed = parties.destroy(&in_enclave).await;
    assert_eq!(objects(&deployment, &in_token), 0);
    assert_eq!(store::wrapped(&deployment, &in_enclave), None);
    assert!(!store::holds(&deployment, &wrapped), "its bytes are overwritten, in the write-ahead log too");
    let by = &destroyed.revivable_by;
    assert!(matches!(by.as_slice(), [copies] if copies.contains("copies of the store")), "{by:?}");
    assert!(parties.version(&in_token).await.revivable_by.is_empty(), "a TOKEN key was never copied");

    // A rewrap destroys what copies of the store were wrapped under.
    let request = RewrapKeysRequest { parent: ORG1.into(), request_id: id(), confirm: "org1".into() };
    let mut answers = parties.officer.keys().rewrap_keys(request).await.unwrap().into_inner();
    while answers.message().await.unwrap().is_some() {}
    assert!(parties.version(&in_enclave).await.revivable_by.is_empty());

    let before = [parties.version(&in_token).await, parties.version(&in_enclave).await];
    assert_eq!(deployment.stop(), Some(0));
    assert!(!store::holds(&deployment, &wrapped));
    deployment.serve();
    let parties = Parties::of(&deployment).await;
    for (name, before) in [&in_token, &in_enclave].into_iter().zip(before) {
        assert_eq!(parties.version(name).await, before);
        assert_eq!((before.state(), before.destroyed_time.is_some()), (KeyState::Destroyed, true));
        refused(parties.sign(name, b"m").await, reasons::WRONG_STATE);
        refused(parties.cause(Event::Restore, name).await, reasons::WRONG_STATE);
    }
    assert!(parties.verifies(&in_enclave, b"m", &signature).await, "its public key is kept");
    // The name's number is not given again.
    let rotated = parties.rotate(&enclave).await.unwrap();
    assert_eq!(rotated.primary.unwrap().name, version(&enclave, 2));
    parties.sign(&enclave, b"m").await.unwrap();
    expect_code(&deployment.verify_log(), 0);
}

/// The store from before a destruction is put back: the log is the authority, and what it says is gone goes once more.
#[tokio::test]
async fn an_older_store_brings_no_key_back() {
    let mut deployment = Deployment::start();
    let parties = Parties::of(&deployment).await;
    let (name, kept) = (key("gone"), key("kept"));
    for key in [&name, &kept] {
        parties.make(key, Protection::Enclave).await;
    }
    let gone = version(&name, 1);
    deployment.stop();
    let store = store::files(&deployment)[0].clone();
    let before = std::fs::read(&store).unwrap();
    deployment.serve();
    let parties = Parties::of(&deployment).await;
    parties.destroy(&gone).await;
    deployment.stop();
    for file in store::files(&deployment) {
        let _ = std::fs::remove_file(file);
    }
    std::fs::write(&store, before).unwrap();
    let wrapped = store::wrapped(&deployment, &gone).expect("it is back in the store");
    deployment.serve();
    let parties = Parties::of(&deployment).await;
    assert_eq!(parties.version(&gone).await.state(), KeyState::Destroyed);
    refused(parties.sign(&gone, b"m").await, reasons::WRONG_STATE);
    assert_eq!(store::wrapped(&deployment, &gone), None);
    assert!(!store::holds(&deployment, &wrapped));
    parties.sign(&kept, b"m").await.unwrap();
}

/// Out of use for another reason before, destroyed all the same; the mark of compromise stays.
#[tokio::test]
async fn suspended_and_compromised_versions_are_destroyed() {
    let parties = Parties::of(deployment()).await;
    for (at, protection) in [Protection::Token, Protection::Enclave].into_iter().enumerate() {
        for (what, event) in [("suspended", Event::Suspend), ("compromised", Event::Compromise)] {
            let name = key(&format!("{what}-destroyed-{at}"));
            parties.make(&name, protection).await;
            parties.sign(&name, b"m").await.unwrap();
            let name = version(&name, 1);
            parties.cause(event, &name).await.unwrap();
            let destroyed = parties.destroy(&name).await;
            assert_eq!(destroyed.compromised_time.is_some(), event == Event::Compromise, "{what}");
            refused(parties.sign(&name, b"m").await, reasons::WRONG_STATE);
        }
    }
}

/// A waiting period of no length that the service allows.
#[tokio::test]
async fn a_waiting_period_has_its_limits() {
    let parties = Parties::of(deployment()).await;
    let name = key("waiting");
    parties.make(&name, Protection::Enclave).await;
    let only = version(&name, 1);
    for seconds in [-1, 120 * 24 * 3600 + 1, i64::MAX / 4] {
        let answer = parties.cause(Event::Destroy(seconds), &only).await;
        let error = answer.unwrap_err();
        assert_eq!(error.violations.first().map(|violation| violation.field.as_str()), Some("wait"), "{error}");
        parties.sign(&only, b"m").await.unwrap();
    }
    parties.cause(Event::Destroy(120 * 24 * 3600), &only).await.unwrap();
}

/// The only ACTIVE version of an authority is named twice; any other is not.
#[tokio::test]
async fn the_only_active_version_of_an_authority_is_named_twice() {
    let (parties, ca) = (Parties::of(deployment()).await, client("org1-ca").await);
    let name = key("only-authority");
    let mut creation = creation(&name, "ca", Algorithm::EcP256);
    creation.key.as_mut().unwrap().purpose = Purpose::Certify.into();
    make(&ca, creation).await;
    let schedule = async |number: u64, confirm: &str| {
        let request = ScheduleKeyVersionDestructionRequest {
            name: version(&name, number),
            request_id: id(),
            wait: duration(LONG),
            confirm: confirm.into(),
        };
        call(parties.officer.keys().schedule_key_version_destruction(request)).await
    };
    let message = refused(schedule(1, "").await, reasons::CONFIRMATION_NEEDED);
    assert!(message.contains(&version(&name, 1)), "{message}");
    refused(schedule(1, "yes").await, reasons::INVALID_ARGUMENT);
    refused(schedule(1, &version(&name, 2)).await, reasons::INVALID_ARGUMENT);
    assert_eq!(parties.version(&version(&name, 1)).await.state(), KeyState::Active, "nothing was done");
    parties.rotate(&name).await.unwrap();
    schedule(1, "").await.unwrap();
    refused(schedule(2, "").await, reasons::CONFIRMATION_NEEDED);
    let scheduled = schedule(2, &version(&name, 2)).await.unwrap();
    assert!(scheduled.versions.iter().all(|version| version.destroy_time.is_some()), "{scheduled:?}");
}
