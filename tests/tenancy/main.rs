//! Organizations stay apart: what one's clients may do to another's keys and records, and within their own by role.
#![forbid(unsafe_code)]

#[path = "../harness/authority.rs"]
mod authority;
#[path = "../harness/mod.rs"]
mod harness;
#[path = "../harness/shared.rs"]
mod shared;

mod bad_requests;
mod copied;
mod disclosure;
mod floods;
mod log;
mod nodes;
mod records;
mod roles;
mod strangers;
mod surfaces;
mod traces;
mod wire;
