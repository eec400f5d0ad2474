//! `chancery backup …`: an organization's enclave keys in a file that so many custodians together can open.
//!
//! To restore, someone asks for a job (`job`), custodians seal their shares to it where they are (`share`), and the file
//! goes back with enough of them (`restore`).
//!
//! **Invariant**: neither a share nor a key passes through here but sealed; only `share` opens one, its own.
//!
//! **Not here**: the file's format and the sharing (chancery-transfer); keys in the token, which no backup holds.

pub(crate) mod create;
pub(crate) mod file;
pub(crate) mod job;
pub(crate) mod list;
pub(crate) mod restore;
pub(crate) mod share;
pub(crate) mod show;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write an organization's enclave keys to a file that custodians can restore together
    Create(create::Args),
    /// List the backups that were made
    List(list::Args),
    /// Show what a backup's file says of itself, offline
    Show(show::Args),
    /// Ask for a key of the enclave to seal shares to; it lives for minutes
    Job(job::Args),
    /// As a custodian: open your share of a backup and seal it to a job, offline
    Share(share::Args),
    /// Bring the keys of a backup back; a version that was destroyed stays destroyed
    Restore(restore::Args),
}
