//! What a person at a terminal is asked, and a script is not: `script` (util-linux) is the terminal.

use crate::{
    harness::{Deployment, expect_code, program},
    shared::key,
};
use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

/// Runs the command at a terminal, and types a line.
fn at_terminal(deployment: &Deployment, line: &str, typed: &str) -> Output {
    let config = deployment.client_dir("org1-security").join("client.toml");
    let command = format!("{} --config {} {line}", program("chancery").display(), config.display());
    let mut process = Command::new("script")
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    process.stdin.take().unwrap().write_all(format!("{typed}\n").as_bytes()).unwrap();
    process.wait_with_output().unwrap()
}

#[test]
fn a_person_types_the_name_and_a_script_gives_it() {
    let deployment = Deployment::start();
    let run = |line: &str| deployment.chancery("org1-security", &line.split_whitespace().collect::<Vec<_>>());
    let name = key("typed");
    expect_code(&run(&format!("keys create {name} --algorithm ec-p256 --protection enclave --owner peer0")), 0);
    let version = format!("{name}/versions/1");
    let state = || {
        let shown = run(&format!("--output json keys show {name}"));
        let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
        shown["versions"][0]["state"].as_str().unwrap().to_owned()
    };
    for line in ["keys destroy", "keys deactivate", "keys compromise"] {
        let line = format!("{line} {version}");
        let wrong = at_terminal(&deployment, &line, "yes");
        let told = String::from_utf8_lossy(&wrong.stdout).into_owned();
        assert_eq!(wrong.status.code(), Some(64), "{told}");
        assert!(told.contains("Type typed to do it") && told.contains("nothing was done"), "{told}");
        assert_eq!(state(), "ACTIVE", "{line}");
    }
    // Without a terminal, what destroys is refused and names the flag.
    for (line, flag) in
        [(format!("keys destroy {version}"), "--confirm typed"), ("keys rewrap org1".into(), "--confirm org1")]
    {
        let refused = run(&line);
        expect_code(&refused, 64);
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(told.contains(flag), "{told}");
    }
    expect_code(&run(&format!("keys deactivate {version} --confirm another")), 64);
    assert_eq!(state(), "ACTIVE");
    let done = at_terminal(&deployment, &format!("keys deactivate {version}"), "typed");
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stdout));
    assert_eq!(state(), "DEACTIVATED");
    expect_code(&run(&format!("keys compromise {version}")), 0);
}
