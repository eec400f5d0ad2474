//! Organizations, their trust anchors and revocation lists by API, with openssl as their authorities' tool.
#![forbid(unsafe_code)]

#[path = "../harness/authority.rs"]
mod authority;
#[path = "../harness/mod.rs"]
mod harness;
#[path = "../harness/shared.rs"]
mod shared;

mod anchors;
mod bootstrap;
mod chains;
mod founding;
mod lists;
mod organizations;
mod proofs;
mod second_officer;
mod strangers;
