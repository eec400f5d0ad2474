//! Keys on their way: imported from `openssl`, backed up on one token and restored on another, attested.
#![forbid(unsafe_code)]

mod attest;
mod backup;
#[path = "../harness/mod.rs"]
mod harness;
mod import;
mod origins;
mod parties;
