//! A module's configuration with credentials that no service knows, and a client in C that is given it.

use rcgen::{CertificateParams, KeyPair};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::OnceLock,
};
use tempfile::TempDir;

/// See the module.
pub(crate) struct Place(TempDir);

impl Place {
    /// Two slots, of which the first has a PIN file that says 1234.
    pub(crate) fn new() -> Self {
        let place = Self(TempDir::new().unwrap());
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["localhost".into()]).unwrap().self_signed(&key).unwrap();
        place.write("ca.pem", &certificate.pem());
        place.write("cert.pem", &certificate.pem());
        place.write("key.pem", &key.serialize_pem());
        place.write("pin", "1234\n");
        place.write("pkcs11.toml", &Self::configuration());
        place
    }

    /// Nothing listens on port 1.
    pub(crate) fn configuration() -> String {
        let slot = |label: &str, more: &str| {
            format!("[[slot]]\nlabel = \"{label}\"\norganization = \"organizations/org1\"\n{more}\n")
        };
        "addresses = [\"127.0.0.1:1\"]\nca = \"ca.pem\"\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\ndeadline = \"1s\"\n\n"
            .to_owned()
            + &slot("first", "pin_file = \"pin\"\nquirks = []")
            + &slot("second", "")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// A probe that finds this configuration.
    pub(crate) fn probe(&self, name: &str) -> Command {
        probe(name, &self.path("pkcs11.toml"))
    }

    /// Runs one that must hold.
    pub(crate) fn holds(&self, name: &str) {
        holds(name, &self.path("pkcs11.toml"));
    }
}

/// A probe of probe.c; the environment names the configuration.
fn probe(name: &str, configuration: &Path) -> Command {
    let mut command = Command::new(client());
    command.arg(module()).arg(name).env("CHANCERY_PKCS11_CONF", configuration).env_remove("CHANCERY_PKCS11_LOG");
    command
}

/// Runs a probe that must hold, and says nothing.
pub(crate) fn holds(name: &str, configuration: &Path) {
    let output = probe(name, configuration).output().unwrap();
    assert!(output.status.success(), "{name}: {}: {}", output.status, errors(&output));
    assert_eq!(errors(&output), "", "{name}: the module writes to its host's standard error");
}

/// What a probe wrote to standard error.
pub(crate) fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The module as it was built.
pub(crate) fn module() -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_chanceryd")).with_file_name("libchancery_pkcs11.so");
    assert!(path.exists(), "{} is missing: run `cargo build --workspace` first", path.display());
    path
}

/// Compiles probe.c, once.
fn client() -> &'static Path {
    static CLIENT: OnceLock<PathBuf> = OnceLock::new();
    CLIENT.get_or_init(|| {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let (client, new) = (directory.join("probe"), directory.join(format!("probe-{}", std::process::id())));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pkcs11_module/probe.c");
        let mut cc = Command::new("cc");
        cc.args(["-O1", "-Wall", "-Wextra", "-Werror", "-pthread", "-o"]).arg(&new).arg(source).arg("-ldl");
        assert!(cc.status().expect("cc").success(), "the client does not compile");
        fs::rename(new, &client).unwrap();
        client
    })
}
