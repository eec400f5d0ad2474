//! The base set read again while the service runs: by RPC and by SIGHUP, whole or not at all.

use crate::{
    desk::{Desk, is_denied},
    harness::{expect_code, signal},
    shared::{call, id},
};
use chancery_api::v1::ReloadPoliciesRequest;
use chancery_client::Code;
use std::{fs, time::Duration};

const FREEZE: &str = r#"
@id("base-freeze")
forbid (principal, action == Chancery::Action::"Sign", resource)
when { resource.name == "frozen" };
"#;

/// The audit log's bytes: what stands in it, for whoever has the files.
fn log(desk: &Desk) -> Vec<u8> {
    let mut segments: Vec<_> = fs::read_dir(desk.deployment.dir().join("audit")).unwrap().flatten().collect();
    segments.sort_by_key(|entry| entry.file_name());
    segments.iter().flat_map(|entry| fs::read(entry.path()).unwrap_or_default()).collect()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn the_operator_reloads_the_base_set_and_a_broken_file_changes_nothing() {
    let desk = Desk::new(&["frozen", "free"]).await;
    let operator = desk.client("platform-operator").await;
    let reload = || async { call(operator.admin().reload_policies(ReloadPoliciesRequest { request_id: id() })).await };
    let before = desk.current().await;
    let same = reload().await.unwrap();
    assert!(same.unchanged && same.hash == before.base_hash);

    fs::write(desk.base_file("freeze.cedar"), FREEZE).unwrap();
    desk.sign("frozen").await.unwrap();
    let loaded = reload().await.unwrap();
    assert!(!loaded.unchanged && loaded.hash != before.base_hash);
    assert!(is_denied(&desk.sign("frozen").await), "on the open connection");
    desk.sign("free").await.unwrap();
    let now = desk.current().await;
    assert_eq!(now.base_hash, loaded.hash);
    assert!(now.base.iter().any(|file| file.path == "freeze.cedar" && file.text == FREEZE));
    assert!(contains(&log(&desk), FREEZE.as_bytes()), "its text stands in the log");

    fs::write(desk.base_file("freeze.cedar"), FREEZE.replace("resource.name", "resource.naem")).unwrap();
    let error = reload().await.unwrap_err();
    assert_eq!((error.code, error.reason.as_deref()), (Code::InvalidArgument, Some("INVALID_POLICY")), "{error}");
    let told = &error.violations[0].description;
    assert!(told.starts_with("freeze.cedar:4:") && told.contains("name"), "{told}");
    assert_eq!(desk.current().await, now);
    assert!(is_denied(&desk.sign("frozen").await), "the set before is in force");
    assert!(desk.deployment.stderr().contains("the set in force stays"), "the service's log says so");

    for other in ["org1-security", "org1-auditor", "org1-peer0"] {
        let client = desk.client(other).await;
        let answer = call(client.admin().reload_policies(ReloadPoliciesRequest { request_id: id() })).await;
        assert!(is_denied(&answer), "{other}");
    }
}

#[tokio::test]
async fn sighup_reloads_it_too() {
    let mut desk = Desk::new(&["frozen"]).await;
    let before = desk.current().await.base_hash;
    let changed = async |desk: &Desk, from: &[u8]| {
        for _ in 0..600 {
            let hash = desk.current().await.base_hash;
            if hash != from {
                return hash;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("nothing was reloaded: {}", desk.deployment.stderr());
    };
    fs::write(desk.base_file("freeze.cedar"), FREEZE).unwrap();
    signal(desk.deployment.pid(), "HUP");
    let frozen = changed(&desk, &before).await;
    assert!(is_denied(&desk.sign("frozen").await));

    // A broken file is told in the service's log; the service goes on with what it has.
    fs::write(desk.base_file("freeze.cedar"), "forbid (principal, action, resource);").unwrap();
    signal(desk.deployment.pid(), "HUP");
    for _ in 0..600 {
        if desk.deployment.stderr().contains("the set in force stays") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(desk.deployment.stderr().contains("freeze.cedar:1:1"), "{}", desk.deployment.stderr());
    assert_eq!(desk.current().await.base_hash, frozen);
    assert!(is_denied(&desk.sign("frozen").await));

    fs::remove_file(desk.base_file("freeze.cedar")).unwrap();
    signal(desk.deployment.pid(), "HUP");
    assert_eq!(changed(&desk, &frozen).await, before);
    desk.sign("frozen").await.unwrap();
    desk.restart().await;
    desk.sign("frozen").await.unwrap();
}

#[tokio::test]
async fn the_command_says_what_became_of_it() {
    let desk = Desk::new(&[]).await;
    let reloaded = desk.deployment.chancery("platform-operator", &["policy", "reload"]);
    expect_code(&reloaded, 0);
    assert!(String::from_utf8_lossy(&reloaded.stdout).contains("the same as before"));
    fs::write(desk.base_file("own.cedar"), "@id(\"a\")\nforbid (principal, action, resource").unwrap();
    let refused = desk.deployment.chancery("platform-operator", &["policy", "reload"]);
    expect_code(&refused, 65);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(told.contains("own.cedar:2:") && told.contains("stays"), "{told}");
    let offline = desk.deployment.dir().join("policies");
    let checked = desk.deployment.chancery("platform-operator", &["policy", "check", offline.to_str().unwrap()]);
    expect_code(&checked, 65);
    assert!(String::from_utf8_lossy(&checked.stderr).contains("own.cedar:2:"), "the same offline");
    expect_code(&desk.deployment.chancery("org1-security", &["policy", "reload"]), 77);
}
