//! Offline verification of a log, from its files' bytes and the audit key alone.
//!
//! Give [`Verifier`] the key and the newest checkpoint note, then every segment in order, then ask it to finish. It holds
//! no record longer than it looks at it: memory grows with the number of intents and of enclave restarts only.
//!
//! **Invariants**
//! * A [`Report`] exists only if every byte of every segment was accounted for and the records up to the checkpoint hash to
//!   the signed root.
//! * The first error is final: a verifier that failed keeps failing with it.
//!
//! **Not here**: reading directories, rereading a live log's last frame, repairing (docs/audit-log.md says who may), the
//! signatures inside records, statements and witnesses' cosignatures.

mod error;
mod operations;
mod records;
mod report;

use sha2::{Digest, Sha256};

pub use error::{Fault, VerifyError};
pub use report::Report;

use crate::checkpoint::{CheckpointError, VerifierKey};
use crate::merkle::{Frontier, leaf_hash};
use crate::record::Record;
use crate::segment::{CHECKPOINT_FILE, Frames, Header, SegmentError, parse_file_name};
use records::Records;

/// Verifies one log. To verify a log that is being written, clone the verifier before its last segment and verify the
/// clone: if its end is torn, reread the file and try with another clone before calling it damage.
#[derive(Clone, Debug)]
pub struct Verifier {
    key: VerifierKey,
    origin_hash: [u8; 32],
    tree: Frontier,
    records: Records,
    report: Report,
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
            report: Report::new(checkpoint),
            last: None,
            failed: None,
        })
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
        visit: impl FnMut(&Record, &[u8]),
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
        self.report.records = records;
        self.report.past_checkpoint = records - signed;
        self.records.finish(&mut self.report);
        Ok(self.report)
    }

    fn read_segment(
        &mut self,
        name: &str,
        bytes: &[u8],
        mut visit: impl FnMut(&Record, &[u8]),
    ) -> Result<(), VerifyError> {
        self.check_sealed()?;
        let (header, mut frames) = Frames::new(bytes).map_err(|error| self.at(name, 0, Fault::Header(error)))?;
        self.check_header(name, &header).map_err(|fault| self.at(name, 0, fault))?;
        for frame in &mut frames {
            let frame = frame.map_err(|error| match error {
                SegmentError::Torn { offset, .. } => self.at(name, offset, Fault::Torn),
                SegmentError::DirtyTail { offset, .. } => self.at(name, offset, Fault::DirtyTail),
                header => self.at(name, 0, Fault::Header(header)),
            })?;
            let record = self
                .records
                .check(frame.index, frame.record, &self.key, &mut self.report)
                .map_err(|fault| self.at(name, frame.offset, fault))?;
            self.tree.push(leaf_hash(frame.record));
            let size = self.tree.size();
            if size == self.report.checkpoint.size && self.tree.root() != self.report.checkpoint.root {
                let fault = Fault::CheckpointRoot { size };
                return Err(VerifyError { record: frame.index, ..self.at(name, frame.offset, fault) });
            }
            visit(&record, frame.record);
        }
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
            return Err(Fault::HeaderRoot { since: self.last.as_ref().map_or(0, |last| last.first_index) });
        }
        Ok(())
    }

    /// An error at the record that comes next.
    fn at(&self, segment: &str, offset: usize, fault: Fault) -> VerifyError {
        VerifyError { record: self.tree.size(), segment: segment.to_owned(), offset, fault }
    }
}
