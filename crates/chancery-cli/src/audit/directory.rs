//! A log's directory, and the archive of its first records, as `audit verify` reads them.
//!
//! **Invariants**
//! * The checkpoint is read before the segments, so that they hold what it signs even while the service goes on writing.
//! * A directory with anything but segments, snapshots and the checkpoint is not a log: nothing is skipped but segments
//!   that are left over from archiving, which begin before the snapshot that the log goes on after.
//!
//! **Not here**: what the bytes must be (chancery-audit).

use crate::failure::CliError;
use chancery_audit::{
    checkpoint::MAX_NOTE,
    segment::{CHECKPOINT_FILE, TEMPORARY_SUFFIX, parse_file_name},
    snapshot::{self, Snapshot},
};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
    time::SystemTime,
};

/// What the directory held at one moment.
#[derive(Debug, PartialEq)]
pub(super) struct Contents {
    /// The signed checkpoint.
    pub(super) note: String,
    /// The segments in order.
    pub(super) segments: Vec<Segment>,
    /// The snapshots, by the number of their records.
    pub(super) snapshots: BTreeMap<u64, PathBuf>,
    /// The first record; those before it are archived elsewhere.
    pub(super) first: u64,
}

/// A segment's file, and what tells that it changed.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Segment {
    /// Its file name; the names' order is the segments'.
    pub(super) name: String,
    pub(super) path: PathBuf,
    /// In bytes.
    pub(super) length: u64,
    modified: Option<SystemTime>,
}

impl Contents {
    /// Reads the checkpoint, then lists the segments: those of `archive`, too.
    ///
    /// # Errors
    /// [`CliError::Read`] when a directory can't be read, [`CliError::NoLog`] when it is no log.
    pub(super) fn read(dir: &Path, archive: Option<&Path>) -> Result<Self, CliError> {
        // First of all, so that a missing directory is told from an empty one.
        fs::read_dir(dir).map_err(CliError::read(dir))?;
        let note = note(&dir.join(CHECKPOINT_FILE))?;
        let (mut segments, mut snapshots) = (BTreeMap::new(), BTreeMap::new());
        for (index, segment) in archive.map(list).transpose()?.into_iter().flatten() {
            segments.insert(index, segment);
        }
        for (index, segment) in list_with(dir, &mut snapshots)? {
            if let Some(archived) = segments.get(&index) {
                require_equal(&archived.path, &segment.path)?;
            }
            segments.insert(index, segment);
        }
        let first = match archive {
            Some(_) => 0,
            None => first(dir, &segments, &snapshots)?,
        };
        let segments = segments.into_iter().filter(|(index, _)| *index >= first).map(|(_, segment)| segment).collect();
        Ok(Self { note, segments, snapshots, first })
    }

    /// The bytes of all segments together.
    pub(super) fn length(&self) -> u64 {
        self.segments.iter().map(|segment| segment.length).sum()
    }

    /// The snapshot that the log goes on after; `None`: all its records are here.
    ///
    /// # Errors
    /// [`CliError::NoLog`] when it is none.
    pub(super) fn snapshot(&self) -> Result<Option<Snapshot>, CliError> {
        let Some(path) = self.snapshots.get(&self.first).filter(|_| self.first > 0) else { return Ok(None) };
        let bytes = fs::read(path).map_err(CliError::read(path))?;
        let problem = |problem| CliError::NoLog(format!("{}: {problem}", path.display()));
        Snapshot::decode(&bytes).map(Some).map_err(problem)
    }
}

/// Where a directory's records begin.
fn first(dir: &Path, segments: &BTreeMap<u64, Segment>, snapshots: &BTreeMap<u64, PathBuf>) -> Result<u64, CliError> {
    let (segments, snapshots): (Vec<_>, Vec<_>) =
        (segments.keys().copied().collect(), snapshots.keys().copied().collect());
    match (segments.first(), snapshot::first_record(&segments, &snapshots)) {
        (None, _) => Ok(0),
        (_, Some(first)) => Ok(first),
        (Some(found), None) => Err(CliError::NoLog(format!(
            "{} begins with record {found}, and no snapshot of the records before is there; name their archive with \
             --archive",
            dir.display()
        ))),
    }
}

/// The segments of an archive, by their first records.
fn list(archive: &Path) -> Result<Vec<(u64, Segment)>, CliError> {
    let mut snapshots = BTreeMap::new();
    let segments = list_with(archive, &mut snapshots)?;
    match snapshots.into_values().next() {
        None => Ok(segments),
        Some(path) => Err(CliError::NoLog(format!("{} does not belong into an archive", path.display()))),
    }
}

/// The segments of a directory, by their first records; its snapshots go to `snapshots`.
fn list_with(dir: &Path, snapshots: &mut BTreeMap<u64, PathBuf>) -> Result<Vec<(u64, Segment)>, CliError> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(dir).map_err(CliError::read(dir))? {
        let entry = entry.map_err(CliError::read(dir))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // What is being written, or was when a crash came, has no name yet.
        if name == CHECKPOINT_FILE || name.ends_with(TEMPORARY_SUFFIX) {
            continue;
        }
        let path = entry.path();
        let (segment, snapshot) = (parse_file_name(&name), snapshot::parse_file_name(&name));
        if segment.is_none() && snapshot.is_none() {
            return Err(CliError::NoLog(format!(
                "{} is neither a segment nor a snapshot nor the checkpoint",
                path.display()
            )));
        }
        let metadata = entry.metadata().map_err(CliError::read(&path))?;
        if !metadata.is_file() {
            return Err(CliError::NoLog(format!("{} is no regular file", path.display())));
        }
        if let Some(records) = snapshot {
            snapshots.insert(records, path.clone());
        }
        if let Some(first) = segment {
            let (length, modified) = (metadata.len(), metadata.modified().ok());
            segments.push((first, Segment { name, path, length, modified }));
        }
    }
    Ok(segments)
}

/// A segment that is in the archive and in the log is the same in both.
fn require_equal(archived: &Path, kept: &Path) -> Result<(), CliError> {
    let read = |path: &Path| fs::read(path).map_err(CliError::read(path));
    if read(archived)? == read(kept)? {
        return Ok(());
    }
    Err(CliError::NoLog(format!("{} and {} are not the same: one was changed", archived.display(), kept.display())))
}

fn note(path: &Path) -> Result<String, CliError> {
    let mut note = String::new();
    let read = File::open(path).and_then(|file| file.take(MAX_NOTE as u64 + 1).read_to_string(&mut note));
    match read {
        Ok(_) => Ok(note),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(CliError::NoLog(format!("{} is missing: nothing is signed", path.display())))
        }
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Err(CliError::NoLog(format!("{} is no text: it was changed", path.display())))
        }
        Err(error) => Err(CliError::read(path)(error)),
    }
}
