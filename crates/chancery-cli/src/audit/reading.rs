//! Reading a log: offline, from its directory and the archive of its first records.
//!
//! **Invariants**
//! * Every file of the directory is accounted for, and the records up to the checkpoint are those that were signed.
//! * A log that is being written is not called damaged for it: what may be a half-written end, or may have changed while
//!   it was read, is read again, a bounded number of times.
//! * Two segments are in memory at most: the next is read from the disk while one is proved.
//!
//! **Not here**: the proof itself (chancery-audit, chancery-verifier).

use super::{
    directory::{Contents, Segment},
    replayed::Replayed,
};
use crate::{failure::CliError, output};
use chancery_audit::{
    checkpoint::VerifierKey,
    record::Record,
    snapshot::Snapshot,
    verify::{Fault, Report, Verifier, VerifyError},
};
use chancery_verifier::{Auditor, Findings};
use indicatif::ProgressBar;
use std::{
    fs, panic,
    path::Path,
    thread::{self, sleep},
    time::Duration,
};

/// How often a log that seems to be in motion is read again, and after what time.
const REREADS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(200);

/// What proves a log, segment by segment.
pub(crate) trait Prove: Clone {
    /// What it says in the end.
    type Proved;

    /// Proves the next segment, and shows its records.
    fn segment(&mut self, name: &str, bytes: &[u8], show: &mut dyn FnMut(&Record)) -> Result<(), VerifyError>;

    /// Says what was proved.
    fn finish(self) -> Result<Self::Proved, VerifyError>;
}

impl Prove for Verifier {
    type Proved = Report;

    fn segment(&mut self, name: &str, bytes: &[u8], show: &mut dyn FnMut(&Record)) -> Result<(), VerifyError> {
        self.segment_visiting(name, bytes, |record, _| show(record))
    }

    fn finish(self) -> Result<Report, VerifyError> {
        Self::finish(self)
    }
}

impl Prove for Auditor {
    type Proved = Findings;

    fn segment(&mut self, name: &str, bytes: &[u8], show: &mut dyn FnMut(&Record)) -> Result<(), VerifyError> {
        self.segment_batches(name, bytes, |entries| entries.iter().for_each(|entry| show(&entry.record)))
    }

    fn finish(self) -> Result<Findings, VerifyError> {
        Self::finish(self)
    }
}

/// What is gathered from the records of a log while it is verified.
pub(crate) trait Collect: Clone {
    /// Takes what the log says of its archived records, before all others. The checkpoint covers it.
    fn snapshot(&mut self, snapshot: &Snapshot);

    /// Takes the next record. `signed`: the checkpoint covers it.
    fn record(&mut self, record: &Record, signed: bool);
}

/// Gathers nothing.
#[derive(Clone)]
pub(crate) struct Nothing;

impl Collect for Nothing {
    fn snapshot(&mut self, _: &Snapshot) {}

    fn record(&mut self, _: &Record, _: bool) {}
}

/// A log that was proved.
pub(crate) struct Verified<P, C> {
    pub(crate) proved: P,
    /// Its signed checkpoint.
    pub(crate) note: String,
    /// How many bytes its segments had.
    pub(crate) bytes: u64,
    pub(crate) collected: C,
}

/// Proves a log with what `begin` makes of its checkpoint and of the snapshot that it goes on after, and gathers from its records; says how far it is.
///
/// # Errors
/// [`CliError::Unverified`] and [`CliError::NoLog`] when it is not proved.
pub(crate) fn read<P: Prove, C: Collect>(
    dir: &Path,
    archive: Option<&Path>,
    key: &VerifierKey,
    begin: impl Fn(&str, Option<&Snapshot>) -> Result<P, VerifyError>,
    empty: &C,
) -> Result<Verified<P::Proved, C>, CliError> {
    let progress = output::byte_bar(0);
    let mut reading = Reading { key, begin, empty, progress: &progress, rereads: REREADS };
    let result = reading.directories(dir, archive);
    progress.finish_and_clear();
    result
}

struct Reading<'r, B, C> {
    key: &'r VerifierKey,
    begin: B,
    /// Whatever is read again is gathered again, from this.
    empty: &'r C,
    progress: &'r ProgressBar,
    rereads: u32,
}

