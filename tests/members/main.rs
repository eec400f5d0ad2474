//! Who is whom in an organization, by its officers' word: registrations, known nodes, suspensions, groups.
//!
//! org1 takes new keys of known nodes as they come; org2 has them wait, in one test that no other minds.
#![forbid(unsafe_code)]

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../harness/shared.rs"]
mod shared;

#[path = "../identity/authority.rs"]
#[allow(dead_code, reason = "each suite uses a part")]
mod authority;

mod given;
mod groups;
mod nodes;
mod pins;
mod registrations;
mod release;
mod strangers;
mod suspensions;
