//! The audit log's format, and the verifier that auditors run against a copy of it.
//!
//! A log is a sequence of [`record::Record`] messages, each stored once as its exact bytes. [`segment`] frames them into
//! files, [`merkle`] hashes them into an RFC 6962 tree, [`checkpoint`] signs that tree's root as a C2SP note,
//! [`tiles`] publishes that tree's hashes, [`receipt`] proves one record by them, [`operations`] is the enclave's own chain of what it did, and [`verify`] proves
//! that files, tree and signature belong together. docs/audit-log.md specifies all of it.
//!
//! **Invariants**
//! * Stored record bytes are hashed and framed as they are, never decoded and encoded again.
//! * No input, however hostile, makes a parser here panic or allocate more than the input's own size warrants.
//! * A changed byte of a stored segment fails verification, and the error names a record.
//!
//! **Not here**: files, sockets, clocks and async (the service's `audit` module writes the log, `chancery audit verify`
//! reads it), signing keys (the enclave signs checkpoints), the meaning of resource states.

#![forbid(unsafe_code)]

pub mod checkpoint;
pub mod merkle;
pub mod operations;
pub mod receipt;
pub mod segment;
pub mod snapshot;
pub mod tiles;
pub mod verify;

/// The messages of proto/chancery/audit/v1/record.proto and snapshot.proto, as generated.
#[allow(missing_docs, reason = "generated: the schema's comments are the reference")]
pub mod record {
    include!(concat!(env!("OUT_DIR"), "/chancery.audit.v1.rs"));
}
