//! `chancery`: the command of operators and auditors.
//!
//! Arguments → [`cli::Command`] → one module per command → exit code. Everything online goes through chancery-client;
//! `audit verify`, `attestation verify`, `backup show`, `backup share` and `policy check` need neither client nor
//! configuration.
#![forbid(unsafe_code)]

mod approvals;
mod attestation;
mod audit;
mod backup;
mod bench;
mod call;
mod certificates;
mod cli;
mod confirm;
mod crypto;
mod csr;
mod failure;
mod files;
mod keys;
mod output;
mod pem;
mod policy;
mod private_key;
mod progress;
mod registry;
mod sign;
mod signing_input;
mod sm2_digest;
mod status;
mod time;
mod verify;
mod words;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
