//! `chancery audit verify`: proves a log from its files and the audit key alone.
//!
//! **Invariants**
//! * It exits with 0 only if every file of the directory was accounted for and the records up to the checkpoint are
//!   those that were signed.
//! * A log that is being written is not called damaged for it: what may be a half-written end, or may have changed while
//!   it was read, is read again, a bounded number of times.
//!
//! **Not here**: the proof itself (chancery-audit).

use super::directory::{Contents, Segment};
use crate::{
    attestation::audit_key,
    failure::CliError,
    output::{self, Output},
    time,
};
use chancery_audit::{
    checkpoint::VerifierKey,
    record::Record,
    verify::{Fault, Report, Verifier, VerifyError},
};
use indicatif::ProgressBar;
use serde_json::{Map, Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    thread::sleep,
    time::{Duration, Instant},
};

/// How often a log that seems to be in motion is read again, and after what time.
const REREADS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(200);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The directory that holds the segments and the checkpoint
    #[arg(long, value_name = "DIR")]
    log: PathBuf,
    /// The log's public key, C2SP vkey text
    #[arg(long, value_name = "VKEY_FILE")]
    key: PathBuf,
}

pub(crate) fn run(form: Output, args: &Args) -> Result<ExitCode, CliError> {
    let key = audit_key(&args.key)?;
    let start = Instant::now();
    let Verified { report, bytes, .. } = read(&args.log, &key, &Nothing)?;
    print(form, &report, bytes, start.elapsed())?;
    Ok(ExitCode::SUCCESS)
}

/// What is gathered from the records of a log while it is verified.
pub(crate) trait Collect: Clone {
    /// Takes the next record. `signed`: the checkpoint covers it.
    fn record(&mut self, record: &Record, signed: bool);
}

#[derive(Clone)]
struct Nothing;

impl Collect for Nothing {
    fn record(&mut self, _: &Record, _: bool) {}
}

/// A log that was proved.
pub(crate) struct Verified<C> {
    pub(crate) report: Report,
    /// Its signed checkpoint.
    pub(crate) note: String,
    /// How many bytes its segments had.
    pub(crate) bytes: u64,
    pub(crate) collected: C,
}

/// Proves a log, and gathers from its records; says how far it is.
///
/// # Errors
/// [`CliError::Unverified`] and [`CliError::NoLog`] when it is not proved.
pub(crate) fn read<C: Collect>(dir: &Path, key: &VerifierKey, empty: &C) -> Result<Verified<C>, CliError> {
    let progress = output::byte_bar(0);
    let result = verify(dir, key, empty, &progress);
    progress.finish_and_clear();
    result
}

/// Verifies the directory. Whatever is read again is gathered again, from nothing.
fn verify<C: Collect>(
    dir: &Path,
    key: &VerifierKey,
    empty: &C,
    progress: &ProgressBar,
) -> Result<Verified<C>, CliError> {
    let mut rereads = REREADS;
    loop {
        let failed = match Contents::read(dir) {
            Ok(contents) => match verify_contents(&contents, key, empty, &mut rereads, progress) {
                Ok((report, collected)) => {
                    let bytes = contents.length();
                    return Ok(Verified { report, note: contents.note, bytes, collected });
                }
                // Nothing moved: the failure is the log's own.
                Err(error) if Contents::read(dir).is_ok_and(|now| now == contents) => return Err(error),
                Err(error) => error,
            },
            // A checkpoint under replacement may show as a file beside it.
            Err(error @ CliError::NoLog(_)) => error,
            Err(error) => return Err(error),
        };
        if rereads == 0 {
            return Err(failed);
        }
        rereads -= 1;
        sleep(PAUSE);
    }
}

fn verify_contents<C: Collect>(
    contents: &Contents,
    key: &VerifierKey,
    empty: &C,
    rereads: &mut u32,
    progress: &ProgressBar,
) -> Result<(Report, C), CliError> {
    progress.set_length(contents.length());
    progress.set_position(0);
    let mut state = State {
        verifier: Verifier::new(key.clone(), &contents.note)?,
        signed: key.open_note(&contents.note).map_or(0, |checkpoint| checkpoint.size),
        collected: empty.clone(),
    };
    let Some((last, sealed)) = contents.segments.split_last() else {
        return Ok((state.verifier.finish()?, state.collected));
    };
    for segment in sealed {
        state.segment(segment, progress)?;
    }
    loop {
        let mut attempt = state.clone();
        match attempt.segment(last, progress) {
            Ok(()) => return Ok((attempt.verifier.finish()?, attempt.collected)),
            Err(CliError::Unverified(error)) if *rereads > 0 && may_be_half_written(&error) => {
                *rereads -= 1;
                sleep(PAUSE);
            }
            Err(error) => return Err(error),
        }
    }
}

