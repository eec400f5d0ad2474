//! What a log keeps of records that are archived: enough to go on after them, and to check what comes after them
//! (docs/audit-log.md §13).
//!
//! **Invariants**
//! * A snapshot follows from the records alone: whoever has them makes the same bytes.
//! * Reading one never panics. What it says counts only once its tree is the signed one and its hash is in the log, which
//!   [`crate::verify`] checks.
//!
//! **Not here**: moving segments (the service's `audit` module), what resource states mean.

mod replay;

pub use replay::{Replay, ReplayError};

use prost::Message;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::merkle::{Frontier, Hash};
use crate::record::{Genesis, Kind, LastPolicies, LastState, PolicySet, Record, Snapshot as RawSnapshot};

/// The action of the STATE_CHANGE that says which snapshot goes before what comes after it.
pub const ACTION: &str = "ArchiveLog";

const RECORDS: &str = "records";
const SHA256: &str = "snapshot_sha256";

/// The name of the snapshot of the first `records` records: 20 decimal digits and ".snapshot".
pub fn file_name(records: u64) -> String {
    format!("{records:020}.snapshot")
}

/// The number in a snapshot's file name; `None` if no snapshot can be called so.
pub fn parse_file_name(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".snapshot")?;
    if digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit()) { digits.parse().ok() } else { None }
}

/// Where a log directory's records begin: see docs/audit-log.md §13.
///
/// `segments` are the first indexes of the segments that are there, `snapshots` the numbers of the snapshots, both in
/// ascending order. `Some(0)`: the log is whole. `Some(n)`: it goes on after the snapshot of `n` records, and segments
/// that begin before are left over from a removal. `None`: records are missing.
pub fn first_record(segments: &[u64], snapshots: &[u64]) -> Option<u64> {
    match segments.first() {
        None | Some(0) => segments.first().copied(),
        Some(_) => snapshots.iter().find(|records| segments.binary_search(records).is_ok()).copied(),
    }
}

/// What an [`ACTION`] record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archived {
    /// Records 0 to `records` - 1 may be removed.
    pub records: u64,
    /// SHA-256 of the snapshot's file.
    pub snapshot: Hash,
}

impl Archived {
    /// As the record has it among its context values: name and text.
    pub fn context(&self) -> [(&'static str, String); 2] {
        let hex = self.snapshot.iter().map(|byte| format!("{byte:02x}")).collect();
        [(RECORDS, self.records.to_string()), (SHA256, hex)]
    }

    /// Of a record; `None` if it is another.
    pub fn of(record: &Record) -> Option<Self> {
        if record.kind != Kind::StateChange as i32 || record.action != ACTION {
            return None;
        }
        let value = |key| record.context.iter().find(|value| value.key == key).map(|value| value.value.as_str());
        Some(Self { records: value(RECORDS)?.parse().ok()?, snapshot: parse_hex(value(SHA256)?)? })
    }
}

fn parse_hex(text: &str) -> Option<Hash> {
    let mut hash = [0; 32];
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
        return None;
    }
    for (byte, digits) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(hash)
}

/// A snapshot that is sound in itself.
#[derive(Clone, Debug)]
pub struct Snapshot {
    raw: RawSnapshot,
    tree: Frontier,
    open_intents: Vec<Record>,
    sha256: Hash,
}

/// What is wrong with a snapshot's bytes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SnapshotError {
    /// They are no such message.
    #[error("it is no snapshot: {0}")]
    Undecodable(prost::DecodeError),
    /// A part is not as the format demands.
    #[error("{0}: it was changed")]
    Unsound(&'static str),
}

impl Snapshot {
    /// Reads the bytes of a snapshot's file.
    ///
    /// # Errors
    /// [`SnapshotError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let raw = RawSnapshot::decode(bytes).map_err(SnapshotError::Undecodable)?;
        Self::check(raw, Sha256::digest(bytes).into())
    }

    fn check(raw: RawSnapshot, sha256: Hash) -> Result<Self, SnapshotError> {
        use SnapshotError::Unsound;
        let subtrees: Option<Vec<Hash>> = raw.subtrees.iter().map(|hash| hash.as_slice().try_into().ok()).collect();
        let tree = subtrees.and_then(|subtrees| Frontier::from_subtrees(raw.records, subtrees));
        let tree = tree.filter(|tree| tree.size() > 0).ok_or(Unsound("its tree is not one of its records"))?;
        if raw.genesis.is_none() {
            return Err(Unsound("it has no genesis"));
        }
        let name = |last: &LastState| last.state.as_ref().map(|state| state.name.clone());
        let states = raw.states.iter().all(|last| last.record < raw.records && last.state.is_some());
        if !states || !raw.states.is_sorted_by(|a, b| name(a) < name(b)) {
            return Err(Unsound("its states are out of order"));
        }
        let sound = |set: &PolicySet| set.hash.len() == 32;
        let sets = (raw.policies.iter())
            .all(|last| last.recorded.as_ref().is_some_and(sound) && last.earlier.iter().all(sound));
        if !sets || !raw.policies.is_sorted_by(|a, b| a.path < b.path) {
            return Err(Unsound("its policy sets are out of order"));
        }
        let intents: Result<Vec<_>, _> =
            raw.open_intents.iter().map(|bytes| Record::decode(bytes.as_slice())).collect();
        let open_intents = intents.map_err(SnapshotError::Undecodable)?;
        let intents = open_intents.iter().all(|of| of.kind == Kind::Intent as i32 && of.index < raw.records);
        if !intents || !open_intents.is_sorted_by(|a, b| a.index < b.index) {
            return Err(Unsound("its open intents are none of its records"));
        }
        if !raw.enclaves.iter().all(|incarnation| incarnation.len() == 16) {
            return Err(Unsound("its enclave processes are none"));
        }
        Ok(Self { raw, tree, open_intents, sha256 })
    }

    /// Its file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        self.raw.encode_to_vec()
    }

    /// SHA-256 of its file's bytes.
    pub fn sha256(&self) -> &Hash {
        &self.sha256
    }

    /// How many records it is of.
    pub fn records(&self) -> u64 {
        self.raw.records
    }

    /// The tree over them.
    pub fn tree(&self) -> &Frontier {
        &self.tree
    }

    /// Of record 0.
    pub fn genesis(&self) -> Option<&Genesis> {
        self.raw.genesis.as_ref()
    }

    /// The last state of each resource, by name.
    pub fn states(&self) -> &[LastState] {
        &self.raw.states
    }

    /// Intents without an outcome, in order.
    pub fn open_intents(&self) -> &[Record] {
        &self.open_intents
    }

    /// The last enclave processes: they may have operations after its records, too.
    pub fn enclaves(&self) -> impl Iterator<Item = [u8; 16]> {
        self.raw.enclaves.iter().filter_map(|incarnation| incarnation.as_slice().try_into().ok())
    }

    /// Of the base policies and of each organization's own, the last.
    pub fn policies(&self) -> &[LastPolicies] {
        &self.raw.policies
    }

    /// Policy sets that what comes after may have been decided by.
    pub fn policy_sets(&self) -> impl Iterator<Item = &PolicySet> {
        self.raw.policies.iter().flat_map(|last| last.recorded.iter().chain(&last.earlier))
    }
}
