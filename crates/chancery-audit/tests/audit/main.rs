//! The audit log's format and verifier, used as an auditor would use them: from bytes and a key.

mod golden;
mod merkle;
mod notes;
mod rules;
mod sample;
mod segments;
mod tampering;
