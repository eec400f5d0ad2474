//! What verification finds, and where.
//!
//! **Invariants**: every error names a record, a file and an offset, and says in plain words what is wrong.
//!
//! **Not here**: exit codes and advice (the command line).

use std::error::Error;
use std::fmt;

use thiserror::Error;

use crate::checkpoint::CheckpointError;
use crate::segment::SegmentError;

/// A log that does not verify: where verification stopped, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyError {
    /// The first record that is affected. Where a hash over many records disagrees, the record at which it was compared;
    /// `fault` names the range.
    pub record: u64,
    /// The name of the file, a segment's or `checkpoint`.
    pub segment: String,
    /// Where in that file, in bytes: the frame's beginning, or 0 for a header.
    pub offset: usize,
    /// What is wrong there.
    pub fault: Fault,
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "record {} ({}, offset {}): {}", self.record, self.segment, self.offset, self.fault)
    }
}

impl Error for VerifyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.fault.source()
    }
}

/// What is wrong with a log.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// The checkpoint note cannot be opened with the given key.
    #[error("the checkpoint cannot be believed: {0}")]
    Checkpoint(CheckpointError),
    /// There is no record at all.
    #[error("the log has no records, not even its first, the GENESIS")]
    NoRecords,
    /// The log ends before the checkpoint does.
    #[error(
        "the log ends here, and the checkpoint signs {size} records: the end of the log was cut off or rolled back"
    )]
    CutOff {
        /// The checkpoint's size.
        size: u64,
    },
    /// The tree at the checkpoint's size has another root.
    #[error(
        "records 0 to {} do not hash to the root that the checkpoint signs: one of them is not what was signed",
        .size.saturating_sub(1)
    )]
    CheckpointRoot {
        /// The checkpoint's size.
        size: u64,
    },

    /// A file's name is no segment's.
    #[error("a segment's file name must be the index of its first record in 20 digits, and \".seg\"")]
    FileName,
    /// The header cannot be read.
    #[error("{0}")]
    Header(SegmentError),
    /// Header and file name disagree.
    #[error("the file's header says that it begins with record {header}, its name says otherwise: it was renamed")]
    Renamed {
        /// The first index in the header.
        header: u64,
    },
    /// The segment begins later than the one before ended.
    #[error("the records before {found} are missing: a segment was removed or cut short, or stands out of order")]
    Missing {
        /// Where the segment begins.
        found: u64,
    },
    /// The segment begins with records that were there already.
    #[error("the segment begins again with record {found}: it is doubled, or stands out of order")]
    Doubled {
        /// Where the segment begins.
        found: u64,
    },
    /// The header's origin is not the key's name.
    #[error("the segment belongs to another log than {name:?}: its header's origin hash differs")]
    SegmentOrigin {
        /// The key's name.
        name: String,
    },
    /// The header's tree root is not that of the records before.
    #[error(
        "the records from {since} up to this segment do not hash to the root in its header: one of them or the header \
         was changed"
    )]
    HeaderRoot {
        /// Where the segment before begins: up to there, its own header agreed.
        since: u64,
    },
    /// The snapshot's tree is not the one that the first segment goes on from.
    #[error(
        "records 0 to {} are archived, and their snapshot's tree is not the one that this segment goes on from: one of \
         the two was changed. Restore it, or put the archived segments back into the log's directory",
        .records.saturating_sub(1)
    )]
    SnapshotTree {
        /// The snapshot's number of records.
        records: u64,
    },
    /// No signed record has the snapshot's hash.
    #[error(
        "no ArchiveLog record that the checkpoint signs has this snapshot's hash, or the newest has another: it was \
         changed. Put the archived segments back into the log's directory: a log that begins with record 0 needs no \
         snapshot"
    )]
    SnapshotUnproven,
    /// A segment with a successor has bytes after its last frame.
    #[error(
        "the segment goes on with zeroes after its last record, though another segment follows: it was changed after it \
         was closed"
    )]
    Unsealed,
    /// A segment with a successor holds no record.
    #[error("the segment holds no record, though another segment follows")]
    NoFrames,

    /// A frame is incomplete or changed.
    #[error("its frame reaches beyond the end of the file or fails its checksum: it was changed, or is half written")]
    Torn,
    /// The zeroes after the last frame are not all zero.
    #[error("a byte after the end of the data is not zero: the record was changed or cut off")]
    DirtyTail,
    /// The bytes are not a Record message.
    #[error("its bytes are not a Record message: {0}")]
    Undecodable(prost::DecodeError),
    /// The record says that it is another.
    #[error("the record says that its index is {found}: records were inserted, removed or reordered")]
    Index {
        /// The index in the record.
        found: u64,
    },
    /// The record's kind is unspecified.
    #[error("the record has no kind")]
    NoKind,
    /// Record 0 is not a GENESIS.
    #[error("the first record is not a GENESIS: the beginning of the log is missing or replaced")]
    NoGenesis,
    /// A later record is a GENESIS.
    #[error("only record 0 may be a GENESIS")]
    SecondGenesis,
    /// The GENESIS names another audit key.
    #[error("the GENESIS names another audit key, {found:?}: the log or the key is of another deployment")]
    GenesisKey {
        /// The vkey it names.
        found: String,
    },
    /// The GENESIS does not admit the key's name as an origin.
    #[error("the GENESIS does not admit the origin {name:?}")]
    GenesisOrigin {
        /// The key's name.
        name: String,
    },
    /// A message that belongs to one kind is absent there, or present elsewhere.
    #[error("the field {field} must stand in a record of its own kind, and in no other")]
    Payload {
        /// The field.
        field: &'static str,
    },
    /// A field's length is wrong.
    #[error("the field {field} has {length} bytes; it must have {allowed}")]
    Length {
        /// The field.
        field: &'static str,
        /// Its length.
        length: usize,
        /// The lengths it may have, in words.
        allowed: &'static str,
    },
    /// The intent is the record itself or comes later.
    #[error("the record refers to record {intent} as its intent, which does not come before it")]
    IntentNotEarlier {
        /// The index of the intent.
        intent: u64,
    },
    /// The intent is no INTENT.
    #[error("the record refers to record {intent} as its intent, which is not an INTENT")]
    NotAnIntent {
        /// The index of the intent.
        intent: u64,
    },
    /// The intent is about something else.
    #[error("the record refers to record {intent} as its intent, which names another resource")]
    IntentResource {
        /// The index of the intent.
        intent: u64,
    },
    /// An operation is counted without saying by which enclave process.
    #[error("the record counts an enclave operation, and names no enclave process")]
    NoIncarnation,
    /// One enclave process counted an operation twice.
    #[error("operation {operation} of this enclave process stands in an earlier record already")]
    OperationRepeated {
        /// The operation's number.
        operation: u64,
    },
    /// A commitment without an operation.
    #[error("the record has the enclave's commitment, and counts no operation")]
    CommitmentAlone,
    /// An operation in a record that is no outcome of one.
    #[error(
        "the record counts an enclave operation, and is no outcome: an operation stands where it succeeded, failed or may \
         have failed, and nowhere else"
    )]
    OperationOutsideOutcome,
    /// An operation of which it is not said what it was.
    #[error("the record counts an enclave operation, and names no mechanism")]
    NoMechanism,
    /// An operation with something that is no key version.
    #[error("the record counts an enclave operation, and {resource:?} is no key version")]
    OperationResource {
        /// What the record names.
        resource: String,
    },
    /// A signature in a record that says that it was not released.
    #[error("the record has a signature, and says that its operation failed")]
    SignatureOfFailure,
    /// A signature or another use without an operation, though earlier records have theirs.
    #[error("the record has a signature, or a use of a key that succeeded, and counts no enclave operation")]
    ReleasedAlone,
    /// An operation without a commitment, though an earlier one had one.
    #[error("operation {operation} of this enclave process has no commitment, though earlier records have theirs")]
    NoCommitment {
        /// The operation's number.
        operation: u64,
    },
    /// The process's chain went on without the operation, or without commitments.
    #[error(
        "operation {operation} of this enclave process stands here, long after it was passed over: records were \
         inserted or reordered"
    )]
    OperationLate {
        /// The operation's number.
        operation: u64,
    },
    /// More operations than an enclave makes without a statement that it was shown.
    #[error(
        "this enclave process made operation {operation}, and had stated {since} before: it never goes on for so long, so \
         statements of it were removed"
    )]
    Unstated {
        /// The operation's number, or how many a statement states.
        operation: u64,
        /// What it stated last.
        since: u64,
    },
    /// A statement that the audit key did not sign.
    #[error("the enclave's statement is not signed by the log's key: it was changed, or made by somebody else")]
    StatementSignature,
    /// A statement of a process whose operations have no commitments.
    #[error("this enclave process makes statements, and its operations have no commitments: they were removed")]
    StatementWithoutCommitments,
    /// A statement of fewer operations than the one before.
    #[error("this enclave process stated {before} operations before and {now} here: statements were reordered")]
    StatementBackwards {
        /// What it had stated.
        before: u64,
        /// What it states here.
        now: u64,
    },
    /// The chain over the recorded operations has another last link.
    #[error(
        "the enclave states other operations than the records show: one of its operations {} to {operations} was \
         changed", .since.saturating_add(1)
    )]
    StatementLink {
        /// What is stated.
        operations: u64,
        /// Up to there, records and statements agree.
        since: u64,
    },
    /// Operations that must have a record.
    #[error(
        "operations without a record: {first} to {last} of enclave process {incarnation}{}, which stated them and went \
         on{}: their records were never written, or were removed",
        .after_record.map_or(String::new(), |record| format!(", after record {record}")),
        match .holes { 0 | 1 => String::new(), holes => format!("; {holes} such holes") }
    )]
    OperationsMissing {
        /// The process, in hex.
        incarnation: String,
        /// The first that is missing.
        first: u64,
        /// The last of that hole.
        last: u64,
        /// The record of the operation before.
        after_record: Option<u64>,
        /// How many holes the process has.
        holes: usize,
    },

    /// What the record says contradicts what earlier ones said; found by whoever knows what records mean.
    #[error("{0}")]
    Contradiction(String),
}
