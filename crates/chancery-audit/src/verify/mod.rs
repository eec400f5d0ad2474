//! Offline verification of a log, from its files' bytes and the audit key alone.
//!
//! Give [`Verifier`] the key and the newest checkpoint note, then every segment in order, then ask it to finish. Records
//! are read, hashed and judged by themselves on all processors; what needs those before them comes after, in order, while
//! the next ones are being read.
//!
//! **Invariants**
//! * A [`Report`] exists only if every byte of every segment was accounted for and the records up to the checkpoint hash to
//!   the signed root.
//! * The first error is final: a verifier that failed keeps failing with it. It is the first in the order of records,
//!   whoever found it when.
//! * No more than two batches of records are held at a time: memory grows with the number of intents, of enclave processes
//!   and of holes in their counts only.
//!
//! **Not here**: reading directories, rereading a live log's last frame, repairing (docs/audit-log.md says who may), what
//! states and decisions mean and the signatures inside records (chancery-verifier), witnesses' cosignatures.

mod error;
mod numbers;
mod operations;
mod parallel;
mod place;
mod records;
mod report;

use std::{panic::resume_unwind, thread};

use sha2::{Digest, Sha256};

pub use error::{Fault, VerifyError};
pub use operations::{Missing, UNSTATED};
pub use parallel::spread;
pub use report::{EnclaveProcess, Hole, OpenIntent, Report};

use crate::checkpoint::{CheckpointError, VerifierKey};
use crate::merkle::{Frontier, Hash, leaf_hash};
use crate::record::Record;
use crate::segment::{CHECKPOINT_FILE, FRAME_OVERHEAD, Frame, Frames, Header, SegmentError, parse_file_name};
use crate::snapshot::{self, Archived, Snapshot};
use place::Place;
use records::Records;

/// Records that are read and judged at a time.
const BATCH: usize = 4096;

/// A record as it was read.
#[derive(Clone, Debug)]
pub struct Entry<'s> {
    /// Where its frame begins in the segment.
    pub offset: usize,
    /// Its stored bytes.
    pub stored: &'s [u8],
    /// Its leaf in the tree.
    pub leaf: Hash,
    /// What it says.
    pub record: Record,
}

impl Entry<'_> {
    /// Where its frame ends in the segment.
    pub fn end(&self) -> usize {
        self.offset + FRAME_OVERHEAD + self.stored.len()
    }
}

/// Entries up to the first that can't be read, and why it can't.
struct Batch<'s> {
    entries: Vec<Entry<'s>>,
    stopped: Option<(u64, usize, Fault)>,
    /// No frame follows.
    last: bool,
}

impl<'s> Batch<'s> {
    /// Reads the next frames, and judges their records by themselves.
    fn read(frames: &mut Frames<'s>, key: &VerifierKey) -> Self {
        let mut taken = Vec::with_capacity(BATCH);
        let mut stopped = None;
        while taken.len() < BATCH {
            match frames.next() {
                Some(Ok(frame)) => taken.push(frame),
                Some(Err(error)) => {
                    stopped = Some(unreadable(frames.next_index(), error));
                    break;
                }
                None => break,
            }
        }
        let last = taken.len() < BATCH;
        let read = spread(&taken, |frame: &Frame<'s>| {
            let (leaf, record) = (leaf_hash(frame.record), records::read(frame.index, frame.record, key));
            record.map(|record| Entry { offset: frame.offset, stored: frame.record, leaf, record })
        });
        let mut entries = Vec::with_capacity(read.len());
        for (frame, entry) in taken.iter().zip(read) {
            match entry {
                Ok(entry) => entries.push(entry),
                Err(fault) => {
                    stopped = Some((frame.index, frame.offset, fault));
                    break;
                }
            }
        }
        Self { entries, last: last || stopped.is_some(), stopped }
    }
}

/// Where a frame can't be read, and why.
fn unreadable(index: u64, error: SegmentError) -> (u64, usize, Fault) {
    match error {
        SegmentError::Torn { offset, .. } => (index, offset, Fault::Torn),
        SegmentError::DirtyTail { offset, .. } => (index, offset, Fault::DirtyTail),
        header => (index, 0, Fault::Header(header)),
    }
}

/// Verifies one log. To verify a log that is being written, clone the verifier before its last segment and verify the
/// clone: if its end is torn, reread the file and try with another clone before calling it damage.
#[derive(Clone, Debug)]
pub struct Verifier {
    key: VerifierKey,
    origin_hash: [u8; 32],
    tree: Frontier,
    records: Records,
    missing: Missing,
    report: Report,
    /// What must stand in the log of the snapshot that it goes on after, and whether it was found.
    archived: Option<(Archived, bool)>,
    last: Option<Segment>,
    failed: Option<VerifyError>,
}

