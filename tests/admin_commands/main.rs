//! Organizations and their members by the `chancery` command alone, as their officers do it against a real service.
#![forbid(unsafe_code)]

#[path = "../harness/authority.rs"]
mod authority;
#[path = "../harness/mod.rs"]
mod harness;
#[path = "../harness/shared.rs"]
mod shared;

mod anchors;
mod desk;
mod limits;
mod members;
mod organizations;
