//! The audit log's format and verifier, used as an auditor would use them: from bytes and a key.

mod cosignatures;
mod golden;
mod merkle;
mod notes;
mod operations;
mod policies;
mod proofs;
mod receipts;
mod rules;
mod sample;
mod segments;
mod snapshots;
mod tampering;
mod tiles;
