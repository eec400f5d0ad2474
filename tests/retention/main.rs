//! Old segments of the log in an archive: what is left serves and verifies, both together prove everything, and nothing
//! that was destroyed, changed or lost passes.
#![forbid(unsafe_code)]
#![allow(unreachable_pub, reason = "a test has no public")]

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../harness/shared.rs"]
mod shared;

mod archived;
mod interrupted;
mod keeper;
mod kept;
