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
    /// How many records the log holds.
    pub records: u64,
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
    /// The time of record 0, nanoseconds since the Unix epoch.
    pub first_time_unix_nanos: i64,
    /// The time of the last record, nanoseconds since the Unix epoch.
    pub last_time_unix_nanos: i64,
    /// How many records are older than the one before them: clocks get set, so this is no error.
    pub times_backwards: u64,
    /// INTENT records that no later record refers to: operations under way, or not yet reconciled after a crash.
    pub open_intents: u64,
    /// Enclave processes whose operations stand in the log.
    pub incarnations: u64,
    /// Enclave operations, from 1 to the highest of each process, that no record shows. Most have a harmless cause: the
    /// service stopped between the operation and its record, and released nothing.
    pub operation_holes: u64,
}

impl Report {
    pub(super) fn new(checkpoint: Checkpoint) -> Self {
        Self {
            records: 0,
            checkpoint,
            past_checkpoint: 0,
            segments: 0,
            deployment: String::new(),
            by_kind: BTreeMap::new(),
            unknown_kinds: 0,
            first_time_unix_nanos: 0,
            last_time_unix_nanos: 0,
            times_backwards: 0,
            open_intents: 0,
            incarnations: 0,
            operation_holes: 0,
        }
    }

    pub(super) fn count(&mut self, record: &Record) {
        let time = record.time_unix_nanos;
        if record.index == 0 {
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
