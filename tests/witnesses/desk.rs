//! A deployment with a witness policy, and witnesses of its organizations.
//!
//! **Invariant**: a running witness ends with its [`Running`].

use crate::harness::{Deployment, expect_code, program};
use chancery_api::v1::Witnessing;
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Waits for what comes in its own time.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "in a minute, {what} did not come");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Witnesses' keys and states.
pub(crate) struct Witnesses {
    directory: TempDir,
}

/// A witness that follows the log.
pub(crate) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Witnesses {
    /// Makes keys and states for these organizations; the policy's lines.
    pub(crate) fn new(organizations: &[&str]) -> (Self, String) {
        let witnesses = Self { directory: TempDir::new().unwrap() };
        let lines = organizations.iter().map(|organization| {
            let output = Command::new(program("chancery"))
                .args(["audit", "witness", "init", "--organization", organization, "--key"])
                .arg(witnesses.key(organization))
                .arg("--state")
                .arg(witnesses.state(organization))
                .output()
                .unwrap();
            expect_code(&output, 0);
            String::from_utf8(output.stdout).unwrap()
        });
        let lines = lines.collect();
        (witnesses, lines)
    }

    pub(crate) fn key(&self, organization: &str) -> PathBuf {
        self.directory.path().join(format!("{organization}.key"))
    }

    pub(crate) fn state(&self, organization: &str) -> PathBuf {
        self.directory.path().join(organization)
    }

    /// The directories of evidence that a witness wrote.
    pub(crate) fn evidence(&self, organization: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.state(organization)).unwrap().flatten();
        let evidence = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("evidence-"));
        evidence.map(|entry| entry.path()).collect()
    }

    fn command(&self, organization: &str, deployment: &Deployment) -> Command {
        let client = deployment.client_dir(&format!("{organization}-auditor"));
        let mut command = Command::new(program("chancery"));
        command.args(["audit", "witness", "run", "--interval", "200ms", "--config"]).arg(client.join("client.toml"));
        command.arg("--key").arg(self.key(organization)).arg("--state").arg(self.state(organization));
        command.arg("--log-key").arg(deployment.dir().join("audit.vkey"));
        command
    }

    /// Has a witness look at the log once.
    pub(crate) fn once(&self, organization: &str, deployment: &Deployment) -> Output {
        self.command(organization, deployment).arg("--once").output().unwrap()
    }

    /// The same, and it must have cosigned.
    pub(crate) fn cosign(&self, organization: &str, deployment: &Deployment) {
        expect_code(&self.once(organization, deployment), 0);
    }

    /// Has a witness follow the log.
    pub(crate) fn run(&self, organization: &str, deployment: &Deployment) -> Running {
        let mut command = self.command(organization, deployment);
        Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

/// Gives the deployment this policy and starts it anew.
pub(crate) fn demand(deployment: &mut Deployment, policy: &str) {
    deployment.stop();
    let path = deployment.dir().join("chancery.toml");
    let text = fs::read_to_string(&path).unwrap();
    if !text.contains("[witnesses]") {
        fs::write(&path, format!("{text}\n[witnesses]\npolicy = \"witnesses.policy\"\n")).unwrap();
    }
    fs::write(deployment.dir().join("witnesses.policy"), policy).unwrap();
    deployment.serve();
}

/// A deployment whose two organizations must both cosign.
pub(crate) fn watched() -> (Deployment, Witnesses) {
    let mut deployment = Deployment::start();
    let (witnesses, lines) = Witnesses::new(&["org1", "org2"]);
    demand(&mut deployment, &format!("{lines}group members all org1 org2\nquorum members\n"));
    (deployment, witnesses)
}

/// Both witnesses look at the log once; keys can be used then.
pub(crate) fn open(deployment: &Deployment, witnesses: &Witnesses) {
    ["org1", "org2"].iter().for_each(|organization| witnesses.cosign(organization, deployment));
    until("health", || health(deployment) == "SERVING");
}

/// `chancery status` as JSON.
pub(crate) fn status(deployment: &Deployment) -> Value {
    let output = deployment.chancery("org1-auditor", &["--output", "json", "status"]);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

pub(crate) fn health(deployment: &Deployment) -> String {
    status(deployment)["health"].as_str().unwrap().to_owned()
}

/// Has an officer make a key: the log grows. Fails at once while the service refuses.
pub(crate) fn create(deployment: &Deployment, id: &str) -> Output {
    let client = deployment.client_dir("org1-security").join("client.toml");
    let hasty = client.with_file_name("hasty.toml");
    let text = fs::read_to_string(&client).unwrap().replace("[log]", "deadline = \"3s\"\n\n[log]");
    fs::write(&hasty, text).unwrap();
    let name = format!("organizations/org1/keys/{id}");
    Command::new(program("chancery"))
        .arg("--config")
        .arg(hasty)
        .args(["--output", "json", "keys", "create", &name, "--algorithm", "ec-p256", "--owner", "peer0"])
        .output()
        .unwrap()
}

/// How the service says that things stand with its witnesses.
pub(crate) async fn witnessing(deployment: &Deployment) -> Witnessing {
    let client = deployment.client("org1-auditor").await;
    let answer = client.audit().get_checkpoint(chancery_api::v1::GetCheckpointRequest {}).await.unwrap();
    answer.into_inner().witnessing.unwrap()
}

/// A text file of a directory.
pub(crate) fn text(directory: &Path, name: &str) -> String {
    fs::read_to_string(directory.join(name)).unwrap()
}

/// What a command said on stderr.
pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
