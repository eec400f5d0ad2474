//! Making a deployment, and looking at one: `init`, `dev`, `serve --check`, `doctor`.
//!
//! **Invariants**: nothing that exists is overwritten; a deployment's parts are checked before the token is touched.
//!
//! **Not here**: serving it (`service`).

mod check;
mod dev;
mod identities;
mod init;

pub use check::{check, doctor, forget_refused_login};
pub use dev::{Dev, dev};
pub use init::init;

use crate::{
    audit::CreateError,
    certificates::CertificateError,
    config::ConfigError,
    enclave::{CallError, LoginRefused, SpawnError},
    identity::RegistryError,
    service::ServiceError,
    store::StoreError,
};
use chancery_ipc::{self as ipc, FaultReason};
use std::{
    io,
    path::{Path, PathBuf},
};

/// Why a deployment can't be made or looked at.
#[derive(Debug, thiserror::Error)]
pub enum DeploymentError {
    /// The enclave's program.
    #[error("{0}")]
    Spawn(#[from] SpawnError),
    /// The enclave did not answer.
    #[error("token: {0}")]
    Call(#[from] CallError),
    /// The enclave says what is wrong.
    #[error("token: {0}")]
    Fault(ipc::Fault),
    /// An earlier login was refused.
    #[error("token: {0}")]
    Login(#[from] LoginRefused),
    /// A certificate given or built.
    #[error("{what}: {source}")]
    Certificate {
        /// Which.
        what: String,
        /// Why.
        source: CertificateError,
    },
    /// The organizations do not fit together.
    #[error("bootstrap: {0}")]
    Registry(#[from] RegistryError),
    /// The configuration names nobody.
    #[error(
        "bootstrap: no organization in the configuration; add [[bootstrap.organizations]] with anchors and officers"
    )]
    NoOrganizations,
    /// There is a deployment already.
    #[error("{} exists: a deployment is there already", .0.display())]
    Exists(PathBuf),
    /// A first start of `dev` was interrupted.
    #[error("{} is not empty and holds no chancery.toml: an earlier first start was interrupted; remove it, or name \
             another directory with --dir", .0.display())]
    HalfMade(PathBuf),
    /// The log.
    #[error("audit log: {0}")]
    Log(#[from] CreateError),
    /// The store.
    #[error("store: {0}")]
    Store(#[from] StoreError),
    /// Opening what there is.
    #[error("{0}")]
    Service(#[from] ServiceError),
    /// The configuration that was written for `dev`.
    #[error("configuration: {0}")]
    Config(#[from] ConfigError),
    /// A file.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// `dev` is for this machine only.
    #[error("dev listens on loopback only; use `init` and `serve` for a deployment that others reach")]
    NotLoopback,
    /// No SoftHSM.
    #[error("SoftHSM is not installed: `apt-get install softhsm2`, or name its library with --library")]
    NoSoftHsm,
    /// Something that can't go wrong did.
    #[error("internal error: {0}")]
    Internal(String),
}

impl DeploymentError {
    /// The process's exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Service(error) => error.exit_code(),
            Self::Fault(_) | Self::Call(_) | Self::Login(_) | Self::NoSoftHsm => 69,
            Self::Certificate { .. } | Self::Registry(_) | Self::NoOrganizations | Self::Config(_) => 78,
            Self::Exists(_) | Self::HalfMade(_) | Self::Log(_) | Self::Store(_) | Self::Io { .. } => 74,
            Self::NotLoopback => 64,
            Self::Spawn(_) | Self::Internal(_) => 70,
        }
    }

    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }

    fn certificate(what: impl ToString) -> impl FnOnce(CertificateError) -> Self {
        let what = what.to_string();
        move |source| Self::Certificate { what, source }
    }

    fn is_refused_login(&self) -> bool {
        matches!(self, Self::Fault(fault) if fault.reason() == FaultReason::LoginFailed)
    }
}

/// A verb's reply, or the fault, from a conversation with an enclave of one's own.
macro_rules! ask {
    ($process:expr, $verb:ident($request:expr) => $reply:ident) => {{
        let verb = chancery_ipc::request::Verb::$verb($request);
        match $process.call(verb, $crate::deployment::CEREMONY_DEADLINE).await? {
            chancery_ipc::response::Result::$reply(reply) => Ok(reply),
            chancery_ipc::response::Result::Fault(fault) => Err($crate::deployment::DeploymentError::Fault(fault)),
            _ => Err($crate::deployment::DeploymentError::Internal("the enclave gave a wrong answer".into())),
        }
    }};
}
use ask;

/// Ceremonies make keys, and a token may take its time.
const CEREMONY_DEADLINE: std::time::Duration = std::time::Duration::from_secs(60);

/// Writes a new file, readable by its owner alone where it is secret, and makes it durable.
fn write_new(path: &Path, bytes: &[u8], secret: bool) -> Result<(), DeploymentError> {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};
    let mode = if secret { 0o600 } else { 0o644 };
    let file = std::fs::File::options().write(true).create_new(true).mode(mode).open(path);
    let mut file = match file {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(DeploymentError::Exists(path.into())),
        other => other.map_err(DeploymentError::io(path))?,
    };
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(DeploymentError::io(path))
}

fn pem(label: &str, der: &[u8]) -> Result<String, DeploymentError> {
    der::pem::encode_string(label, der::pem::LineEnding::LF, der)
        .map_err(|error| DeploymentError::Internal(error.to_string()))
}
