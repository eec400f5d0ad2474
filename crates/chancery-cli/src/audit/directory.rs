//! A log's directory, as `audit verify` reads it.
//!
//! **Invariants**
//! * The checkpoint is read before the segments, so that they hold what it signs even while the service goes on writing.
//! * A directory with anything but segments and the checkpoint is not a log: nothing is skipped.
//!
//! **Not here**: what the bytes must be (chancery-audit).

use crate::failure::CliError;
use chancery_audit::{
    checkpoint::MAX_NOTE,
    segment::{CHECKPOINT_FILE, parse_file_name},
};
use std::{
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
    /// Reads the checkpoint, then lists the segments.
    ///
    /// # Errors
    /// [`CliError::Read`] when the directory can't be read, [`CliError::NoLog`] when it is no log.
    pub(super) fn read(dir: &Path) -> Result<Self, CliError> {
        // First of all, so that a missing directory is told from an empty one.
        let entries = || fs::read_dir(dir).map_err(CliError::read(dir));
        entries()?;
        let note = note(&dir.join(CHECKPOINT_FILE))?;
        let mut segments = Vec::new();
        for entry in entries()? {
            let entry = entry.map_err(CliError::read(dir))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name == CHECKPOINT_FILE {
                continue;
            }
            let path = entry.path();
            if parse_file_name(&name).is_none() {
                return Err(CliError::NoLog(format!("{} is neither a segment nor the checkpoint", path.display())));
            }
            let metadata = entry.metadata().map_err(CliError::read(&path))?;
            if !metadata.is_file() {
                return Err(CliError::NoLog(format!("{} is no regular file", path.display())));
            }
            segments.push(Segment { name, path, length: metadata.len(), modified: metadata.modified().ok() });
        }
        segments.sort();
        Ok(Self { note, segments })
    }

    /// The bytes of all segments together.
    pub(super) fn length(&self) -> u64 {
        self.segments.iter().map(|segment| segment.length).sum()
    }
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
