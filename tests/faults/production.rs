//! A deployment as an operator makes it: a token initialized by SoftHSM's own tool, an identity CA by openssl, a
//! configuration by hand.

use crate::{
    attempt::{Attempt, attempt, copy},
    harness::{chanceryd, expect_code},
};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};
use tempfile::TempDir;

/// See the module. Nothing of it is made by chanceryd yet.
pub struct Production(TempDir);

const PIN: &str = "a long PIN";

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn library() -> PathBuf {
    let places = [
        "/usr/lib/softhsm",
        "/usr/lib/x86_64-linux-gnu/softhsm",
        "/usr/lib/aarch64-linux-gnu/softhsm",
        "/usr/lib64/softhsm",
        "/usr/local/lib/softhsm",
    ];
    let mut libraries = places.iter().map(|place| Path::new(place).join("libsofthsm2.so"));
    libraries.find(|path| path.exists()).expect("SoftHSM is installed")
}

impl Production {
    pub fn new() -> Self {
        let it = Self(TempDir::new().unwrap());
        let dir = it.dir();
        fs::create_dir(dir.join("tokens")).unwrap();
        let conf = format!("directories.tokendir = {}\nobjectstore.backend = file\n", dir.join("tokens").display());
        fs::write(dir.join("softhsm2.conf"), conf).unwrap();
        let token = ["--init-token", "--free", "--label", "consortium", "--so-pin", "officer's PIN", "--pin", PIN];
        run(Command::new("softhsm2-util").args(token).env("SOFTHSM2_CONF", dir.join("softhsm2.conf")));
        fs::write(dir.join("pin"), PIN).unwrap();
        fs::set_permissions(dir.join("pin"), fs::Permissions::from_mode(0o600)).unwrap();
        fs::create_dir(dir.join("policies")).unwrap();
        for file in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("policies")).unwrap() {
            let file = file.unwrap().path();
            if file.is_file() {
                copy(&file, &dir.join("policies"));
            }
        }
        it.openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /O=Acme/CN=identity \
                    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign \
                    -keyout identity.key -out identity.pem",
        );
        it.issue("security", "/O=Acme/CN=security");
        it.issue("peer7", "/O=Acme/OU=peer/CN=peer7.acme");
        let text = format!(
            "[service]\norigin = \"log.acme.example/chancery\"\nlisten = \"127.0.0.1:0\"\nserver_names = [\"localhost\"]\n\n\
             [token]\nlibrary = {:?}\nlabel = \"consortium\"\npin_file = \"pin\"\n\n\
             [token.environment]\nSOFTHSM2_CONF = {:?}\n\n\
             [[bootstrap.organizations]]\nid = \"acme\"\nenrolling_roles = [\"peer\"]\n\
             [[bootstrap.organizations.anchors]]\ncertificate = \"identity.pem\"\npeer = [\"peer*.acme\"]\n\
             [[bootstrap.organizations.principals]]\nrole = \"security-officer\"\ncertificate = \"security.pem\"\n",
            library(),
            dir.join("softhsm2.conf"),
        );
        fs::write(it.config(), text).unwrap();
        it
    }

    pub fn dir(&self) -> &Path {
        self.0.path()
    }

    pub fn config(&self) -> PathBuf {
        self.dir().join("chancery.toml")
    }

    /// Runs openssl in the directory.
    pub fn openssl(&self, arguments: &str) -> Output {
        run(Command::new("openssl").args(arguments.split_whitespace()).current_dir(self.dir()))
    }

    /// A key and a certificate of the identity CA.
    fn issue(&self, name: &str, subject: &str) {
        self.openssl(&format!(
            "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj {subject} -keyout {name}.key -out {name}.csr"
        ));
        let extensions = "keyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\nbasicConstraints=CA:FALSE\n";
        fs::write(self.dir().join("extensions"), extensions).unwrap();
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA identity.pem -CAkey identity.key -CAcreateserial -days 7 -extfile extensions \
             -out {name}.pem"
        ));
    }

    /// Lower-case hexadecimal SHA-256 of a certificate, as openssl says it.
    pub fn fingerprint(&self, certificate: &str) -> String {
        let output = self.openssl(&format!("x509 -in {certificate} -noout -fingerprint -sha256"));
        let text = String::from_utf8(output.stdout).unwrap();
        text.trim().split_once('=').unwrap().1.replace(':', "").to_lowercase()
    }

    pub fn init(&self) -> Output {
        Command::new(chanceryd()).args(["init", "--config"]).arg(self.config()).output().unwrap()
    }

    /// The ceremony, which must succeed; what it printed.
    pub fn init_well(&self) -> String {
        let output = self.init();
        expect_code(&output, 0);
        String::from_utf8(output.stdout).unwrap()
    }

    /// One start.
    pub fn serve(&self) -> Attempt {
        attempt(&["serve".as_ref(), "--config".as_ref(), self.config().as_os_str()])
    }

    /// Writes a client's configuration.
    pub fn client_config(&self, name: &str, address: &str) -> PathBuf {
        let path = self.dir().join(format!("{name}.toml"));
        let text = format!(
            "address = \"{address}\"\norganization = \"acme\"\nca = \"data/ca.pem\"\ncertificate = \"{name}.pem\"\n\
             key = \"{name}.key\"\n"
        );
        fs::write(&path, text).unwrap();
        path
    }
}
