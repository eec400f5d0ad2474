//! Witnesses: real witness processes on a real service, which is copied, rolled back and lied to.

#[path = "../harness/mod.rs"]
mod harness;

mod desk;
mod process;
mod quorum;
mod refused;
mod rollback;
mod split;