impl<P: Prove, C: Collect, B: Fn(&str, Option<&Snapshot>) -> Result<P, VerifyError>> Reading<'_, B, C> {
    fn directories(&mut self, dir: &Path, archive: Option<&Path>) -> Result<Verified<P::Proved, C>, CliError> {
        loop {
            let failed = match Contents::read(dir, archive) {
                Ok(contents) => match self.contents(&contents) {
                    Ok((proved, collected)) => {
                        let bytes = contents.length();
                        return Ok(Verified { proved, note: contents.note, bytes, collected });
                    }
                    // Nothing moved: the failure is the log's own.
                    Err(error) if Contents::read(dir, archive).is_ok_and(|now| now == contents) => return Err(error),
                    Err(error) => error,
                },
                // A checkpoint under replacement may show as a file beside it.
                Err(error @ CliError::NoLog(_)) => error,
                Err(error) => return Err(error),
            };
            if self.rereads == 0 {
                return Err(failed);
            }
            self.rereads -= 1;
            sleep(PAUSE);
        }
    }

    fn contents(&mut self, contents: &Contents) -> Result<(P::Proved, C), CliError> {
        self.progress.set_length(contents.length());
        self.progress.set_position(0);
        let snapshot = contents.snapshot()?;
        let mut collected = self.empty.clone();
        if let Some(snapshot) = &snapshot {
            collected.snapshot(snapshot);
        }
        let mut state = State {
            prover: (self.begin)(&contents.note, snapshot.as_ref())?,
            replayed: Replayed::new(contents),
            signed: self.key.open_note(&contents.note).map_or(0, |checkpoint| checkpoint.size),
            collected,
        };
        let Some((last, sealed)) = contents.segments.split_last() else {
            return Ok((state.prover.finish()?, state.collected));
        };
        self.sealed(&mut state, sealed)?;
        loop {
            let mut attempt = state.clone();
            match attempt.segment(last, &bytes(last)?, self.progress) {
                Ok(()) => return Ok((attempt.prover.finish()?, attempt.collected)),
                Err(CliError::Unverified(error)) if self.rereads > 0 && may_be_half_written(&error) => {
                    self.rereads -= 1;
                    sleep(PAUSE);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// All segments but the last.
    fn sealed(&self, state: &mut State<P, C>, segments: &[Segment]) -> Result<(), CliError> {
        let mut next = segments.first().map(bytes);
        for (at, segment) in segments.iter().enumerate() {
            let now = next.take().unwrap_or_else(|| bytes(segment))?;
            next = thread::scope(|scope| {
                let following = segments.get(at + 1);
                let reading =
                    following.and_then(|next| thread::Builder::new().spawn_scoped(scope, || bytes(next)).ok());
                state.segment(segment, &now, self.progress)?;
                let read = reading.map(|thread| thread.join().unwrap_or_else(|panic| panic::resume_unwind(panic)));
                Ok::<_, CliError>(read)
            })?;
        }
        Ok(())
    }
}

/// How far a verification is.
#[derive(Clone)]
struct State<P, C> {
    prover: P,
    replayed: Replayed,
    /// How many records the checkpoint covers.
    signed: u64,
    collected: C,
}

impl<P: Prove, C: Collect> State<P, C> {
    fn segment(&mut self, segment: &Segment, bytes: &[u8], progress: &ProgressBar) -> Result<(), CliError> {
        let (collected, signed) = (&mut self.collected, self.signed);
        self.prover.segment(&segment.name, bytes, &mut |record| collected.record(record, record.index < signed))?;
        self.replayed.segment(bytes)?;
        progress.inc(bytes.len() as u64);
        Ok(())
    }
}

fn bytes(segment: &Segment) -> Result<Vec<u8>, CliError> {
    fs::read(&segment.path).map_err(CliError::read(&segment.path))
}

/// Whether the end of a log that is being written can look like this.
fn may_be_half_written(error: &VerifyError) -> bool {
    matches!(error.fault, Fault::Torn | Fault::DirtyTail | Fault::Header(_))
}
