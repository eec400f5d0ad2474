//! `make bench`: what the service does in a second, beside what the same machine does without it.
//!
//! **Invariants**: every round measures each baseline and each of our figures once, one after the other, so that
//! whatever else the machine does falls on both; ratios are made within a round. A request that fails ends the
//! benchmark. Nothing outlives it: children end when their stdin closes, and the directory goes.
//!
//! **Not here**: load on a deployment that exists (`chancery bench`). What the figures mean: docs/performance.md.
#![forbid(unsafe_code)]

mod bare;
mod child;
mod cpu;
mod deployment;
mod direct;
mod load;
mod local;
mod loops;
mod machine;
mod plan;
mod report;

use clap::{Parser, Subcommand};
use std::{error::Error, path::PathBuf, process::ExitCode, time::Duration};

/// Any failure ends the benchmark, so that its text is all that matters.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Benchmarks of the service beside bare baselines
#[derive(Parser)]
struct Arguments {
    /// Rounds; each measures everything once
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// How long each figure is measured in a round, in milliseconds
    #[arg(long, default_value_t = 1500, value_parser = clap::value_parser!(u64).range(50..=60_000))]
    millis: u64,
    /// Given by `cargo bench`
    #[arg(long)]
    bench: bool,
    #[command(subcommand)]
    role: Option<Role>,
}

/// Processes that the benchmark starts from its own program.
#[derive(Subcommand)]
enum Role {
    /// A bare gRPC server
    #[command(hide = true)]
    BareServer { certificate: PathBuf, key: PathBuf, client_ca: PathBuf },
    /// Loops over C_Sign with a new key of a new token
    #[command(hide = true)]
    DirectToken { library: PathBuf },
    /// Loops over C_Sign with a key that is there
    #[command(hide = true)]
    KeyLoops { module: PathBuf, token: String, pin: String, key: String },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ended = match arguments.role {
        Some(Role::BareServer { certificate, key, client_ca }) => bare::serve(&certificate, &key, &client_ca),
        Some(Role::DirectToken { library }) => direct::serve(&library),
        Some(Role::KeyLoops { module, token, pin, key }) => loops::find_and_serve(&module, &token, &pin, &key),
        // `cargo test --all-targets` runs this program too.
        None if !arguments.bench => {
            println!("nothing is measured without --bench: run `make bench`");
            Ok(())
        }
        None => plan::run(arguments.rounds, Duration::from_millis(arguments.millis)),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}
