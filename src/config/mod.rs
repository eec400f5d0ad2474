//! The service's configuration: TOML parsed once into typed, immutable values.
//!
//! **Invariants**: unknown keys are errors; secrets are given by file, never by value; relative paths are relative to
//! the configuration file's directory.
//!
//! **Not here**: opening anything that is named here (`service`).

mod raw;

use crate::model::{NamePattern, OrganizationName, Role};
use std::{
    collections::BTreeMap,
    fs, io,
    net::SocketAddr,
    num::NonZeroU32,
    path::{Path, PathBuf},
    time::Duration,
};

/// The whole configuration.
#[derive(Debug, Clone)]
pub struct Configuration {
    /// Name of the deployment's log: the first line of its checkpoints (C2SP tlog-checkpoint).
    pub origin: String,
    /// Address of the gRPC API.
    pub listen: SocketAddr,
    /// Address of the HTTPS mirror; `None`: there is none.
    pub mirror: Option<SocketAddr>,
    /// DNS names and addresses in the server's certificate.
    pub server_names: Vec<String>,
    /// Holds the store, the durable size of the log, the server's certificate and key.
    pub data: PathBuf,
    /// The audit log's directory: nothing lies there but what `audit verify` checks.
    pub audit: PathBuf,
    /// The log's public key, written by `init` (C2SP vkey text).
    pub audit_vkey: PathBuf,
    /// Directory of Cedar policies and their schema.
    pub policies: PathBuf,
    /// How the audit log is written.
    pub log: LogOptions,
    /// The token.
    pub token: TokenOptions,
    /// What is demanded of keys' lives.
    pub keys: KeyOptions,
    /// Keys that are made through PKCS#11.
    pub pkcs11: Pkcs11Options,
    /// What takes two officers.
    pub officers: OfficerOptions,
    /// Limits on callers.
    pub limits: Limits,
    /// The witness policy; `None`: no cosignatures are required.
    pub witnesses: Option<PathBuf>,
    /// What `init` registers first.
    pub bootstrap: Vec<BootstrapOrganization>,
}

/// How the audit log is written.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// A segment is closed when it has grown to so many bytes.
    pub segment_bytes: u64,
    /// An append that is not durable by then fails, and nothing is released.
    pub append_deadline: Duration,
    /// Where old segments go; `None`: all stay.
    pub archive: Option<ArchiveOptions>,
}

/// Where old segments of the log go, and when.
#[derive(Debug, Clone)]
pub struct ArchiveOptions {
    /// A directory outside the log's.
    pub directory: PathBuf,
    /// A closed segment goes there when its last record is so old.
    pub after: Duration,
}

/// The token and the process that uses it.
#[derive(Debug, Clone)]
pub struct TokenOptions {
    /// The PKCS#11 library.
    pub library: PathBuf,
    /// The token's label.
    pub label: String,
    /// A file with the user PIN, which the enclave reads.
    pub pin_file: PathBuf,
    /// Session threads.
    pub sessions: u32,
    /// The most ENCLAVE keys that are open at a time.
    pub open_keys: u32,
    /// Environment variables for the library, e.g. `SOFTHSM2_CONF`.
    pub environment: BTreeMap<String, String>,
    /// The enclave's program; by default `chancery-enclave` beside `chanceryd`.
    pub enclave: Option<PathBuf>,
    /// An operation that the token has not finished by then is given up, and the enclave restarted.
    pub operation_deadline: Duration,
}

/// What is demanded of keys' lives.
#[derive(Debug, Clone)]
pub struct KeyOptions {
    /// The shortest time from asking for a destruction to the destruction.
    pub minimum_destruction_wait: Duration,
    /// The same, where the request names none.
    pub default_destruction_wait: Duration,
    /// The shortest time between two scheduled rotations of a key.
    pub minimum_rotation_interval: Duration,
}

/// How long keys made through PKCS#11 stay that nobody names or uses, and how many an owner may have.
#[derive(Debug, Clone)]
pub struct Pkcs11Options {
    /// From making a key to its destruction, if it is neither named nor used.
    pub provisional: Duration,
    /// From hearing of a process to the destruction of its session keys.
    pub session_lease: Duration,
    /// Keys of one owner that it neither named nor used, at most.
    pub provisional_keys: u64,
    /// Session keys of one owner at most.
    pub session_keys: u64,
}

/// What takes two officers.
#[derive(Debug, Clone)]
pub struct OfficerOptions {
    /// Dangerous operations need another officer's approval.
    pub second_officer: bool,
    /// From asking for an approval to the operation at the earliest.
    pub waiting_period: Duration,
    /// From asking for an approval to when it is worth nothing any more.
    pub approval_lifetime: Duration,
}

