//! `chancery audit witness …`: another organization's eye on the log.
//!
//! **Invariant**: nothing is cosigned that contradicts what was cosigned before, and that is on disk before a cosignature
//! leaves.
//!
//! **Not here**: what a contradiction is (chancery-audit), who must cosign (the deployment's policy).

pub(crate) mod init;
pub(crate) mod run;
mod state;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a witness's key and its state directory, and print the line for the deployment's witness policy
    Init(init::Args),
    /// Follow a log: check that each checkpoint extends the one before, cosign it and bring the cosignature
    Run(run::Args),
}
