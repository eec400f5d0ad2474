//! A deployment's own files.
//!
//! **Invariant**: one process at a time holds a directory.

use super::ServiceError;
use crate::{audit::Places, config::Configuration};
use chancery_audit::checkpoint::VerifierKey;
use rustix::fs::{FlockOperation, flock};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// Files of a deployment below its data directory.
#[derive(Debug, Clone)]
pub struct DataFiles {
    /// The directory.
    pub directory: PathBuf,
    /// The store.
    pub store: PathBuf,
    /// The log's last durable size.
    pub durable: PathBuf,
    /// The index of the log's records.
    pub index: PathBuf,
    /// The tiles of the log's tree.
    pub tiles: PathBuf,
    /// The server's certificate, PEM.
    pub certificate: PathBuf,
    /// The server's key, PEM, mode 0600.
    pub key: PathBuf,
    /// The deployment's own CA, PEM: what clients trust.
    pub ca: PathBuf,
}

impl DataFiles {
    /// Below `directory`.
    pub fn new(directory: &Path) -> Self {
        let file = |name| directory.join(name);
        Self {
            store: file("store.sqlite"),
            durable: file("log-durable-size"),
            index: file("index"),
            tiles: file("tiles"),
            certificate: file("server.pem"),
            key: file("server.key"),
            ca: file("ca.pem"),
            directory: directory.to_owned(),
        }
    }

    /// Where the parts of the log of directory `audit` lie.
    pub fn log_places(&self, audit: &Path) -> Places {
        Places {
            directory: audit.to_owned(),
            durable: self.durable.clone(),
            tiles: self.tiles.clone(),
            index: self.index.clone(),
        }
    }
}

/// Holds a directory until it is dropped.
pub struct DataLock {
    _file: File,
}

impl DataLock {
    /// Takes the directory.
    ///
    /// # Errors
    /// [`ServiceError::Locked`] when another process has it, [`ServiceError::File`] when it isn't there.
    pub fn take(directory: &Path) -> Result<Self, ServiceError> {
        let problem = |error: io::Error| ServiceError::File { path: directory.to_owned(), problem: error.to_string() };
        let file = File::open(directory).map_err(problem)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _file: file }),
            Err(_) => Err(ServiceError::Locked(directory.to_owned())),
        }
    }
}

/// The log's public key.
///
/// # Errors
/// [`ServiceError::File`].
pub fn read_vkey(configuration: &Configuration) -> Result<VerifierKey, ServiceError> {
    let path = &configuration.audit_vkey;
    let problem = |problem: String| ServiceError::File { path: path.clone(), problem };
    let text = fs::read_to_string(path).map_err(|error| problem(error.to_string()))?;
    let key: VerifierKey = text.parse().map_err(|error| problem(format!("no log key: {error}")))?;
    if key.name() != configuration.origin {
        return Err(problem(format!(
            "it is of log {}, the configuration's origin is {}",
            key.name(),
            configuration.origin
        )));
    }
    Ok(key)
}
