//! The files: copying segments, and removing them.
//!
//! **Invariant**: what is read of a copied segment is read from its copy, after it was synced.

use super::{ArchiveError, Archived, replace, snapshot};
use crate::audit::{directory::Listing, files::sync_directory};
use chancery_audit::{
    record::Record,
    segment::{Frames, file_name},
    snapshot::{Replay, Snapshot, SnapshotError},
};
use prost::Message;
use rustix::fs::{Advice, fadvise};
use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

/// The log's directory and the archive.
#[derive(Debug, Clone)]
pub(super) struct Segments {
    pub(super) log: PathBuf,
    pub(super) archive: PathBuf,
}

fn io(path: &Path) -> impl FnOnce(io::Error) -> ArchiveError {
    let path = path.to_owned();
    move |source| ArchiveError::Io { path, source }
}

impl Segments {
    fn list(&self) -> Result<Listing, ArchiveError> {
        Listing::of(&self.log, |_, _| Ok(())).map_err(io(&self.log))
    }

    /// Copies the segments whose records are all from before `old`, nanoseconds since the Unix epoch, and are among the
    /// first `signed`; the snapshot of everything up to them, if there are any.
    pub(super) fn copy(
        &self,
        archived: Option<&Archived>,
        old: i64,
        signed: u64,
    ) -> Result<Option<Snapshot>, ArchiveError> {
        // An archive is made by people: what looks like an empty one may be a disk that is not mounted.
        fs::read_dir(&self.archive).map_err(io(&self.archive))?;
        let first = archived.map_or(0, |archived| archived.records);
        let segments: Vec<u64> = self.list()?.segments.into_iter().filter(|segment| *segment >= first).collect();
        let mut replay = None;
        for pair in segments.windows(2) {
            let &[segment, next] = pair else { break };
            let path = self.log.join(file_name(segment));
            let bytes = fs::read(&path).map_err(io(&path))?;
            if next > signed || last_time(&path, &bytes)? > old {
                break;
            }
            let mut so_far = match replay.take() {
                Some(so_far) => so_far,
                None => self.before(archived)?,
            };
            self.copy_segment(segment, &bytes)?;
            self.replay(segment, next, &mut so_far)?;
            replay = Some(so_far);
        }
        Ok(replay.map(|replay: Replay| replay.snapshot()).transpose()?)
    }

    /// What the snapshot in force says.
    fn before(&self, archived: Option<&Archived>) -> Result<Replay, ArchiveError> {
        let Some(archived) = archived else { return Ok(Replay::default()) };
        let path = self.log.join(snapshot::file_name(archived.records));
        let bytes = fs::read(&path).map_err(io(&path))?;
        let problem = |problem| ArchiveError::Snapshot { path: path.clone(), problem };
        let snapshot = Snapshot::decode(&bytes).map_err(problem)?;
        if *snapshot.sha256() != archived.snapshot {
            return Err(problem(SnapshotError::Unsound("it is not the one that the log names")));
        }
        Ok(Replay::after(&snapshot))
    }

    /// Sees to it that the archive has the segment.
    fn copy_segment(&self, segment: u64, bytes: &[u8]) -> Result<(), ArchiveError> {
        let name = file_name(segment);
        let path = self.archive.join(&name);
        match fs::read(&path) {
            Ok(found) if found == bytes => Ok(()),
            Ok(_) => Err(ArchiveError::Other(path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                replace(&self.archive, &name, bytes).map_err(io(&path))
            }
            Err(error) => Err(io(&path)(error)),
        }
    }

    /// Takes in the records of a segment's copy.
    fn replay(&self, segment: u64, next: u64, replay: &mut Replay) -> Result<(), ArchiveError> {
        let path = self.archive.join(file_name(segment));
        let bytes = read_from_disk(&path).map_err(io(&path))?;
        let damaged = |problem: String| ArchiveError::Segment { path: path.clone(), problem };
        let (header, mut frames) = Frames::new(&bytes).map_err(|error| damaged(error.to_string()))?;
        if (header.first_index, header.tree_root) != (replay.tree().size(), replay.tree().root()) {
            return Err(damaged("it does not go on from the records before it".into()));
        }
        for frame in &mut frames {
            replay.add(frame.map_err(|error| damaged(error.to_string()))?.record)?;
        }
        if replay.tree().size() != next || frames.end_offset() != bytes.len() {
            return Err(damaged(format!("it does not end before record {next}")));
        }
        Ok(())
    }

    /// Puts a snapshot beside the segments.
    pub(super) fn write_snapshot(&self, snapshot: &Snapshot) -> Result<(), ArchiveError> {
        let name = snapshot::file_name(snapshot.records());
        replace(&self.log, &name, &snapshot.encode()).map_err(io(&self.log.join(name)))
    }

    /// Removes the segments of records before `first`, oldest first, as far as the archive has them; and snapshots that
    /// are not in force any more.
    pub(super) fn remove_before(&self, first: u64) -> Result<(), ArchiveError> {
        let listing = self.list()?;
        let leaving = listing.segments.iter().filter(|segment| **segment < first);
        for segment in leaving {
            let (path, copy) = (self.log.join(file_name(*segment)), self.archive.join(file_name(*segment)));
            if fs::read(&path).map_err(io(&path))? != fs::read(&copy).map_err(io(&copy))? {
                return Err(ArchiveError::Other(copy));
            }
            fs::remove_file(&path).map_err(io(&path))?;
        }
        sync_directory(&self.log).map_err(io(&self.log))?;
        listing.remove_snapshots_but(&self.log, first).map_err(io(&self.log))
    }
}

/// The time of a segment's last record, nanoseconds since the Unix epoch.
fn last_time(path: &Path, bytes: &[u8]) -> Result<i64, ArchiveError> {
    let damaged = |problem: String| ArchiveError::Segment { path: path.to_owned(), problem };
    let (_, frames) = Frames::new(bytes).map_err(|error| damaged(error.to_string()))?;
    let last = frames.last().ok_or_else(|| damaged("it holds no record".into()))?;
    let last = last.map_err(|error| damaged(error.to_string()))?;
    let record = Record::decode(last.record).map_err(|error| damaged(error.to_string()))?;
    Ok(record.time_unix_nanos)
}

/// Reads a file from its disk, as far as the kernel lets itself be told to forget it.
fn read_from_disk(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.sync_all()?;
    let _ = fadvise(&file, 0, None, Advice::DontNeed);
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}
