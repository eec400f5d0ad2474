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
    failure::CliError,
    files,
    output::{self, Output},
    time,
};
use chancery_audit::{
    checkpoint::VerifierKey,
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

/// No vkey is longer than this, in bytes.
const MAX_VKEY: u64 = 4096;

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
    let key = read_key(&args.key)?;
    let start = Instant::now();
    let progress = output::byte_bar(0);
    let result = verify(&args.log, &key, &progress);
    progress.finish_and_clear();
    let (report, bytes) = result?;
    print(form, &report, bytes, start.elapsed())?;
    Ok(ExitCode::SUCCESS)
}

fn read_key(path: &Path) -> Result<VerifierKey, CliError> {
    let text = String::from_utf8(files::read(path, MAX_VKEY)?)
        .map_err(|_| CliError::Rejected(format!("{} is no vkey: it is no text", path.display())))?;
    text.parse().map_err(|error| CliError::Rejected(format!("{} is no vkey: {error}", path.display())))
}

/// Verifies the directory, and says how many bytes its segments had.
fn verify(dir: &Path, key: &VerifierKey, progress: &ProgressBar) -> Result<(Report, u64), CliError> {
    let mut rereads = REREADS;
    loop {
        let failed = match Contents::read(dir) {
            Ok(contents) => match verify_contents(&contents, key, &mut rereads, progress) {
                Ok(report) => return Ok((report, contents.length())),
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

fn verify_contents(
    contents: &Contents,
    key: &VerifierKey,
    rereads: &mut u32,
    progress: &ProgressBar,
) -> Result<Report, CliError> {
    progress.set_length(contents.length());
    progress.set_position(0);
    let mut verifier = Verifier::new(key.clone(), &contents.note)?;
    let Some((last, sealed)) = contents.segments.split_last() else {
        return Ok(verifier.finish()?);
    };
    for segment in sealed {
        verify_segment(&mut verifier, segment, progress)?;
    }
    loop {
        let mut attempt = verifier.clone();
        match verify_segment(&mut attempt, last, progress) {
            Ok(()) => return Ok(attempt.finish()?),
            Err(CliError::Unverified(error)) if *rereads > 0 && may_be_half_written(&error) => {
                *rereads -= 1;
                sleep(PAUSE);
            }
            Err(error) => return Err(error),
        }
    }
}

fn verify_segment(verifier: &mut Verifier, segment: &Segment, progress: &ProgressBar) -> Result<(), CliError> {
    let bytes = fs::read(&segment.path).map_err(CliError::read(&segment.path))?;
    verifier.segment(&segment.name, &bytes)?;
    progress.inc(bytes.len() as u64);
    Ok(())
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
