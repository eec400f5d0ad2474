//! The store: an index over the log's administrative records, the request ids of changes, and wrapped keys.
//!
//! **Invariants**: the log is the authority. A row is written only after the record that carries it is durable, in one
//! transaction with the log size up to which rows were applied and with the answer to the request that made it. Wrapped
//! keys are kept before the record of their version, and stand in no record.
//!
//! **Not here**: what rows mean together (`directory`), the log (`audit`).

mod rows;
mod sqlite;

pub use rows::{Row, RowError, anchor_name};
pub use sqlite::SqliteStore;

use crate::model::{OrganizationName, PrincipalName};
use chancery_audit::record::ResourceState;
use std::{future::Future, path::PathBuf, pin::Pin};

/// What a [`Store`] method returns: it may wait for a disk or a network.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Where rows are kept. One deployment, one store.
pub trait Store: Send + Sync {
    /// Everything, as it stands.
    fn load(&self) -> Answer<'_, Contents>;

    /// Writes rows, the log size they follow from, and the answers to the requests that made them, or nothing.
    fn commit(&self, commit: Commit) -> Answer<'_, ()>;

    /// Reserves a request id before its change begins.
    fn claim(&self, request: RequestKey, hash: [u8; 32]) -> Answer<'_, Claim>;

    /// What [`Store::claim`] would find, without reserving anything.
    fn find_claim(&self, request: RequestKey, hash: [u8; 32]) -> Answer<'_, Claim>;

    /// Frees a request id whose change was not made.
    fn release(&self, request: RequestKey) -> Answer<'_, ()>;

    /// Frees every request id without an answer: the process that reserved them is gone.
    fn release_all(&self) -> Answer<'_, ()>;

    /// Keeps wrapped keys, in place of those kept before. Durable when it returns: a version whose key is not kept must
    /// not come into force.
    fn keep_wrapped(&self, keys: Vec<WrappedKey>) -> Answer<'_, ()>;

    /// Puts wrapped keys in the place of others, where those are still kept.
    fn replace_wrapped(&self, keys: Vec<Replacement>) -> Answer<'_, ()>;

    /// One wrapped key.
    fn wrapped(&self, version: String) -> Answer<'_, Option<Vec<u8>>>;

    /// Up to `limit` wrapped keys of an organization by version name, those after `after`.
    fn wrapped_keys(
        &self,
        organization: OrganizationName,
        after: Option<String>,
        limit: usize,
    ) -> Answer<'_, Vec<WrappedKey>>;

    /// How many wrapped keys an organization has.
    fn count_wrapped(&self, organization: OrganizationName) -> Answer<'_, u64>;

    /// Removes wrapped keys, so that no page of the file holds them any more.
    fn remove_wrapped(&self, versions: Vec<String>) -> Answer<'_, ()>;

    /// Takes or keeps a lease for `seconds`; whether `holder` has it now.
    fn lease(&self, name: &'static str, holder: String, seconds: i64) -> Answer<'_, bool>;
}

/// A key that was wrapped anew.
pub struct Replacement {
    /// As it was kept.
    pub before: WrappedKey,
    /// As it is to be kept.
    pub wrapped: Vec<u8>,
}

/// An ENCLAVE key as the enclave wrapped it.
#[derive(Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// Full name of its version.
    pub version: String,
    /// What only the enclave can open.
    pub wrapped: Vec<u8>,
}

/// A store as it stands.
#[derive(Debug, Default)]
pub struct Contents {
    /// The deployment it belongs to.
    pub deployment: String,
    /// Records of the log whose rows were applied.
    pub log_size: u64,
    /// Each row's resource name, and its state; `None` where the columns hold none.
    pub rows: Vec<(String, Option<ResourceState>)>,
}

/// What one change leaves in the store.
#[derive(Debug, Default, Clone)]
pub struct Commit {
    /// Records of the log up to and including the change's outcome.
    pub log_size: u64,
    /// Rows to insert or replace.
    pub rows: Vec<Row>,
    /// Requests that are answered with it, and their encoded answers.
    pub answers: Vec<(RequestKey, Vec<u8>)>,
}

/// A request id, unique per principal and method.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RequestKey {
    /// Who asked.
    pub principal: PrincipalName,
    /// The API method.
    pub method: &'static str,
    /// The UUID, as text.
    pub id: String,
}

/// What came of reserving a request id.
#[derive(Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is new: go on.
    New,
    /// The same request was answered before: its encoded answer.
    Answered(Vec<u8>),
    /// The same request is being worked on.
    InFlight,
    /// The id was used with other content.
    Reused,
}

/// How long the request id of a change is kept, in seconds.
pub const REQUEST_SECONDS: i64 = 24 * 3600;

/// The store can't serve.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No store is there.
    #[error("no store at {}: run `chanceryd init` for a new deployment, or restore the file from a backup", .0.display())]
    Missing(PathBuf),
    /// A store is there already.
    #[error("a store already exists at {}", .0.display())]
    Exists(PathBuf),
    /// The file is damaged or no store.
    #[error("the store {} is damaged: {problem}; restore it from a backup", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What SQLite says.
        problem: String,
    },
    /// The database can't be read or written right now.
    #[error("the store failed: {0}")]
    Failed(String),
}