/// The segment read last.
#[derive(Clone, Debug)]
struct Segment {
    name: String,
    first_index: u64,
    /// Where its last frame ends.
    end: usize,
    empty: bool,
    /// Whether zeroes follow its last frame.
    tail: bool,
}

impl Verifier {
    /// Opens the checkpoint note with the audit key. Of a log that is being written, the note must be read before the
    /// segments, so that they hold what it signs.
    pub fn new(key: VerifierKey, checkpoint_note: &str) -> Result<Self, VerifyError> {
        let tree = Frontier::default();
        let checkpoint = key
            .open_note(checkpoint_note)
            .and_then(|checkpoint| match checkpoint.size {
                0 if checkpoint.root != tree.root() => {
                    Err(CheckpointError::Body("the root of an empty tree must be SHA-256 of nothing"))
                }
                _ => Ok(checkpoint),
            })
            .map_err(|error| VerifyError {
                record: 0,
                segment: CHECKPOINT_FILE.to_owned(),
                offset: 0,
                fault: Fault::Checkpoint(error),
            })?;
        Ok(Self {
            origin_hash: Sha256::digest(key.name()).into(),
            key,
            tree,
            records: Records::default(),
            missing: Missing::default(),
            report: Report::new(checkpoint),
            archived: None,
            last: None,
            failed: None,
        })
    }

    /// The same of a log whose first records are archived: what is left goes on after their snapshot, which is proved with
    /// it. Those records themselves are not read, and not proved to be what the snapshot says of them.
    pub fn after(key: VerifierKey, checkpoint_note: &str, snapshot: &Snapshot) -> Result<Self, VerifyError> {
        let mut verifier = Self::new(key, checkpoint_note)?;
        let records = snapshot.records();
        verifier.tree = snapshot.tree().clone();
        verifier.records = Records::after(snapshot);
        verifier.archived = Some((Archived { records, snapshot: *snapshot.sha256() }, false));
        verifier.report.archived = records;
        if let Some(genesis) = snapshot.genesis() {
            let of_it = records::check_genesis(genesis, &verifier.key);
            of_it.map_err(|fault| verifier.at(&snapshot::file_name(records), 0, fault))?;
            verifier.report.deployment.clone_from(&genesis.deployment);
        }
        Ok(verifier)
    }

    /// What to take for an error where operations of the enclave have no record.
    #[must_use]
    pub fn missing(mut self, missing: Missing) -> Self {
        self.missing = missing;
        self
    }

    /// Verifies the next segment: its file name (without a folder) and all its bytes.
    pub fn segment(&mut self, name: &str, bytes: &[u8]) -> Result<(), VerifyError> {
        self.segment_visiting(name, bytes, |_, _| {})
    }

    /// Like [`Verifier::segment`], and shows each record with its stored bytes as soon as it was checked: to show progress
    /// or to print. The Merkle root is compared only later, so nothing shown is proven before [`Verifier::finish`] says so.
    pub fn segment_visiting(
        &mut self,
        name: &str,
        bytes: &[u8],
        mut visit: impl FnMut(&Record, &[u8]),
    ) -> Result<(), VerifyError> {
        self.segment_batches(name, bytes, |entries| {
            entries.iter().for_each(|entry| visit(&entry.record, entry.stored));
            Ok(())
        })
    }

