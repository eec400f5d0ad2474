//! A key's life by the `chancery` command alone, and what it says when something is refused: what to do next.

use crate::{
    harness::expect_code,
    parties::{PATIENCE, refused},
    shared::{deployment, key},
};
use std::{
    process::{Command, Output},
    time::Instant,
};
use tempfile::TempDir;

fn chancery(client: &str, line: &str) -> Output {
    deployment().chancery(client, &line.split_whitespace().collect::<Vec<_>>())
}

fn done(client: &str, line: &str) -> String {
    let output = chancery(client, line);
    expect_code(&output, 0);
    String::from_utf8(output.stdout).unwrap()
}

/// What the officer is told of a refusal.
fn rejected(line: &str) -> String {
    let output = chancery("org1-security", line);
    expect_code(&output, 65);
    String::from_utf8(output.stderr).unwrap()
}

/// The state of a key's version, as JSON has it.
fn state(name: &str, number: usize) -> String {
    let shown: serde_json::Value =
        serde_json::from_str(&done("org1-security", &format!("--output json keys show {name}"))).unwrap();
    shown["versions"][number - 1]["state"].as_str().unwrap_or_else(|| panic!("{shown:#}")).to_owned()
}

#[test]
fn a_life_by_the_command() {
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (name, file, signature) = (key("cli-life"), path("file"), path("signature"));
    std::fs::write(&file, b"m").unwrap();
    let version = format!("{name}/versions/1");
    let signs =
        |code| expect_code(&chancery("org1-peer0", &format!("sign {name} --in {file} --out {signature}")), code);
    done("org1-security", &format!("keys create {name} --algorithm sm2 --protection enclave --owner peer0"));
    signs(0);
    let told = rejected(&format!("keys activate {version}"));
    assert!(told.contains("ACTIVE") && told.contains("`suspend`") && told.contains("`deactivate`"), "{told}");
    done("org1-security", &format!("keys suspend {version}"));
    signs(65);
    let told = rejected(&format!("keys rotate {name}"));
    assert!(told.contains("SUSPENDED") && told.contains("activate or deactivate it"), "{told}");
    done("org1-security", &format!("keys activate {version}"));
    signs(0);
    done("org1-security", &format!("keys rotate {name}"));
    assert_eq!((state(&name, 1), state(&name, 2)), ("ACTIVE".into(), "ACTIVE".into()));
    done("org1-security", &format!("keys deactivate {version}"));
    let checks = format!("verify {version} --in {file} --signature {signature}");
    expect_code(&chancery("org1-peer0", &checks), 0);

    // Nothing is done before the key is named once more.
    let unnamed = chancery("org1-security", &format!("keys destroy {version} --after 1s"));
    expect_code(&unnamed, 64);
    assert!(String::from_utf8_lossy(&unnamed.stderr).contains("--confirm cli-life"), "{unnamed:?}");
    assert_eq!(state(&name, 1), "DEACTIVATED");
    done("org1-security", &format!("keys destroy {version} --after 20d --confirm cli-life"));
    let told = rejected(&format!("keys activate {version}"));
    assert!(told.contains("`restore`"), "it can be called off: {told}");
    done("org1-security", &format!("keys restore {version}"));
    done("org1-security", &format!("keys compromise {version}"));
    done("org1-security", &format!("keys destroy {version} --after 1s --confirm cli-life"));
    let start = Instant::now();
    while state(&name, 1) != "DESTROYED" {
        assert!(start.elapsed() < PATIENCE, "it is not destroyed");
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    let shown = done("org1-security", &format!("keys show {name}"));
    assert!(shown.contains("could be revived by copies of the store"), "{shown}");
    assert!(rejected(&format!("keys restore {version}")).contains("possible"));
    let rewrapped = done("org1-security", "keys rewrap --confirm org1");
    assert!(rewrapped.contains("are wrapped under generation"), "{rewrapped}");
    assert!(!done("org1-security", &format!("keys show {name}")).contains("revived"));
    signs(0);
    assert!(done("org1-security", "keys confirm-clock").contains("not frozen"));
}

/// Whoever brought a key says what follows it: not the service.
#[tokio::test]
async fn an_imported_key_is_followed_by_an_imported_one() {
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let name = key("cli-imported");
    let import = |file: &str, more: &str| {
        let pem = path(file);
        let made = Command::new("openssl")
            .args(["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", &pem])
            .output()
            .unwrap();
        expect_code(&made, 0);
        let audit_key = deployment().dir().join("audit.vkey");
        done("org1-security", &format!("keys import {name} --in {pem} --audit-key {} {more}", audit_key.display()));
    };
    import("first.pem", "--protection enclave --owner peer0");
    let told = rejected(&format!("keys rotate {name}"));
    assert!(told.contains("imported") && told.contains("Import the next version"), "{told}");
    let parties = crate::parties::Parties::of(deployment()).await;
    let told = refused(parties.rotate(&name).await, chancery_api::reasons::WRONG_STATE);
    assert!(told.contains("ImportKey"), "{told}");
    import("second.pem", "");
    assert_eq!((state(&name, 1), state(&name, 2)), ("ACTIVE".into(), "PRE_ACTIVE".into()));
    assert_eq!(parties.sign(&name, b"m").await.unwrap().name, format!("{name}/versions/1"));
    done("org1-security", &format!("keys activate {name}/versions/2"));
    assert_eq!(parties.sign(&name, b"m").await.unwrap().name, format!("{name}/versions/2"));
}
