//! The PKCS#11 module by itself, under a client in C: what it shows to a process, and how it bears processes that fork,
//! unload it, end late, have a broken configuration or call it wrongly.
#![forbid(unsafe_code)]

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../harness/shared.rs"]
mod shared;

mod configuration;
mod connected;
mod exports;
mod lifecycle;
mod place;
