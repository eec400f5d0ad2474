//! Finding records: by every filter and in both orders, as they come, and for other systems.
#![forbid(unsafe_code)]

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../harness/shared.rs"]
mod shared;

mod export;
mod filters;
mod index;
mod tail;
mod tail_command;
