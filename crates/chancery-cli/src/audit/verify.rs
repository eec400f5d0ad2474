//! `chancery audit verify`: proves a log from its files, or one record from its receipt, with the audit key alone.
//!
//! **Invariant**: it exits with 0 only if every file of the directory was accounted for, the records up to the checkpoint
//! are those that were signed, and none contradicts those before it.
//!
//! **Not here**: the proof itself (chancery-audit, chancery-verifier), reading the directory (`reading`), the table
//! (`findings`), receipts (`receipt`).

use super::{
    cosignatures,
    findings::{self, Effort},
    reading::{Nothing, Verified, read},
    receipt,
};
use crate::{attestation::audit_key, failure::CliError, output::Output};
use chancery_audit::snapshot::Snapshot;
use chancery_verifier::{Auditor, Options};
use std::{path::PathBuf, process::ExitCode, time::Instant};

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true))]
pub(crate) struct Args {
    /// The directory that holds the segments and the checkpoint
    #[arg(long, value_name = "DIR", group = "what")]
    log: Option<PathBuf>,
    /// The directory of the log's archived segments, to prove all records from the first on
    #[arg(long, value_name = "DIR", requires = "log")]
    archive: Option<PathBuf>,
    /// A receipt, as `chancery sign --receipt` and `chancery audit proof` write it; - is standard input
    #[arg(long, value_name = "FILE", group = "what")]
    receipt: Option<PathBuf>,
    /// The log's public key, C2SP vkey text
    #[arg(long, value_name = "VKEY_FILE")]
    key: PathBuf,
    /// Verify every signature in the log under the recorded public key, too
    #[arg(long, conflicts_with = "receipt")]
    signatures: bool,
    /// Fail on every operation of the enclave that has no record, also where a crash explains it, and on
    /// every use of a key of which nothing was released
    #[arg(long, conflicts_with = "receipt")]
    strict: bool,
    /// Where to write the receipt's record, JSON; - is standard output
    #[arg(long, value_name = "FILE", requires = "receipt")]
    out: Option<PathBuf>,
    #[command(flatten)]
    witnesses: cosignatures::Demanded,
}

pub(crate) fn run(form: Output, args: &Args) -> Result<ExitCode, CliError> {
    let Some(log) = &args.log else {
        if let Some(receipt) = &args.receipt {
            receipt::run(form, receipt, &args.key, args.out.as_deref(), &args.witnesses)?;
        }
        return Ok(ExitCode::SUCCESS);
    };
    let key = audit_key(&args.key)?;
    let options = Options { signatures: args.signatures, strict: args.strict };
    let start = Instant::now();
    let begin = |note: &str, snapshot: Option<&Snapshot>| match snapshot {
        Some(snapshot) => Auditor::after(key.clone(), note, snapshot, options),
        None => Auditor::new(key.clone(), note, options),
    };
    let Verified { proved, note, bytes, .. } = read(log, args.archive.as_deref(), &key, begin, &Nothing)?;
    let verdict = args.witnesses.verdict(&key, &proved.report.checkpoint, &note)?;
    findings::print(form, &proved, verdict, Effort { bytes, took: start.elapsed() })?;
    Ok(ExitCode::SUCCESS)
}
