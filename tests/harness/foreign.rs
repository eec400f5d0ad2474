//! Programs in Python, Node and Java. Python's and Node's libraries are installed once under the target folder, by
//! tests/pkcs11/install.sh; Java's own suffices.
#![allow(dead_code, unreachable_pub, reason = "each suite uses a part; a test has no public")]

use crate::harness::chanceryd;
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

const PROGRAMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pkcs11");

/// A program of these tests in a language that runs it from its source.
#[derive(Debug, Clone)]
pub struct Script {
    /// What runs it.
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
    pub environment: Vec<(&'static str, OsString)>,
}

impl Script {
    fn new(program: impl Into<PathBuf>, source: PathBuf) -> Self {
        assert!(source.exists(), "{} is missing", source.display());
        Self { program: program.into(), arguments: vec![source.into()], environment: Vec::new() }
    }

    /// tests/pkcs11/python/NAME.
    pub fn python(name: &str) -> Self {
        let mut script = Self::new(python(), Path::new(PROGRAMS).join("python").join(name));
        script.environment.push(("PYTHONDONTWRITEBYTECODE", "1".into()));
        script
    }

    /// tests/pkcs11/node/NAME.
    pub fn node(name: &str) -> Self {
        let mut script = Self::new("node", Path::new(PROGRAMS).join("node").join(name));
        script.environment.push(("NODE_PATH", node_path().into()));
        script
    }

    /// tests/pkcs11/java/NAME.
    pub fn java(name: &str) -> Self {
        let mut script = Self::new("java", Path::new(PROGRAMS).join("java").join(name));
        script.arguments.insert(0, "-XX:TieredStopAtLevel=1".into());
        script
    }

    /// To be run as it is.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        self.complete(&mut command);
        command
    }

    /// Adds what it needs to a command that runs [`Script::program`].
    pub fn complete(&self, command: &mut Command) {
        command.args(&self.arguments).envs(self.environment.iter().cloned());
    }
}

/// Python with its libraries.
pub fn python() -> PathBuf {
    installed("python").join("bin/python")
}

/// Where Node finds its libraries, through require.
pub fn node_path() -> PathBuf {
    installed("node").join("node_modules")
}

fn installed(what: &str) -> PathBuf {
    let folder = chanceryd().with_file_name("pkcs11-clients").join(what);
    let mut command = Command::new(Path::new(PROGRAMS).join("install.sh"));
    let output = command.arg(what).arg(&folder).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {said}: is everything here that `scripts/setup.sh test` installs?");
    folder
}
