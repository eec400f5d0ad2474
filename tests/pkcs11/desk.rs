//! A client of the deployment at its shell: files of its own, programs that load the module, and a judge that does not.
//!
//! **Invariant**: command lines are words separated by spaces. File names are relative to the desk's directory.

use crate::{
    harness::{Deployment, expect_code},
    pkcs11::{Ended, PIN, bounded, fail, module, succeed},
    shared::{deployment, key},
};
use std::{fs, path::PathBuf, process::Command};
use tempfile::TempDir;

/// The message that everybody signs here.
pub(crate) const MESSAGE: &[u8] = b"a message for every client";

/// See the module.
pub(crate) struct Desk {
    client: &'static str,
    /// Its `pkcs11.toml`.
    configuration: PathBuf,
    files: TempDir,
}

/// What OpenSSL's engine needs to be told (docs/pkcs11.md).
const OPENSSL_CONF: &str = "openssl_conf = init
[init]
engines = engines
[engines]
pkcs11 = pkcs11
[pkcs11]
engine_id = pkcs11
MODULE_PATH = @MODULE@
PIN = @PIN@
init = 0
[req]
distinguished_name = name
x509_extensions = extensions
[name]
[extensions]
subjectAltName = DNS:localhost
";

impl Desk {
    /// Of a client of the suite's deployment, such as `org1-peer0`.
    pub(crate) fn new(client: &'static str) -> Self {
        Self::of(deployment(), client)
    }

    /// The same of another deployment, without officers. A `message` and its SHA-256, `digest`, lie ready.
    pub(crate) fn of(deployment: &Deployment, client: &'static str) -> Self {
        let configuration = deployment.client_dir(client).join("pkcs11.toml");
        let desk = Self { client, configuration, files: TempDir::new().unwrap() };
        desk.write("message", MESSAGE);
        let module = module();
        desk.write("engine.cnf", OPENSSL_CONF.replace("@MODULE@", module.to_str().unwrap()).replace("@PIN@", PIN));
        desk.judge("dgst -sha256 -binary -out digest message");
        desk
    }

    /// The same, its slot with a quirk.
    pub(crate) fn with_quirk(self, quirk: &str) -> Self {
        let text = fs::read_to_string(&self.configuration).unwrap();
        let configuration = self.configuration.with_file_name(format!("{quirk}.toml"));
        fs::write(&configuration, format!("{text}\nquirks = [\"{quirk}\"]\n")).unwrap();
        Self { configuration, ..self }
    }

    /// The client's organization, for which its token is labelled.
    fn organization(&self) -> &'static str {
        self.client.split('-').next().unwrap_or_default()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        let path = self.path(name);
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    /// A program that may load the module.
    pub(crate) fn command(&self, program: &str, line: &str) -> Command {
        let mut command = bounded(program);
        command.env("CHANCERY_PKCS11_CONF", &self.configuration).current_dir(self.files.path());
        command.args(line.split_whitespace());
        command
    }

    /// pkcs11-tool on the organization's token, logged in.
    pub(crate) fn pkcs11_tool(&self, line: &str) -> Command {
        let mut command = self.pkcs11_tool_without_login(line);
        command.args(["--login", "--pin", PIN]);
        command
    }

    /// The same before any login.
    pub(crate) fn pkcs11_tool_without_login(&self, line: &str) -> Command {
        let mut command = self.command("pkcs11-tool", line);
        command.arg("--module").arg(module()).args(["--token-label", self.organization()]);
        command
    }

    /// The one id of all objects of this label. pkcs11-tool uses keys by id only, whatever label it is told.
    pub(crate) fn id(&self, label: &str) -> String {
        let listed = succeed(&mut self.pkcs11_tool("--list-objects")).text;
        let label_line = format!("label:      {label}\n");
        let objects = listed.split(" Object; ").filter(|object| object.contains(&label_line));
        let mut ids: Vec<_> =
            objects.filter_map(|object| object.split("ID:         ").nth(1)?.lines().next()).collect();
        ids.dedup();
        assert_eq!(ids.len(), 1, "{label}: {ids:?}: {listed}");
        ids[0].to_owned()
    }

    /// openssl with the engine at hand; it must succeed.
    pub(crate) fn openssl(&self, line: &str) {
        succeed(self.command("openssl", line).env("OPENSSL_CONF", self.path("engine.cnf")));
    }

    /// A program of GnuTLS's, which is told of the module and the PIN.
    pub(crate) fn gnutls(&self, program: &str, line: &str) -> Command {
        let mut command = self.command(program, line);
        command.arg("--provider").arg(module()).env("GNUTLS_PIN", PIN);
        command
    }

    /// A program that takes itself for an ordinary user's: p11-kit heeds no user's configuration in a program of root's.
    pub(crate) fn as_a_user<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        self.write("user.c", "unsigned getuid(void) { return 1000; }\nunsigned geteuid(void) { return 1000; }\n");
        self.without_module("cc", "-shared -fPIC -o user.so user.c");
        command.env("LD_PRELOAD", self.path("user.so"))
    }

    /// A program that may not load the module, and must succeed.
    pub(crate) fn without_module(&self, program: &str, line: &str) -> Ended {
        succeed(bounded(program).current_dir(self.files.path()).args(line.split_whitespace()))
    }

    /// The independent judge: openssl without engine or module; it must succeed.
    pub(crate) fn judge(&self, line: &str) -> String {
        self.without_module("openssl", line).text
    }

    /// The judge says no.
    pub(crate) fn judge_refuses(&self, line: &str) {
        fail(bounded("openssl").current_dir(self.files.path()).args(line.split_whitespace()));
    }

    /// The `chancery` command, as another client; it must succeed.
    pub(crate) fn chancery(&self, client: &str, line: &str) -> String {
        let paths = line.replace("@/", &format!("{}/", self.files.path().display()));
        let output = deployment().chancery(client, &paths.split_whitespace().collect::<Vec<_>>());
        expect_code(&output, 0);
        String::from_utf8(output.stdout).unwrap()
    }

    /// A key that org1's security officer makes for this client, without PKCS#11.
    pub(crate) fn officer_makes(&self, id: &str, options: &str) {
        let owner = self.client.trim_start_matches("org1-");
        self.chancery("org1-security", &format!("keys create {} --owner {owner} {options}", key(id)));
    }
}
