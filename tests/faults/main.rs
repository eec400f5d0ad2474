//! What is broken is refused with its exit code and a reason, at start and while running, and heals when it is mended.

#![allow(unreachable_pub, reason = "modules of one test program")]

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../harness/recorded.rs"]
mod recorded;
#[path = "../harness/shim.rs"]
mod shim;

#[allow(dead_code, reason = "shared with the crashes")]
#[path = "../crash/load.rs"]
mod load;
#[path = "../crash/log.rs"]
mod log;

mod attempt;
mod audit_files;
mod configuration;
mod full_disk;
mod injected;
mod lifecycle;
mod production;
mod running;
mod store;
mod store_behind;
mod token;
