//! Keys on their way, through the real command and the real service: import, backup, restore, statements, and what the
//! processes' memories show meanwhile. Who judges is not us: openssl, other implementations, the key itself.
#![forbid(unsafe_code)]

#[path = "../harness/mod.rs"]
mod harness;
#[allow(dead_code, reason = "its encodings of ECDSA are not needed here")]
#[path = "../path/openssl.rs"]
mod openssl;
#[path = "../harness/shared.rs"]
mod shared;

mod attempt;
mod attestation;
mod backups;
mod bad_backups;
mod bad_imports;
mod bad_shares;
mod bad_states;
mod ciphers;
mod desk;
mod foreign_keys;
mod gcm;
mod import;
mod interrupted;
mod known_keys;
mod memory;
mod ml_dsa_keys;
mod origins;
mod places;
mod restore;
mod rewrap;
mod same_place;
mod scan;
mod secret_keys;
mod store;
mod versions;
