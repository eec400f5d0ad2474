//! What handles of the PKCS#11 module stand for, against a real service: processes see each other's objects, handles stay,
//! nothing is "not found" that was not asked for, and nobody takes a named key away.
//!
//! Each [`token::Token`] is a process of its own as far as the module knows: it has its own handles, connection and sessions.
#![forbid(unsafe_code)]

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../harness/shared.rs"]
mod shared;

mod token;

mod certificates;
mod finding;
mod keys;
mod lasting;
mod local;
