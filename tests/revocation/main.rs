//! Certificates that end before their time, or at it: on new and open connections and on open streams.
#![forbid(unsafe_code)]

#[path = "../harness/authority.rs"]
mod authority;
#[path = "../registry/founding.rs"]
mod founding;
#[path = "../harness/mod.rs"]
mod harness;
#[path = "../harness/shared.rs"]
mod shared;

mod expiry;
mod restart;
mod stream;
