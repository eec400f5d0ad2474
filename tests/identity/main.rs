//! Who gets in as whom: certificates that claim too much, and clients that do not even speak.
//!
//! Whoever attacks here holds an organization's identity CA key, which is the most that an online CA can lose.
#![forbid(unsafe_code)]

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../harness/shared.rs"]
mod shared;

mod authority;
mod claims;
mod connections;
mod kept_key;
mod validity;