/// Limits on callers.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of one request.
    pub request_bytes: usize,
    /// Connections at one time.
    pub connections: usize,
    /// Requests in flight on one connection.
    pub in_flight_per_connection: usize,
    /// Denials of one principal recorded one by one per second; more are counted.
    pub denials_per_second: u32,
    /// A client that has not finished its TLS handshake by then is dropped.
    pub handshake: Duration,
    /// Requests of one connection in a second; `None`: not limited.
    pub requests_per_connection: Option<NonZeroU32>,
    /// The same of one principal, over all its connections.
    pub requests_per_principal: Option<NonZeroU32>,
    /// The same of one organization.
    pub requests_per_organization: Option<NonZeroU32>,
    /// Keys that an organization may have.
    pub keys_per_organization: u64,
    /// Keys that an owner may have and still make one itself.
    pub keys_per_owner: u64,
    /// Bytes of an organization's denials and counts that the log takes in a day.
    pub denial_bytes: DenialBytes,
    /// Bytes of an organization's records that the log takes in a day; `None`: not limited.
    pub log_bytes: Option<u64>,
}

/// An organization's daily share of the log for denials and counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DenialBytes {
    /// A part of the log's volume: [`DenialBytes::of_volume`].
    Share,
    /// As it was given.
    Bytes(u64),
    /// Not limited.
    Unlimited,
}

impl DenialBytes {
    /// The most that an organization gets where the configuration says nothing.
    const MOST: u64 = 64 << 20;
    /// It gets such a part of the volume.
    const PART: u64 = 64;

    /// The bytes, where the log lies on a volume of `bytes`; `None`: not limited.
    pub fn of_volume(self, bytes: u64) -> Option<u64> {
        match self {
            Self::Share => Some(Self::MOST.min(bytes / Self::PART)),
            Self::Bytes(bytes) => Some(bytes),
            Self::Unlimited => None,
        }
    }
}

/// An organization that `init` registers.
#[derive(Debug, Clone)]
pub struct BootstrapOrganization {
    /// Its name.
    pub name: OrganizationName,
    /// Roles whose holders may create signing keys that they own.
    pub enrolling_roles: Vec<Role>,
    /// Its trust anchors.
    pub anchors: Vec<BootstrapAnchor>,
    /// Its officers and others whose role is pinned to a public key.
    pub principals: Vec<BootstrapPrincipal>,
}

/// A trust anchor that `init` registers.
#[derive(Debug, Clone)]
pub struct BootstrapAnchor {
    /// File with its certificate, PEM.
    pub certificate: PathBuf,
    /// Whom it may make peer, orderer or client.
    pub patterns: Vec<NamePattern>,
}

/// A principal that `init` registers.
#[derive(Debug, Clone)]
pub struct BootstrapPrincipal {
    /// Its role.
    pub role: Role,
    /// File with its certificate, PEM: name and public key are taken from it.
    pub certificate: PathBuf,
}

/// The configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("cannot read the configuration {}: {source}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The text is no configuration.
    #[error("{0}")]
    Malformed(String),
    /// A value is out of its range or of another kind.
    #[error("`{field}`: {problem}")]
    Invalid {
        /// Which key.
        field: String,
        /// What is wrong and what is expected.
        problem: String,
    },
}

impl ArchiveOptions {
    /// The least `after` but zero: a start counts the users of keys from the records of 30 days, and those of today.
    pub const LEAST: Duration = Duration::from_secs(31 * 24 * 3600);
}

impl KeyOptions {
    /// The longest time from asking for a destruction to the destruction.
    pub const MAXIMUM_DESTRUCTION_WAIT: Duration = Duration::from_secs(120 * 24 * 3600);
    /// The longest time between two scheduled rotations, and the longest overlap.
    pub const MAXIMUM_INTERVAL: Duration = Duration::from_secs(3653 * 24 * 3600);
}

impl OfficerOptions {
    /// The longest life of an approval.
    pub const LONGEST_LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);
}

impl Configuration {
    /// Reads and parses `path`.
    ///
    /// # Errors
    /// [`ConfigError`], naming line or key.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.into(), source })?;
        let directory = path.parent().unwrap_or(Path::new("."));
        let directory = fs::canonicalize(if directory.as_os_str().is_empty() { Path::new(".") } else { directory })
            .map_err(|source| ConfigError::Unreadable { path: path.into(), source })?;
        Self::parse(&text, &directory)
    }

    /// Parses `text`; relative paths are taken relative to `directory`.
    ///
    /// # Errors
    /// [`ConfigError::Malformed`] with line and column, [`ConfigError::Invalid`] with the key.
    pub fn parse(text: &str, directory: &Path) -> Result<Self, ConfigError> {
        raw::RawConfiguration::parse(text)?.check(directory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn denials_get_a_part_of_the_logs_volume() {
        let of = |share: DenialBytes| [64 << 20, 4 << 30, u64::MAX].map(|volume| share.of_volume(volume));
        assert_eq!(of(DenialBytes::Share), [Some(1 << 20), Some(64 << 20), Some(64 << 20)]);
        assert_eq!(of(DenialBytes::Bytes(7)), [Some(7); 3]);
        assert_eq!(of(DenialBytes::Unlimited), [None; 3]);
    }
}
