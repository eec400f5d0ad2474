//! Dangerous operations take two officers: who may approve what, how long, how often, and what a dry run says before.
//! Deployments here are `chanceryd dev`'s with the second officer switched on.
#![forbid(unsafe_code)]
#![allow(unreachable_pub, reason = "a test has no public")]

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../harness/shared.rs"]
mod shared;

mod alone;
mod dangerous;
mod dry_run;
mod place;
mod prompt;
mod refusals;
mod restore;
mod twice;
mod waiting;
mod widening;
