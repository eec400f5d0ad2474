//! A backup restored where it was made: after the wrapped keys were lost, and after they were wrapped anew.

use crate::{
    backups::{back_up, backing_up, destroy, job, log_of, restore, shares, state},
    desk::{Desk, NODE, OFFICER, OWNER},
    foreign_keys::KINDS,
    harness::{Deployment, expect_code},
    shared::{ORG1, id, key},
    store::{blobs, change_wrapped_key, lose_wrapped_keys, wrapped_keys},
};
use chancery_api::v1::{RewrapKeysRequest, RewrapKeysResponse};

const KEYS: [&str; 3] = ["first", "second", "gone-since"];

fn version(id: &str) -> String {
    format!("{}/versions/1", key(id))
}

fn make_keys(desk: &Desk<'_>) {
    for id in KEYS {
        let how = "--algorithm ec-p256 --protection enclave";
        desk.run(OFFICER, &format!("keys create {} {how} --owner {OWNER}", key(id)));
    }
}

fn signs(desk: &Desk<'_>, id: &str) -> bool {
    let public = desk.public(&key(id), "pem");
    KINDS[0].verifies(desk, &key(id), &desk.file("public.pem", public))
}

#[test]
fn lost_keys_sign_again_and_the_destroyed_one_stays_destroyed() {
    let mut deployment = Deployment::start();
    {
        let desk = Desk::at(&deployment);
        make_keys(&desk);
        back_up(&desk, 2, "backup");
        destroy(&desk, &version("gone-since"));
        std::fs::copy(desk.path("backup"), deployment.dir().join("the-backup")).unwrap();
    }
    deployment.stop();
    assert_eq!(lose_wrapped_keys(&deployment), 2);
    deployment.serve();

    let desk = Desk::at(&deployment);
    let message = desk.file("message", "a message");
    let refused = desk.refused(NODE, &format!("sign {} --in {message} --out {}", key("first"), desk.path("signature")));
    assert!(refused.exit_code == 65 && refused.reason != "WRONG_STATE", "{refused:?}");
    // No backup is made that would lack a key and not say so.
    let refused = desk.refused(OFFICER, &backing_up(&desk, 2, "lacking"));
    assert!(refused.exit_code == 65 && refused.message.contains(&version("first")), "{refused:?}");
    assert!(!desk.openssl.path("lacking").exists());
    // Yet it was begun, and the keys before the one that it lacks may have left.
    let listed = desk.run(OFFICER, "backup list org1");
    let complete = |at: usize| (listed[at]["complete"].clone(), listed[at]["sha256"].as_str().unwrap().len());
    assert_eq!((complete(0), complete(1)), ((true.into(), 64), (false.into(), 0)), "{listed}");
    let gone = state(&desk, &version("gone-since"));
    assert_eq!(gone["revivable_by"][0], listed[0]["name"], "the later one began when it was gone: {gone}");

    let backup = deployment.dir().join("the-backup").to_str().unwrap().to_owned();
    let counts = |restored: u64, present: u64| {
        serde_json::json!({
            "restored": restored, "present": present, "destroyed": 1, "token_versions": 0
        })
    };
    // What no seal proves comes not even near those keys.
    let mut damaged = std::fs::read(&backup).unwrap();
    *damaged.last_mut().unwrap() ^= 1;
    let damaged = desk.file("damaged", damaged);
    let job = job(&desk, "damaged.json");
    let shares = shares(&deployment, &desk, &["ca", "security"], &damaged, &job);
    let line = format!("backup restore org1 --in {damaged} --job {job} {shares} --without-log");
    assert_eq!(desk.refused(OFFICER, &line).reason, "TAMPERED");
    assert_eq!(blobs(&deployment), []);
    // Its own log tells what was destroyed, whether it is named or not.
    assert_eq!(restore(&deployment, &desk, &backup, "--without-log"), counts(2, 0));
    assert!(signs(&desk, "first") && signs(&desk, "second"));
    assert_eq!(restore(&deployment, &desk, &backup, &log_of(&deployment)), counts(0, 2));
    assert_eq!(state(&desk, &version("gone-since"))["state"], "DESTROYED");
    assert_eq!(wrapped_keys(&deployment, &key("gone-since")), [""; 0]);
    expect_code(&deployment.verify_log(), 0);
}

