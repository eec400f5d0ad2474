//! The store: an index over the log's administrative records, and the request ids of changes.
//!
//! **Invariants**: the log is the authority. A row is written only after the record that carries it is durable, in one
//! transaction with the log size up to which rows were applied and with the answer to the request that made it.
//!
//! **Not here**: what rows mean together (`directory`), the log (`audit`).

mod rows;
mod sqlite;

pub use rows::{Row, RowError, anchor_name};
pub use sqlite::SqliteStore;

use crate::model::PrincipalName;
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

    /// Frees a request id whose change was not made.
    fn release(&self, request: RequestKey) -> Answer<'_, ()>;

    /// Frees every request id without an answer: the process that reserved them is gone.
    fn release_all(&self) -> Answer<'_, ()>;
}

/// A store as it stands.
#[derive(Debug, Default)]
pub struct Contents {
    /// The deployment it belongs to.
    pub deployment: String,
    /// Records of the log whose rows were applied.
    pub log_size: u64,
    /// Each row's resource name, and the row or why it does not parse.
    pub rows: Vec<(String, Result<Row, RowError>)>,
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