/// How far a verification is.
#[derive(Clone)]
struct State<C> {
    verifier: Verifier,
    /// How many records the checkpoint covers.
    signed: u64,
    collected: C,
}

impl<C: Collect> State<C> {
    fn segment(&mut self, segment: &Segment, progress: &ProgressBar) -> Result<(), CliError> {
        let bytes = fs::read(&segment.path).map_err(CliError::read(&segment.path))?;
        let (collected, signed) = (&mut self.collected, self.signed);
        self.verifier.segment_visiting(&segment.name, &bytes, |record, _| {
            collected.record(record, record.index < signed);
        })?;
        progress.inc(bytes.len() as u64);
        Ok(())
    }
}

/// Whether the end of a log that is being written can look like this.
fn may_be_half_written(error: &VerifyError) -> bool {
    matches!(error.fault, Fault::Torn | Fault::DirtyTail | Fault::Header(_))
}

fn print(form: Output, report: &Report, bytes: u64, took: Duration) -> Result<(), CliError> {
    let seconds = took.as_secs_f64().max(1e-9);
    if form == Output::Json {
        return output::json(&json(report, bytes, seconds));
    }
    let signed = report.checkpoint.size;
    let past = match report.past_checkpoint {
        0 => "none: every record is signed".to_owned(),
        records => format!("{records} records, well-formed and chained, not signed yet"),
    };
    let kinds: Vec<String> = report.by_kind.iter().map(|(kind, n)| format!("{n} {}", kind.as_str_name())).collect();
    let mut fields = vec![
        (
            "verified",
            format!("records 0 to {} are those that {} signed", signed.saturating_sub(1), report.checkpoint.origin),
        ),
        ("past the checkpoint", past),
        ("root", hex::encode(report.checkpoint.root)),
        ("deployment", report.deployment.clone()),
        (
            "time",
            format!(
                "{} to {}",
                time::short_nanos(report.first_time_unix_nanos),
                time::short_nanos(report.last_time_unix_nanos)
            ),
        ),
        ("records", format!("{} in {} segments: {}", report.records, report.segments, kinds.join(", "))),
        (
            "enclaves",
            format!("{} processes, {} operations without a record", report.incarnations, report.operation_holes),
        ),
        ("open intents", report.open_intents.to_string()),
        (
            "rate",
            format!(
                "{:.0} records/s, {:.1} MiB/s",
                report.records as f64 / seconds,
                bytes as f64 / seconds / f64::from(1 << 20)
            ),
        ),
    ];
    if signed == 0 {
        fields[0].1 = format!("nothing: the checkpoint of {} signs the empty log", report.checkpoint.origin);
    }
    if report.times_backwards > 0 {
        fields.push(("clock", format!("{} records are older than the one before them", report.times_backwards)));
    }
    if report.unknown_kinds > 0 {
        fields.push(("unknown kinds", format!("{} records: a newer chancery knows them", report.unknown_kinds)));
    }
    output::fields(&fields)
}

fn json(report: &Report, bytes: u64, seconds: f64) -> Value {
    let by_kind: Map<String, Value> =
        report.by_kind.iter().map(|(kind, n)| (kind.as_str_name().to_owned(), (*n).into())).collect();
    json!({
        "verified": true,
        "records": report.records,
        "checkpoint": {
            "origin": report.checkpoint.origin,
            "size": report.checkpoint.size,
            "root": hex::encode(report.checkpoint.root),
        },
        "past_checkpoint": report.past_checkpoint,
        "segments": report.segments,
        "deployment": report.deployment,
        "by_kind": by_kind,
        "unknown_kinds": report.unknown_kinds,
        "first_time": time::rfc3339_nanos(report.first_time_unix_nanos),
        "last_time": time::rfc3339_nanos(report.last_time_unix_nanos),
        "times_backwards": report.times_backwards,
        "open_intents": report.open_intents,
        "incarnations": report.incarnations,
        "operation_holes": report.operation_holes,
        "bytes": bytes,
        "seconds": seconds,
    })
}
