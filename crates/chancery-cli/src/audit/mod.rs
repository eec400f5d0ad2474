//! `chancery audit …`.

pub(crate) mod checkpoint;
mod directory;
pub(crate) mod list;
mod record;
pub(crate) mod verify;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List records, oldest first
    List(list::Args),
    /// Print the newest signed checkpoint
    Checkpoint(checkpoint::Args),
    /// Verify a log from its files and the audit key alone: offline, without credentials, also while it is written
    Verify(verify::Args),
}