async fn rewrap(deployment: &Deployment) -> Vec<RewrapKeysResponse> {
    let officer = deployment.client(OFFICER).await;
    let request = RewrapKeysRequest { parent: ORG1.into(), request_id: id(), confirm: "org1".into() };
    let mut answers = officer.keys().rewrap_keys(request).await.unwrap().into_inner();
    let mut all = Vec::new();
    while let Some(answer) = answers.message().await.unwrap() {
        all.push(answer);
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_were_wrapped_anew_sign_and_a_backup_from_before_still_restores() {
    let mut deployment = Deployment::start();
    {
        let desk = Desk::at(&deployment);
        make_keys(&desk);
        back_up(&desk, 2, "backup");
        std::fs::copy(desk.path("backup"), deployment.dir().join("the-backup")).unwrap();
        let before = blobs(&deployment);
        let answers = rewrap(&deployment).await;
        let told: Vec<_> = answers.iter().map(|told| (told.done, told.total, told.generation, told.finished)).collect();
        assert_eq!(told.last(), Some(&(3, 3, 2, true)), "{told:?}");
        assert!(told.len() > 1 && told.is_sorted() && told.iter().all(|told| told.1 == 3), "{told:?}");
        let after = blobs(&deployment);
        assert_eq!(after.len(), before.len());
        assert!(before.iter().zip(&after).all(|(before, after)| before.0 == after.0 && before.1 != after.1));
        assert!(KEYS.iter().all(|id| signs(&desk, id)));
    }
    // Opened under the new generation, not still open.
    deployment.stop();
    deployment.serve();
    assert!(KEYS.iter().all(|id| signs(&Desk::at(&deployment), id)));

    deployment.stop();
    assert_eq!(lose_wrapped_keys(&deployment), 3);
    deployment.serve();
    let desk = Desk::at(&deployment);
    let backup = deployment.dir().join("the-backup").to_str().unwrap().to_owned();
    let answer = restore(&deployment, &desk, &backup, &log_of(&deployment));
    assert_eq!(answer["restored"], 3);
    assert!(KEYS.iter().all(|id| signs(&desk, id)));
    assert_eq!(
        desk.run(OFFICER, "keys rewrap org1 --confirm org1"),
        serde_json::json!({ "rewrapped": 3, "generation": 3 })
    );
    assert!(KEYS.iter().all(|id| signs(&desk, id)));
    expect_code(&deployment.verify_log(), 0);
}

/// Whatever is to open it says that it was tampered with, and whose it is; and neither backup nor rewrap goes past it.
#[test]
fn a_wrapped_key_that_was_changed_is_named_by_whoever_meets_it() {
    let mut deployment = Deployment::start();
    {
        let desk = Desk::at(&deployment);
        make_keys(&desk);
        back_up(&desk, 2, "backup");
        std::fs::copy(desk.path("backup"), deployment.dir().join("the-backup")).unwrap();
    }
    deployment.stop();
    change_wrapped_key(&deployment, &version("second"));
    deployment.serve();
    let desk = Desk::at(&deployment);
    let message = desk.file("message", "a message");
    for (client, line) in [
        (NODE, format!("sign {} --in {message} --out {}", key("second"), desk.path("signature"))),
        (OFFICER, backing_up(&desk, 2, "damaged")),
        (OFFICER, "keys rewrap org1 --confirm org1".to_owned()),
        (OFFICER, format!("keys attest {} --out {}", key("second"), desk.path("statement"))),
    ] {
        let refused = desk.refused(client, &line);
        assert_eq!((refused.exit_code, refused.reason.as_str()), (65, "WRAPPED_KEY_INVALID"), "{line}: {refused:?}");
        assert!(refused.message.contains(&version("second")), "{line}: {refused:?}");
    }
    // The others are as good as before, and what was damaged comes back once it is removed.
    assert!(signs(&desk, "first"));
    let backup = deployment.dir().join("the-backup").to_str().unwrap().to_owned();
    assert_eq!(restore(&deployment, &desk, &backup, "--without-log")["present"], 3);
    drop(desk);
    deployment.stop();
    assert_eq!(lose_wrapped_keys(&deployment), 3);
    deployment.serve();
    let desk = Desk::at(&deployment);
    assert_eq!(restore(&deployment, &desk, &backup, "--without-log")["restored"], 3);
    assert!(KEYS.iter().all(|id| signs(&desk, id)));
}
