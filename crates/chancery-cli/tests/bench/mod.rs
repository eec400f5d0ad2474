//! A service on loopback, and the command as a user of it runs it.

use crate::{
    deployment::{Deployment, Running},
    service::Service,
};
use serde_json::Value;
use std::{
    net::Ipv4Addr,
    path::PathBuf,
    process::{Command, Output, Stdio},
    sync::LazyLock,
};
use tonic_health::ServingStatus;

/// Keeps the server's tasks going while a test waits for the command.
pub(crate) static RUNTIME: LazyLock<tokio::runtime::Runtime> =
    LazyLock::new(|| tokio::runtime::Runtime::new().unwrap());

/// A service, and the files of a client that it accepts.
pub(crate) struct Bench {
    pub(crate) service: Service,
    pub(crate) deployment: Deployment,
    config: PathBuf,
    _running: Running,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with_health(ServingStatus::Serving)
    }

    pub(crate) fn with_health(status: ServingStatus) -> Self {
        let (service, deployment) = (Service::new(), Deployment::new());
        let running = RUNTIME
            .block_on(async { deployment.serve((Ipv4Addr::LOCALHOST, 0).into(), service.routes(status).await).await });
        let config = deployment.write("peer0", &deployment.good(&running.addresses()));
        Self { service, deployment, config, _running: running }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.deployment.dir.path().join(name)
    }

    /// Runs `chancery` in the test's folder.
    pub(crate) fn run(&self, line: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_chancery"))
            .current_dir(self.deployment.dir.path())
            .env("CHANCERY_CONFIG", &self.config)
            .args(line.split_whitespace())
            // Whoever runs the tests may have a terminal; the command must not ask there.
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    pub(crate) fn succeeds(&self, line: &str) -> Vec<u8> {
        let output = self.run(line);
        assert!(output.status.success(), "{line}: {output:?}");
        output.stdout
    }

    pub(crate) fn json(&self, line: &str) -> Value {
        serde_json::from_slice(&self.succeeds(&format!("--output json {line}"))).unwrap()
    }

    /// What people read.
    pub(crate) fn table(&self, line: &str) -> String {
        String::from_utf8(self.succeeds(line)).unwrap()
    }

    /// The exit code and the error object.
    pub(crate) fn fails(&self, line: &str) -> (i32, Value) {
        let output = self.run(&format!("--output json {line}"));
        let error: Value = serde_json::from_slice(&output.stderr).unwrap();
        (output.status.code().unwrap(), error["error"].clone())
    }
}