    /// Like [`Verifier::segment_visiting`], with many records at a time, their places and their leaves, while the next ones
    /// are being read. An error of `visit` is the verifier's.
    pub fn segment_batches(
        &mut self,
        name: &str,
        bytes: &[u8],
        visit: impl FnMut(&[Entry<'_>]) -> Result<(), VerifyError>,
    ) -> Result<(), VerifyError> {
        let result = match &self.failed {
            Some(error) => Err(error.clone()),
            None => self.read_segment(name, bytes, visit),
        };
        self.failed = result.as_ref().err().cloned();
        result
    }

    /// Compares what was read with the checkpoint.
    pub fn finish(mut self) -> Result<Report, VerifyError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let (records, signed) = (self.tree.size(), self.report.checkpoint.size);
        let (segment, offset) = match &self.last {
            Some(last) => (last.name.as_str(), last.end),
            None => (CHECKPOINT_FILE, 0),
        };
        let fail = |fault| Err(VerifyError { record: records, segment: segment.to_owned(), offset, fault });
        if records < signed {
            return fail(Fault::CutOff { size: signed });
        }
        if records == 0 {
            return fail(Fault::NoRecords);
        }
        if let Some((Archived { records, .. }, false)) = self.archived {
            let segment = snapshot::file_name(records);
            return Err(VerifyError { record: records, segment, offset: 0, fault: Fault::SnapshotUnproven });
        }
        self.report.records = records;
        self.report.past_checkpoint = records - signed;
        self.records.finish(self.missing, &mut self.report)?;
        Ok(self.report)
    }

    fn read_segment(
        &mut self,
        name: &str,
        bytes: &[u8],
        mut visit: impl FnMut(&[Entry<'_>]) -> Result<(), VerifyError>,
    ) -> Result<(), VerifyError> {
        self.check_sealed()?;
        let (header, mut frames) = Frames::new(bytes).map_err(|error| self.at(name, 0, Fault::Header(error)))?;
        self.check_header(name, &header).map_err(|fault| self.at(name, 0, fault))?;
        let key = self.key.clone();
        let mut batch = Batch::read(&mut frames, &key);
        while !batch.last {
            let next = thread::scope(|scope| {
                let next = thread::Builder::new().spawn_scoped(scope, || Batch::read(&mut frames, &key)).ok();
                self.enter(&header, &batch, &mut visit)?;
                Ok(next.map(|next| next.join().unwrap_or_else(|panic| resume_unwind(panic))))
            })?;
            // Without a thread of its own it is read here.
            batch = next.unwrap_or_else(|| Batch::read(&mut frames, &key));
        }
        self.enter(&header, &batch, &mut visit)?;
        self.report.segments += 1;
        self.last = Some(Segment {
            name: name.to_owned(),
            first_index: header.first_index,
            end: frames.end_offset(),
            empty: frames.next_index() == header.first_index,
            tail: frames.end_offset() < bytes.len(),
        });
        Ok(())
    }

    /// Judges records by those before them, and shows those that pass.
    fn enter(
        &mut self,
        header: &Header,
        batch: &Batch<'_>,
        visit: &mut impl FnMut(&[Entry<'_>]) -> Result<(), VerifyError>,
    ) -> Result<(), VerifyError> {
        let place = |record, offset| Place { record, segment: header.first_index, offset };
        let mut wrong = None;
        let mut passed = 0;
        for entry in &batch.entries {
            let at = place(entry.record.index, entry.offset);
            if let Err(error) = self.enter_one(entry, at) {
                wrong = Some(error);
                break;
            }
            passed += 1;
        }
        visit(&batch.entries[..passed])?;
        let stopped = || batch.stopped.clone().map(|(record, offset, fault)| place(record, offset).error(fault));
        wrong.or_else(stopped).map_or(Ok(()), Err)
    }

    fn enter_one(&mut self, entry: &Entry<'_>, at: Place) -> Result<(), VerifyError> {
        self.records.check(&entry.record, at, &mut self.report)?;
        self.tree.push(entry.leaf);
        let size = self.tree.size();
        if size == self.report.checkpoint.size && self.tree.root() != self.report.checkpoint.root {
            return Err(at.error(Fault::CheckpointRoot { size }));
        }
        if let Some((expected, proven)) = &mut self.archived
            && size <= self.report.checkpoint.size
            && let Some(found) = Archived::of(&entry.record).filter(|found| found.records == expected.records)
        {
            *proven = found == *expected;
        }
        Ok(())
    }

    /// A segment is followed by another only once it ends exactly at its last frame.
    fn check_sealed(&self) -> Result<(), VerifyError> {
        match &self.last {
            Some(last) if last.tail => Err(self.at(&last.name, last.end, Fault::Unsealed)),
            Some(last) if last.empty => Err(self.at(&last.name, last.end, Fault::NoFrames)),
            _ => Ok(()),
        }
    }

    fn check_header(&self, name: &str, header: &Header) -> Result<(), Fault> {
        let expected = self.tree.size();
        let found = header.first_index;
        if parse_file_name(name).ok_or(Fault::FileName)? != found {
            return Err(Fault::Renamed { header: found });
        }
        if header.origin_hash != self.origin_hash {
            return Err(Fault::SegmentOrigin { name: self.key.name().to_owned() });
        }
        if found > expected {
            return Err(Fault::Missing { found });
        }
        if found < expected {
            return Err(Fault::Doubled { found });
        }
        if header.tree_root != self.tree.root() {
            if let (Some((Archived { records, .. }, _)), None) = (&self.archived, &self.last) {
                return Err(Fault::SnapshotTree { records: *records });
            }
            return Err(Fault::HeaderRoot { since: self.last.as_ref().map_or(0, |last| last.first_index) });
        }
        Ok(())
    }

    /// An error at the record that comes next.
    fn at(&self, segment: &str, offset: usize, fault: Fault) -> VerifyError {
        VerifyError { record: self.tree.size(), segment: segment.to_owned(), offset, fault }
    }
}
