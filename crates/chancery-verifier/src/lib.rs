//! What an auditor proves of a log from its files and public keys alone.
//!
//! chancery-audit proves that the bytes are those that were signed, in order and whole, and that the enclave's own account
//! of its operations agrees with them. This crate adds what records mean: whose key was used, in which state it was, which
//! recorded policies decided, and whether each signature is one.
//!
//! **Invariants**
//! * The log alone is asked: each record is judged by the states and policy sets that earlier records left behind.
//! * The first contradiction is final and names its record, as every error of the verifier.
//! * What can't be checked from the log is counted, never passed over in silence.
//!
//! **Not here**: reading files (chancery-cli), whether a policy that is recorded *should* have permitted something
//! (`chancery policy simulate`), dates: a version's `expire_time` is held against a clock that records can't prove.
#![forbid(unsafe_code)]

mod auditor;
mod contradiction;
mod decisions;
mod findings;
mod keys;
mod members;
mod signatures;

pub use auditor::{Auditor, Options};
pub use contradiction::Contradiction;
pub use findings::{Findings, Withheld};
