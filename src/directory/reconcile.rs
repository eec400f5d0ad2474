//! At start: what the log says, against what the store says. The log is the authority.
//!
//! **Invariant**: a row at or below the store's log size must be as the log says, or its resource is not used; rows
//! above it are brought forward from the log.

use super::Directory;
use crate::{
    identity::RegistryError,
    store::{Contents, Row, RowError},
};
use chancery_audit::{
    record::{LastState, Record, ResourceState},
    snapshot::Snapshot,
};
use std::collections::HashMap;

/// The last state of every resource in the log, gathered record by record.
#[derive(Debug, Default)]
pub struct LoggedStates {
    size: u64,
    deployment: Option<String>,
    /// By name: the record that has it, and the state, without its name. Parsed only once all are known.
    last: HashMap<String, (u64, ResourceState)>,
}

/// Log and store do not make a directory.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// A record's state does not parse.
    #[error("record {index} of the audit log: {name}: {problem}")]
    Record {
        /// Which record.
        index: u64,
        /// Which resource.
        name: String,
        /// What is wrong.
        problem: RowError,
    },
    /// The log begins with no genesis record.
    #[error("the audit log has no genesis record: run `chanceryd init` for a new deployment")]
    NoGenesis,
    /// Store and log are of two deployments.
    #[error(
        "the store belongs to deployment {store}, the audit log to {log}: check `data` and `audit` in the configuration"
    )]
    OtherDeployment {
        /// Whose store.
        store: String,
        /// Whose log.
        log: String,
    },
    /// The log lost records that the store has seen.
    #[error(
        "the store follows from {store} audit records, but the log has only {log}: the log was rolled back or cut; \
             restore it from a mirror or backup"
    )]
    LogBehind {
        /// Records that the store has seen.
        store: u64,
        /// Records in the log.
        log: u64,
    },
    /// A version without its key.
    #[error("{0} belongs to no key")]
    Orphan(String),
    /// A version's public key does not parse.
    #[error("{name}: {problem}")]
    Malformed {
        /// Which version.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// Organizations, anchors and registrations do not fit together.
    #[error("{0}")]
    Registry(#[from] RegistryError),
}

impl LoggedStates {
    /// Those of archived records.
    pub fn after(snapshot: &Snapshot) -> Self {
        let last = |last: &LastState| {
            let mut state = last.state.clone()?;
            Some((std::mem::take(&mut state.name), (last.record, state)))
        };
        Self {
            size: snapshot.records(),
            deployment: snapshot.genesis().map(|genesis| genesis.deployment.clone()),
            last: snapshot.states().iter().filter_map(last).collect(),
        }
    }

    /// Takes in the log's next record.
    pub fn add(&mut self, record: &Record) {
        self.size = record.index + 1;
        if let Some(genesis) = &record.genesis {
            self.deployment = Some(genesis.deployment.clone());
        }
        for state in &record.states {
            let unnamed =
                ResourceState { name: String::new(), r#type: state.r#type.clone(), value: state.value.clone() };
            self.last.insert(state.name.clone(), (record.index, unnamed));
        }
    }

    /// The deployment that the genesis record names.
    pub fn deployment(&self) -> Option<&str> {
        self.deployment.as_deref()
    }

    /// Records taken in.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The directory, and the rows that the store must still take over.
    ///
    /// # Errors
    /// [`DirectoryError`] when log and store can't be brought together at all; a single row that disagrees is no error:
    /// its resource is kept out of use, and the log of the service says why.
    pub fn reconcile(self, contents: Contents) -> Result<(Directory, Vec<Row>), DirectoryError> {
        let log = self.deployment.ok_or(DirectoryError::NoGenesis)?;
        if contents.deployment != log {
            return Err(DirectoryError::OtherDeployment { store: contents.deployment, log });
        }
        if contents.log_size > self.size {
            return Err(DirectoryError::LogBehind { store: contents.log_size, log: self.size });
        }
        let mut stored: HashMap<String, Option<ResourceState>> = contents.rows.into_iter().collect();
        let mut mismatches = HashMap::new();
        let (mut rows, mut behind) = (Vec::new(), Vec::new());
        for (name, (index, logged)) in self.last {
            let kept = stored.remove(&name);
            let logged = ResourceState { name: name.clone(), ..logged };
            let row = Row::parse(&logged).map_err(|problem| {
                let name = name.clone();
                DirectoryError::Record { index, name, problem }
            })?;
            if index >= contents.log_size {
                behind.push(row.clone());
            } else if let Some(difference) = difference(&logged, &row, kept) {
                let why = format!("{difference} (audit record {index}); the log is the authority");
                tracing::error!(resource = name, why, "STATE_MISMATCH: the store disagrees with the audit log");
                mismatches.insert(name, why);
            }
            rows.push(row);
        }
        for name in stored.keys() {
            tracing::error!(
                resource = name,
                "STATE_MISMATCH: the store has a row that the audit log does not know; ignored"
            );
        }
        Ok((Directory::new(log, rows, &mismatches)?, behind))
    }
}

/// How the store's row differs from the log's, for people.
fn difference(state: &ResourceState, logged: &Row, stored: Option<Option<ResourceState>>) -> Option<String> {
    let stored = match stored {
        None => return Some("the store has lost its row".into()),
        // The same bytes say the same.
        Some(Some(stored)) if stored == *state => return None,
        Some(Some(stored)) => Row::parse(&stored),
        Some(None) => Err(RowError::Malformed("row of the store")),
    };
    match stored {
        Err(error) => Some(format!("the store's row is malformed: {error}")),
        Ok(stored) if stored == *logged => None,
        Ok(stored) => Some(match (logged, &stored) {
            (Row::Key(logged), Row::Key(stored)) if logged.owner != stored.owner => {
                format!("the store says owner {}, the log says {}", stored.owner, logged.owner)
            }
            (Row::KeyVersion(logged), Row::KeyVersion(stored)) if logged.state != stored.state => {
                format!("the store says state {}, the log says {}", stored.state, logged.state)
            }
            _ => "the store's row is not what the log says".into(),
        }),
    }
}
