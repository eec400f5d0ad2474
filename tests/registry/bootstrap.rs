//! `chanceryd init`: one organization runs the service.

use crate::harness::{chanceryd, expect_code};
use crate::shared::deployment;
use std::{fs, path::Path, process::Command};
use tempfile::TempDir;

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() { copy(&from, &to) } else { _ = fs::copy(&from, &to).unwrap() }
    }
}

#[test]
fn two_operators_organizations_are_refused_before_anything_is_made() {
    let (dir, home) = (deployment().dir(), TempDir::new().unwrap());
    for part in ["policies", "identity", "clients"] {
        copy(&dir.join(part), &home.path().join(part));
    }
    fs::copy(dir.join("pin"), home.path().join("pin")).unwrap();
    let text = fs::read_to_string(dir.join("chancery.toml")).unwrap();
    let officer = "role = \"auditor\"\ncertificate = \"clients/org2-auditor/cert.pem\"";
    assert!(text.contains(officer), "{text}");
    let config = home.path().join("chancery.toml");
    fs::write(&config, text.replace(officer, &officer.replace("auditor\"\n", "platform-operator\"\n"))).unwrap();
    let output = Command::new(chanceryd()).args(["init", "--config"]).arg(&config).output().unwrap();
    expect_code(&output, 78);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("organizations/org2 and organizations/platform both have a platform-operator"), "{told}");
    assert!(!home.path().join("data").exists(), "nothing was made");
}
