//! Crashes under load: `kill -9` of the service and of its enclave, hangs, and what must hold afterwards: no signature
//! released without a record, no record of a released one lost, no key lost and none left over.

#![allow(unreachable_pub, reason = "modules of one test program")]

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../harness/recorded.rs"]
mod recorded;

mod bench;
mod creation;
mod enclave;
mod hang;
mod load;
mod log;
mod quarantine;
mod service;
