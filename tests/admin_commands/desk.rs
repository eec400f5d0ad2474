//! Where an officer sits: an organization of the test's own, and the command to type.

use crate::{
    authority::{Authority, Member},
    harness::{expect_code, program},
    shared::deployment,
};
use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};
use tempfile::TempDir;

/// An organization that the platform operator made by the command, and its first officer.
pub(crate) struct Desk {
    pub(crate) ca: Authority,
    pub(crate) officer: Member,
    directory: TempDir,
}

/// Runs `chancery` as whoever the configuration is of, in no directory in particular.
fn run(config: &Path, line: &str) -> Output {
    let chancery = Command::new(program("chancery"))
        .arg("--config")
        .arg(config)
        .args(line.split_whitespace())
        .stdin(Stdio::null())
        .output();
    chancery.unwrap()
}

/// Runs it as the platform operator.
pub(crate) fn operator(line: &str) -> Output {
    run(&deployment().client_dir("platform-operator").join("client.toml"), line)
}

impl Desk {
    /// Makes the organization: its authority may name peers `peer*` and clients.
    pub(crate) fn new(id: &str) -> Self {
        let ca = Authority::p256(&format!("/O={id}/CN=ca.{id}"));
        let officer = ca.member(deployment(), "alice", "staff", 1);
        let desk = Self { ca, officer, directory: TempDir::new().unwrap() };
        let made = operator(&format!(
            "organizations create {id} --anchor {} --anchor-peer peer* --anchor-client * --officer {} \
             --enrolling-roles peer",
            desk.ca.path("ca.pem"),
            desk.file("alice.pem", &desk.officer.certificate)
        ));
        expect_code(&made, 0);
        desk
    }

    /// A file with this content; its path.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// A place for a file.
    pub(crate) fn path(&self, name: &str) -> String {
        self.directory.path().join(name).to_str().unwrap().to_owned()
    }

    /// What the officer reads: stdout of a line that must succeed.
    pub(crate) fn table(&self, line: &str) -> String {
        let output = run(&self.officer.config(), line);
        expect_code(&output, 0);
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same as JSON.
    pub(crate) fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.table(&format!("--output json {line}"))).unwrap()
    }

    /// What the officer is told where the line ends with this code.
    pub(crate) fn told(&self, line: &str, code: i32) -> String {
        told(&self.officer, line, code)
    }

    /// A node of its authority, with this common name and serial number.
    pub(crate) fn peer(&self, name: &str, serial: u64) -> Member {
        self.ca.member(deployment(), name, "peer", serial)
    }
}

/// What someone is told, on stderr, where the line ends with this code.
pub(crate) fn told(member: &Member, line: &str, code: i32) -> String {
    let output = run(&member.config(), line);
    expect_code(&output, code);
    String::from_utf8(output.stderr).unwrap()
}

/// Why someone is not let in, or nothing.
pub(crate) fn refusal(member: &Member) -> Option<String> {
    let output = run(&member.config(), "--output json audit checkpoint");
    let error: Value = match output.status.code() {
        Some(0) => return None,
        _ => serde_json::from_slice(&output.stderr).unwrap(),
    };
    assert_eq!(output.status.code(), Some(77), "{error}");
    Some(error["error"]["reason"].as_str().unwrap().to_owned())
}
