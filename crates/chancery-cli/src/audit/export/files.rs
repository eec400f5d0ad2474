//! Records of a log's files, verified while they are read.
//!
//! **Invariants**: of a segment that does not verify nothing is written. The log is proved as `audit verify` proves it
//! once the last segment was read; before that, what went to standard output is not proved.

use super::{
    super::directory::{Contents, Segment},
    Args, Sink,
};
use crate::{failure::CliError, output};
use chancery_audit::{checkpoint::VerifierKey, record::Record, verify::Verifier};
use std::{fs, path::Path, thread::sleep, time::Duration};

/// How often the last segment of a log that is being written is read again, and after what time.
const REREADS: u32 = 25;
const PAUSE: Duration = Duration::from_millis(200);
/// Records written together.
const BATCH: usize = 500;

pub(super) fn export(log: &Path, key: &VerifierKey, args: &Args, sink: &mut Sink) -> Result<(), CliError> {
    let contents = Contents::read(log, None)?;
    let mut verifier = Verifier::new(key.clone(), &contents.note)?;
    let progress = output::byte_bar(contents.length());
    for (at, segment) in contents.segments.iter().enumerate() {
        let is_last = at + 1 == contents.segments.len();
        let mut rereads = if is_last { REREADS } else { 0 };
        let records = loop {
            // The end of a log that is being written may be half there.
            let mut attempt = verifier.clone();
            match read(&mut attempt, segment, args) {
                Ok(records) => {
                    verifier = attempt;
                    break records;
                }
                Err(CliError::Unverified(_)) if rereads > 0 => {
                    rereads -= 1;
                    sleep(PAUSE);
                }
                Err(error) => return Err(error),
            }
        };
        for batch in records.chunks(BATCH) {
            let mut text = String::new();
            args.format.write(batch.iter(), &mut text);
            sink.write(batch.len(), &text)?;
        }
        progress.inc(segment.length);
    }
    verifier.finish()?;
    progress.finish_and_clear();
    Ok(())
}

/// What is wanted of a segment.
fn read(verifier: &mut Verifier, segment: &Segment, args: &Args) -> Result<Vec<Record>, CliError> {
    let bytes = fs::read(&segment.path).map_err(CliError::read(&segment.path))?;
    let mut wanted = Vec::new();
    verifier.segment_visiting(&segment.name, &bytes, |record, _| {
        if args.wants(record) {
            wanted.push(record.clone());
        }
    })?;
    Ok(wanted)
}
