//! Keys that are wrapped anew while they are used and backed up.

use crate::{
    backups::back_up,
    desk::{Desk, NODE, OFFICER, OWNER},
    harness::{Deployment, expect_code},
    shared::key,
};
use serde_json::json;
use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

const KEYS: u64 = 20;
const ROUNDS: u64 = 4;

#[test]
fn signatures_and_backups_go_on_while_keys_are_wrapped_anew() {
    let deployment = Deployment::start();
    let desk = Desk::at(&deployment);
    for number in 0..KEYS {
        let how = "--algorithm ec-p256 --protection enclave";
        desk.run(OFFICER, &format!("keys create {} {how} --owner {OWNER}", key(&format!("wrapped-{number}"))));
    }
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let backups = scope.spawn(|| {
            let desk = Desk::at(&deployment);
            let mut made = 0;
            while made == 0 || !done.load(Ordering::Acquire) {
                let backup = back_up(&desk, 2, &format!("backup-{made}"));
                assert_eq!(backup["versions"], KEYS);
                made += 1;
            }
        });
        let signatures = scope.spawn(|| {
            let desk = Desk::at(&deployment);
            let mut number = 0;
            while number == 0 || !done.load(Ordering::Acquire) {
                desk.sign(&key(&format!("wrapped-{}", number % KEYS)), b"a message");
                number += 1;
            }
        });
        for round in 0..ROUNDS {
            if backups.is_finished() || signatures.is_finished() {
                break;
            }
            let answer = desk.run(OFFICER, "keys rewrap org1 --confirm org1");
            assert_eq!(answer, json!({ "rewrapped": KEYS, "generation": round + 2 }));
        }
        done.store(true, Ordering::Release);
        backups.join().unwrap();
        signatures.join().unwrap();
    });
    assert_eq!(desk.refused(NODE, "keys rewrap org1 --confirm org1").reason, "DENIED");
    assert_eq!(desk.refused("org2-security", "keys rewrap org1 --confirm org1").reason, "DENIED");
    expect_code(&deployment.verify_log(), 0);
}
