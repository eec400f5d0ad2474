//! Chancery: a virtual HSM for consortium networks. This is the service; `chanceryd` is its program.
//!
//! Read [`signing`] first: how a signature comes to be and leaves. Then what it stands on, from the top down:
//! [`service`] builds every part; [`grpc`] turns calls into typed requests; [`admission`] says who asks and whether
//! policy allows it; [`enclave`] uses keys in a process apart; [`audit`] records before anything is released;
//! [`directory`] is what exists, and [`store`] its index on disk. docs/architecture.md has the whole picture.
//!
//! **Invariants**: no vendor code and no private key but the TLS key in this process; no unsafe code.
#![forbid(unsafe_code)]

#[cfg(all(feature = "sabotage", not(debug_assertions)))]
compile_error!("feature `sabotage` makes a service that leaves records out: for tests, and in no release build");

pub mod access;
pub mod admission;
pub mod approvals;
pub mod audit;
pub mod backups;
pub mod certificates;
pub mod changes;
pub mod config;
pub mod crypto;
pub mod deployment;
pub mod directory;
pub mod enclave;
pub mod error;
pub mod grpc;
pub mod identity;
pub mod issuing;
pub mod keys;
pub mod limiting;
pub mod limits;
pub mod mirror;
pub mod objects;
pub mod operations;
pub mod policies;
pub mod registry;
#[cfg(feature = "sabotage")]
pub mod sabotage;
pub mod service;
pub mod signing;
pub mod store;
pub mod witnesses;

pub use chancery_model as model;
pub use chancery_policy as policy;
