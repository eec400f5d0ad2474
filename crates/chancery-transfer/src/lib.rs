//! The formats in which keys travel: as ciphertext from end to end, through hands that cannot open them.
//!
//! [`envelope`] seals a key, or a custodian's share, to one public key and one purpose. [`statement`] is what an enclave
//! says of a key, signed with its audit key. [`backup`] is the file that holds an organization's keys, and [`shares`]
//! cuts the key of that file into pieces for its custodians. docs/key-transfer.md and docs/attestation.md specify them.
//!
//! **Invariants**
//! * What was sealed for one thing does not open as another: every binding is a key-derivation input or associated data.
//! * No input, however hostile, makes a parser here panic or allocate more than the input's own size warrants.
//! * Secrets are wiped when they are dropped, and no `Debug` or error holds one.
//!
//! **Not here**: files, sockets, clocks; the rules of who may import or restore (the service); the judging of imported
//! keys and their wrapping at rest (the enclave).

#![forbid(unsafe_code)]

pub mod backup;
pub mod envelope;
pub mod shares;
pub mod statement;

mod fields;
