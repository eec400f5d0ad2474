//! A `chanceryd dev` of its own, on the disk that holds target/, with keys for peer0.
//!
//! **Invariant**: its directory is not on a RAM disk unless target/ is: the log's syncs are part of what is measured.

use crate::{Result, child::Child, cpu, loops::Loops};
use chancery_api::v1::{Algorithm, CreateKeyRequest, Key, Protection};
use chancery_client::{Client, ClientConfig};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// P-256 in the token.
pub(crate) const TOKEN_KEY: &str = "organizations/org1/keys/token";
/// P-256 in the enclave.
pub(crate) const ENCLAVE_KEY: &str = "organizations/org1/keys/enclave";
/// SM2 in the enclave.
pub(crate) const SM2_KEY: &str = "organizations/org1/keys/sm2";

/// See the module.
pub(crate) struct Deployment {
    // Dropped in this order: the service first, then its directory.
    service: Child,
    directory: TempDir,
}

/// The folder of everything that the benchmark writes.
pub(crate) fn output() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench")
}

impl Deployment {
    /// Starts the service and makes the keys.
    pub(crate) fn start(runtime: &Runtime) -> Result<Self> {
        let chanceryd = Path::new(env!("CARGO_BIN_EXE_chanceryd"));
        if !chanceryd.with_file_name("chancery-enclave").exists() {
            return Err("chancery-enclave is not beside chanceryd: run `make bench`, which builds both".into());
        }
        fs::create_dir_all(output())?;
        let directory = TempDir::with_prefix_in("run-", output())?;
        let mut command = Command::new(chanceryd);
        command.args(["dev", "--listen", "127.0.0.1:0", "--dir"]).arg(directory.path().join("dev"));
        let mut service = Child::spawn(command.env("RUST_LOG", "warn"))?;
        service.wait_for("ready")?;
        let deployment = Self { service, directory };
        runtime.block_on(deployment.make_keys())?;
        Ok(deployment)
    }

    /// Microseconds of processor time that service and enclave have used so far.
    pub(crate) fn cpu_micros(&self) -> Result<f64> {
        cpu::micros(self.service.id())
    }

    /// A file of the deployment.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join("dev").join(name)
    }

    /// A directory for another part of the benchmark, on the same disk.
    pub(crate) fn beside(&self, name: &str) -> Result<PathBuf> {
        let path = self.directory.path().join(name);
        fs::create_dir(&path)?;
        Ok(path)
    }

    /// The PKCS#11 library that the service uses.
    pub(crate) fn library(&self) -> Result<PathBuf> {
        let configuration: toml::Table = fs::read_to_string(self.file("chancery.toml"))?.parse()?;
        let library = configuration.get("token").and_then(|token| token.get("library")?.as_str());
        Ok(library.ok_or("the deployment's configuration names no token.library")?.into())
    }

    /// peer0's process that signs with [`TOKEN_KEY`] through libchancery_pkcs11.so.
    pub(crate) fn module_loops(&self) -> Result<Loops> {
        let module = Path::new(env!("CARGO_BIN_EXE_chanceryd")).with_file_name("libchancery_pkcs11.so");
        if !module.exists() {
            return Err("libchancery_pkcs11.so is not beside chanceryd: run `make bench`, which builds it".into());
        }
        let mut role = Loops::of_key(&module, "org1", "1234", "token")?;
        Loops::start(role.env("CHANCERY_PKCS11_CONF", self.file("clients/org1-peer0/pkcs11.toml")))
    }

    /// A connection of `name` to the service.
    pub(crate) async fn client(&self, name: &str) -> Result<Client> {
        let config = ClientConfig::load(&self.file(&format!("clients/{name}/client.toml")))?;
        Ok(Client::connect(&config).await?)
    }

    /// A connection of peer0, with the same certificates, to another server.
    pub(crate) async fn client_of(&self, address: &str) -> Result<Client> {
        let config = self.file("clients/org1-peer0/bare.toml");
        fs::write(
            &config,
            format!("address = \"{address}\"\nca = \"ca.pem\"\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n"),
        )?;
        Ok(Client::connect(&ClientConfig::load(&config)?).await?)
    }

    async fn make_keys(&self) -> Result<()> {
        let officer = self.client("org1-security").await?;
        for (name, algorithm, protection) in [
            (TOKEN_KEY, Algorithm::EcP256, Protection::Token),
            (ENCLAVE_KEY, Algorithm::EcP256, Protection::Enclave),
            (SM2_KEY, Algorithm::Sm2, Protection::Enclave),
        ] {
            let owner = "organizations/org1/principals/peer0".to_owned();
            let (parent, key_id) = name.split_once("/keys/").ok_or("no key's name")?;
            let key = Key { owner, algorithm: algorithm.into(), protection: protection.into(), ..Key::default() };
            let request = CreateKeyRequest {
                parent: parent.into(),
                key_id: key_id.into(),
                key: Some(key),
                request_id: uuid::Uuid::new_v4().to_string(),
                ..CreateKeyRequest::default()
            };
            officer.keys().create_key(request).await?;
        }
        Ok(())
    }
}
