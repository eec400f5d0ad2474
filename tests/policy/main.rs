//! Policies as users meet them: an organization's own, the base set's reload, explaining and trying out.
//!
//! An organization has one set of its own, so that most tests have a deployment of their own.
#![forbid(unsafe_code)]

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../harness/shared.rs"]
mod shared;

mod desk;
mod explain;
mod modes;
mod own;
mod recorded;
mod refused;
mod reload;
mod reserved;
mod simulate;
mod strangers;
mod tampered;
