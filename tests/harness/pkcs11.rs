//! Programs that load the PKCS#11 module, as one of the deployment's clients and for a bounded time.
//!
//! **Invariant**: none outlives [`LONGEST`], however it hangs.
#![allow(dead_code, unreachable_pub, reason = "each suite uses a part; a test has no public")]

use crate::harness::{Deployment, program};
use std::{
    ffi::OsStr,
    path::PathBuf,
    process::{Command, Stdio},
};

/// The token's label in org1's `pkcs11.toml`, and its PIN.
pub const LABEL: &str = "org1";
pub const PIN: &str = "1234";

/// For one run of a program, seconds: several times a call's deadline.
pub const LONGEST: &str = "150";

/// `target/…/libchancery_pkcs11.so`.
pub fn module() -> PathBuf {
    program("libchancery_pkcs11.so")
}

/// A program that may load the module, as a client such as `org1-peer0`.
pub fn as_client(deployment: &Deployment, client: &str, program: impl AsRef<OsStr>) -> Command {
    let mut command = bounded(program);
    command.env("CHANCERY_PKCS11_CONF", deployment.client_dir(client).join("pkcs11.toml"));
    command
}

/// A program that ends in time. SIGTERM reaches it through `timeout`, SIGKILL does not.
pub fn bounded(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", LONGEST]).arg(program).stdin(Stdio::null());
    command
}

/// How a program ended, and what it printed.
#[derive(Debug)]
pub struct Ended {
    /// 124 and 137: it took longer than it may. None: a signal ended it.
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    /// Both streams, for people and for errors.
    pub text: String,
}

/// Runs a program to its end.
pub fn run(command: &mut Command) -> Ended {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let text = format!("{out}{err}");
    Ended { code: output.status.code(), stdout: output.stdout, text }
}

/// The same for a program that must succeed; fails with what it printed.
pub fn succeed(command: &mut Command) -> Ended {
    let ended = run(command);
    assert_eq!(ended.code, Some(0), "{command:?}: {}", ended.text);
    ended
}

/// The same for a program that must fail by itself: not by a signal, and not by taking too long.
pub fn fail(command: &mut Command) -> Ended {
    let ended = run(command);
    let by_itself = ended.code.is_some_and(|code| code != 0 && !(124..=137).contains(&code));
    assert!(by_itself, "{command:?}: {:?}: {}", ended.code, ended.text);
    ended
}
