//! What a verified log holds, in numbers.
//!
//! **Invariants**: a report exists only for a log that verified.
//!
//! **Not here**: how it is printed.

use std::collections::BTreeMap;

use crate::checkpoint::Checkpoint;
use crate::record::{Kind, Record};

/// A log that verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How many records the log holds, with those that are archived.
    pub records: u64,
    /// Records before this one are archived, and were not read.
    pub archived: u64,
    /// The signed checkpoint that records 0 to `checkpoint.size` - 1 were proven against.
    pub checkpoint: Checkpoint,
    /// How many records lie past the checkpoint: well-formed and chained, and not signed yet.
    pub past_checkpoint: u64,
    /// How many segments the log has.
    pub segments: u64,
    /// The deployment that the GENESIS names.
    pub deployment: String,
    /// Records by kind; kinds without records are absent.
    pub by_kind: BTreeMap<Kind, u64>,
    /// Records of kinds that this version does not know.
    pub unknown_kinds: u64,
    /// The time of the first record that was read, nanoseconds since the Unix epoch.
    pub first_time_unix_nanos: i64,
    /// The time of the last record, nanoseconds since the Unix epoch.
    pub last_time_unix_nanos: i64,
    /// How many records are older than the one before them: clocks get set, so this is no error.
    pub times_backwards: u64,
    /// INTENT records that no later record refers to: operations under way, or not yet reconciled after a crash.
    pub open_intents: Vec<OpenIntent>,
    /// Enclave processes whose operations or statements stand in the log, in the order of their first records.
    pub enclaves: Vec<EnclaveProcess>,
    /// Enclave operations that no record shows, of those that a process stated or that lie before one that is shown.
    pub operation_holes: u64,
    /// The same, one by one. Each has a harmless cause: the service stopped between the operation and its record, and
    /// released nothing. Of a process without statements nobody can know.
    pub holes: Vec<Hole>,
    /// Operations that the enclave did not commit to: records from before it did.
    pub without_commitment: u64,
}

/// An operation that has begun, and has no outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenIntent {
    /// The index of its record.
    pub index: u64,
    /// What was to be done.
    pub action: String,
    /// To what.
    pub resource: String,
    /// When, in nanoseconds since the Unix epoch.
    pub time_unix_nanos: i64,
}

/// One process of the enclave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnclaveProcess {
    /// What it drew at its start.
    pub incarnation: [u8; 16],
    /// Its first record.
    pub since_record: u64,
    /// How many of its operations have a record.
    pub operations: u64,
    /// The highest number among them.
    pub highest: u64,
    /// How many it stated last; `None`: it made no statement.
    pub stated: Option<u64>,
    /// Those without a commitment.
    pub without_commitment: u64,
}

impl EnclaveProcess {
    /// Whether its last statement covers all its operations that the log shows. Of one that runs no more and is not
    /// closed, up to [`super::UNSTATED`] operations after its last statement are not accounted for.
    pub fn is_closed(&self) -> bool {
        self.stated.is_some_and(|stated| stated >= self.highest)
    }
}

/// Operations of one enclave process that have no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hole {
    /// The process.
    pub incarnation: [u8; 16],
    /// The first number that is missing.
    pub first: u64,
    /// The last one.
    pub last: u64,
    /// The record of the operation before; `None`: there is none.
    pub after_record: Option<u64>,
    /// The record of the operation after; `None`: there is none, but a statement covers them.
    pub before_record: Option<u64>,
}

impl Report {
    pub(super) fn new(checkpoint: Checkpoint) -> Self {
        Self {
            records: 0,
            archived: 0,
            checkpoint,
            past_checkpoint: 0,
            segments: 0,
            deployment: String::new(),
            by_kind: BTreeMap::new(),
            unknown_kinds: 0,
            first_time_unix_nanos: 0,
            last_time_unix_nanos: 0,
            times_backwards: 0,
            open_intents: Vec::new(),
            enclaves: Vec::new(),
            operation_holes: 0,
            holes: Vec::new(),
            without_commitment: 0,
        }
    }

    pub(super) fn count(&mut self, record: &Record) {
        let time = record.time_unix_nanos;
        if record.index == self.archived {
            self.first_time_unix_nanos = time;
        } else if time < self.last_time_unix_nanos {
            self.times_backwards += 1;
        }
        self.last_time_unix_nanos = time;
        match Kind::try_from(record.kind) {
            Ok(kind) => *self.by_kind.entry(kind).or_default() += 1,
            Err(_) => self.unknown_kinds += 1,
        }
    }
}
