//! The enclave as the log's first witness, in a whole service: what it states is what the log shows, whatever happens to
//! the disk, the enclave or the callers; and a service that leaves something out is caught.
#![forbid(unsafe_code)]
#![allow(unreachable_pub, reason = "modules of one test program")]

#[path = "../harness/mod.rs"]
mod harness;
#[allow(dead_code, reason = "shared with the crashes")]
#[path = "../crash/load.rs"]
mod load;

mod chain;
mod recorded;
mod sabotage;
mod troubles;
