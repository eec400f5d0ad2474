//! `chancery audit …`.

pub(crate) mod checkpoint;
mod cosignatures;
mod directory;
pub(crate) mod export;
mod filter;
mod findings;
pub(crate) mod list;
pub(crate) mod proof;
pub(crate) mod reading;
mod receipt;
mod record;
mod replayed;
pub(crate) mod tail;
pub(crate) mod verify;
pub(crate) mod witness;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List records, oldest first
    List(list::Args),
    /// Print records as they come, until interrupted: with --output json, one JSON object a line
    ///
    /// After a broken connection it goes on where it was: no record is left out, none comes twice.
    Tail(tail::Args),
    /// Write records for other systems: JSON lines, CEF or OpenTelemetry logs
    ///
    /// From the service, or offline from a log's files, which are verified while they are read.
    Export(export::Args),
    /// Print the newest signed checkpoint
    Checkpoint(checkpoint::Args),
    /// Write a record's receipt: a proof, good offline and for ever, that it was logged
    Proof(proof::Args),
    /// Print the proof that one state of the log extends another
    Consistency(proof::Sizes),
    /// Verify a log from its files, or a receipt, with the audit key alone: offline, without credentials; a log also while
    /// it is written
    Verify(verify::Args),
    /// Watch the log for an organization: cosign checkpoints that extend what was seen before
    #[command(subcommand)]
    Witness(witness::Command),
}
