//! The async client of chancery.v1: mutual TLS, failover between addresses, retries, decoded errors.
//!
//! [`ClientConfig::load`] reads a client.toml with all it names, [`Client::connect`] opens the connection, the generated
//! stubs come from [`Client::signing`] and its siblings, and [`Client::retry`] repeats a call while that can help.
//! Failures of calls become a [`ClientError`], which says whether the service denied, rejected or failed.
//!
//! **Invariants**
//! * TLS 1.3 only, the server's name is always checked, and the private key is never logged nor part of an error.
//! * A call is repeated only when its error says that this is safe; the request, with its request id, stays the same.
//! * Every call ends by the deadline.
//! * With a log configured, each connection's log must extend the largest checkpoint seen before.
//!
//! **Not here**: what to do with an answer (the command line, the PKCS#11 library), messages and names (chancery-api).
#![forbid(unsafe_code)]

mod client;
mod config;
mod connect;
mod credentials;
mod error;
mod log;
mod retry;
mod transport;

pub use client::{Client, Health};
pub use config::{Address, ClientConfig, ConfigError, RawClientConfig, RawLog, read_toml};
pub use connect::ConnectError;
pub use error::{ClientError, FieldViolation, Performed};
pub use log::{Evidence, hashes};
pub use retry::{Attempt, Backoff, request_id, retry_until};
pub use tonic::Code;
pub use transport::Transport;
