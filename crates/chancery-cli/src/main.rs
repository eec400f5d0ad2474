//! `chancery`: the command of operators and auditors.
//!
//! Arguments → [`cli::Command`] → one module per command → exit code. Everything online goes through chancery-client;
//! `audit verify` needs neither client nor configuration.
#![forbid(unsafe_code)]

mod audit;
mod bench;
mod certificates;
mod cli;
mod csr;
mod failure;
mod files;
mod keys;
mod output;
mod sign;
mod signing_input;
mod status;
mod time;
mod verify;
mod words;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
