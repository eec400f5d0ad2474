//! A log that grows to ten million records: what an append, a proof and a query cost at each power of ten (P9).
//!
//! **Invariants**: records go in by [`AuditLog::append`], synced as the service's are; proofs and pages are those that the
//! service gives. What is found is counted against what was put in: a wrong answer ends the benchmark. The log lies on
//! the disk that holds target/, and goes with the process.
//!
//! **Not here**: signatures (`service`). What the figures mean: docs/performance.md.
#![forbid(unsafe_code)]

mod growth;
mod measure;
mod report;
mod world;

#[path = "../service/machine.rs"]
mod machine;

use clap::Parser;
use std::{error::Error, process::ExitCode};

/// Any failure ends the benchmark, so that its text is all that matters.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// What a growing log costs
#[derive(Parser)]
struct Arguments {
    /// How many records the log grows to
    #[arg(long, env = "CHANCERY_BENCH_RECORDS", default_value_t = 10_000_000)]
    #[arg(value_parser = clap::value_parser!(u64).range(1_000..=100_000_000))]
    records: u64,
    /// Given by `cargo bench`
    #[arg(long)]
    bench: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if !arguments.bench {
        // `cargo test --all-targets` runs this program too.
        println!("nothing is measured without --bench: run `make bench`");
        return ExitCode::SUCCESS;
    }
    match growth::run(arguments.records) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}
