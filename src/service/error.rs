//! Why the service does not start, or ended; and its exit codes.

use crate::{
    audit::{AuditError, OpenError},
    config::ConfigError,
    directory::DirectoryError,
    enclave::Unavailable,
    grpc::{ServeError, TlsError},
    policy::PolicyError,
    store::StoreError,
    witnesses::WitnessesError,
};
use std::{io, net::SocketAddr, path::PathBuf};

/// Why the service does not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The configuration.
    #[error("configuration: {0}")]
    Config(#[from] ConfigError),
    /// The policies.
    #[error("policies: {0}")]
    Policy(#[from] PolicyError),
    /// The token.
    #[error("token: {0}")]
    Token(#[from] Unavailable),
    /// The token's audit key is not the log's.
    #[error("token: its audit key is not that of {}; token and data belong to different deployments", .0.display())]
    OtherAuditKey(PathBuf),
    /// The audit log.
    #[error("audit log: {0}")]
    Audit(#[from] OpenError),
    /// The audit log, while running.
    #[error("audit log: {0}")]
    Append(#[from] AuditError),
    /// The witnesses.
    #[error("witnesses: {0}")]
    Witnesses(#[from] WitnessesError),
    /// The store.
    #[error("store: {0}")]
    Store(#[from] StoreError),
    /// Log and store together.
    #[error("{0}")]
    Directory(#[from] DirectoryError),
    /// Another service has the data directory.
    #[error("another chanceryd runs on {}; stop it first, or give this one a data directory of its own", .0.display())]
    Locked(PathBuf),
    /// A file of the deployment.
    #[error("{}: {problem}; run `chanceryd init` for a new deployment, or restore it", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The server's certificate.
    #[error("TLS: {0}")]
    Tls(#[from] TlsError),
    /// The address.
    #[error("cannot listen on {address}: {source}; stop what uses the port, or change `listen`")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The server.
    #[error("{0}")]
    Serve(#[from] ServeError),
}

impl ServiceError {
    /// The process's exit code: see docs/operations.md.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Policy(_) => 78,
            Self::Witnesses(WitnessesError::Kept { .. }) => 74,
            Self::Witnesses(_) => 78,
            Self::Token(_) | Self::OtherAuditKey(_) | Self::Listen { .. } => 69,
            Self::Audit(_)
            | Self::Append(_)
            | Self::Store(_)
            | Self::Directory(_)
            | Self::Locked(_)
            | Self::File { .. } => 74,
            Self::Tls(_) => 78,
            Self::Serve(_) => 70,
        }
    }
}
