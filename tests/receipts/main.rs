//! Receipts, proofs and the mirror, as their users have them: taken from a running service, checked without it.
#![forbid(unsafe_code)]

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../harness/shared.rs"]
mod shared;

mod later;
mod mirror;
mod offline;
mod signing;
