//! Programs in Go (tests/pkcs11/go), built with the system's Go and Debian's packages of libraries: nothing is downloaded.
#![allow(dead_code, unreachable_pub, reason = "each suite uses a part; a test has no public")]

use crate::harness::chanceryd;
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
};

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pkcs11/go");
/// Where Debian installs the sources of libraries.
const LIBRARIES: &str = "/usr/share/gocode";

/// One build at a time: they share what they compile.
static BUILDING: Mutex<()> = Mutex::new(());

/// The program that runs a package's tests.
pub fn tests_of(package: &str) -> PathBuf {
    build(&["test", "-c"], package, &format!("{package}.test"))
}

/// A package's program.
pub fn program_of(package: &str) -> PathBuf {
    build(&["build"], package, package)
}

fn build(verb: &[&str], package: &str, name: &str) -> PathBuf {
    let _one = BUILDING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let directory = chanceryd().with_file_name("go");
    let program = directory.join(name);
    let mut command = Command::new("go");
    command.args(verb).arg("-o").arg(&program).arg(package).envs(environment(&directory));
    let output = command.output().unwrap_or_else(|error| panic!("go: {error}: run `scripts/setup.sh test`"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    program
}

fn environment(directory: &Path) -> [(&'static str, String); 5] {
    [
        ("GO111MODULE", "off".into()),
        ("GOPATH", format!("{SOURCES}:{LIBRARIES}")),
        ("GOCACHE", directory.join("cache").display().to_string()),
        ("GOFLAGS", String::new()),
        ("CGO_ENABLED", "1".into()),
    ]
}
