//! The PKCS#11 module's way to the service while that is down, hangs, crashes, or moves to its other address: callers
//! notice nothing but time, until their deadline.

#![allow(unreachable_pub, reason = "modules of one test program")]
#![forbid(unsafe_code)]

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../harness/recorded.rs"]
mod recorded;

mod crashes;
mod node;
mod proxy;
mod refusals;
mod silence;
