//! The token by itself, and behind p11-kit's remoting: SoftHSM as the service's is, the same library, configuration and
//! kind of key, in another directory.

use crate::{
    Result,
    child::Child,
    deployment::Deployment,
    loops::{self, Loops},
};
use cryptoki::{mechanism::Mechanism, object::Attribute, session::UserType, types::AuthPin};
use der::Encode;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use tempfile::TempDir;

const TOKEN: &str = "bench";
const PIN: &str = "benchmark-pin";
const KEY: &str = "bench";

/// See the module.
pub(crate) struct Direct {
    direct: Loops,
    remoted: Loops,
    // After its client: it ends by itself when that is gone for a while.
    _server: Child,
    _socket_directory: TempDir,
}

impl Direct {
    /// Starts everything, with a new token.
    pub(crate) fn start(deployment: &Deployment) -> Result<Self> {
        let directory = deployment.beside("direct")?;
        let tokens = directory.join("tokens");
        fs::create_dir(&tokens)?;
        let configuration = directory.join("softhsm2.conf");
        let template = include_str!("../../softhsm/softhsm2.conf");
        fs::write(&configuration, template.replace("@TOKENS@", &tokens.to_string_lossy()))?;
        let library = deployment.library()?;
        let mut role = Child::role()?;
        let direct = Loops::start(role.arg("direct-token").arg(&library).env("SOFTHSM2_CONF", &configuration))?;

        // A socket's path may have 107 bytes at most, and p11-kit takes no relative one.
        let socket_directory = TempDir::new()?;
        let socket = socket_directory.path().join("socket");
        let mut server = Command::new("p11-kit");
        server.args(["server", "--foreground", "--timeout", "60", "--name"]).arg(&socket).arg("--provider");
        server.arg(&library).arg(format!("pkcs11:token={TOKEN}")).env("SOFTHSM2_CONF", &configuration);
        let mut server = Child::spawn(&mut server)?;
        server.wait_for("P11_KIT_SERVER_PID")?;
        let mut role = Loops::of_key(&client()?, TOKEN, PIN, KEY)?;
        let remoted = Loops::start(role.env("P11_KIT_SERVER_ADDRESS", format!("unix:path={}", socket.display())))?;
        Ok(Self { direct, remoted, _server: server, _socket_directory: socket_directory })
    }

    /// Signatures a second with so many threads.
    pub(crate) fn measure(&mut self, threads: usize, length: Duration) -> Result<f64> {
        self.direct.measure(threads, length)
    }

    /// The same by way of p11-kit.
    pub(crate) fn measure_remoted(&mut self, threads: usize, length: Duration) -> Result<f64> {
        self.remoted.measure(threads, length)
    }
}

/// p11-kit's module, where Debian, Fedora and a build from source put it.
fn client() -> Result<PathBuf> {
    let architecture = std::env::consts::ARCH;
    let folders =
        [format!("/usr/lib/{architecture}-linux-gnu"), "/usr/lib64".into(), "/usr/lib".into(), "/usr/local/lib".into()];
    let mut paths = folders.iter().map(|folder| Path::new(folder).join("pkcs11/p11-kit-client.so"));
    Ok(paths.find(|path| path.exists()).ok_or("p11-kit-client.so is missing: run `make bench`, which installs it")?)
}

/// The child: makes the token and its key, and loops.
pub(crate) fn serve(library: &Path) -> Result<()> {
    let pkcs11 = loops::open(library)?;
    let pin = AuthPin::from(PIN);
    let slot = pkcs11.get_slots_with_token()?.first().copied().ok_or("the token has no slot")?;
    pkcs11.init_token(slot, &pin, TOKEN)?;
    // SoftHSM moves a token that was initialized to another slot.
    let slot = pkcs11.get_slots_with_initialized_token()?.first().copied().ok_or("the token was not initialized")?;
    let session = pkcs11.open_rw_session(slot)?;
    session.login(UserType::So, Some(&pin))?;
    session.init_pin(&pin)?;
    session.logout()?;
    session.login(UserType::User, Some(&pin))?;
    let curve = const_oid::db::rfc5912::SECP_256_R_1.to_der()?;
    let public = [Attribute::Token(true), Attribute::Verify(true), Attribute::EcParams(curve)];
    let private = [
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
        Attribute::Label(KEY.into()),
    ];
    let (_, key) = session.generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private)?;
    loops::serve(&pkcs11, slot, session, key)
}
