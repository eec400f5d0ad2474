//! A `chanceryd dev` of its own, on the disk that holds target/, with a key for peer0.
//!
//! **Invariant**: its directory is not on a RAM disk unless target/ is: the log's syncs are part of what is measured.

use crate::{Result, child::Child, cpu};
use chancery_api::v1::{Algorithm, CreateKeyRequest, Key};
use chancery_client::{Client, ClientConfig};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// The key that signs.
pub(crate) const KEY: &str = "organizations/org1/keys/bench";

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
    /// Starts the service and makes the key.
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
        runtime.block_on(deployment.make_key())?;
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

    async fn make_key(&self) -> Result<()> {
        let owner = "organizations/org1/principals/peer0".to_owned();
        let request = CreateKeyRequest {
            parent: "organizations/org1".into(),
            key_id: "bench".into(),
            key: Some(Key { owner, algorithm: Algorithm::EcP256.into(), ..Key::default() }),
            request_id: uuid::Uuid::new_v4().to_string(),
        };
        self.client("org1-security").await?.keys().create_key(request).await?;
        Ok(())
    }
}
