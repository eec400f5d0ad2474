//! What is kept of witnesses' words: the newest checkpoint that a quorum cosigned, and evidence against this log.
//!
//! **Invariants**: files are replaced as a whole. Evidence is never overwritten nor removed: an operator does that. Whether
//! it still says something against the log is found out at each start.

use crate::audit::replace;
use chancery_audit::checkpoint::{Checkpoint, MAX_NOTE};
use std::{
    fs::{self, DirBuilder, File},
    io::{self, Read as _},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

const COSIGNED: &str = "cosigned.note";
const EVIDENCE: &str = "evidence";

/// Below the data directory.
#[derive(Debug, Clone)]
pub(super) struct Files(PathBuf);

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX_NOTE as u64 + 1).read_to_string(&mut text)?;
    Ok(text)
}

impl Files {
    pub(super) fn new(data: &Path) -> Self {
        Self(data.to_owned())
    }

    /// What was kept last; `None`: nothing yet.
    pub(super) fn cosigned(&self) -> io::Result<Option<String>> {
        match read(&self.cosigned_path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            other => other.map(Some),
        }
    }

    pub(super) fn cosigned_path(&self) -> PathBuf {
        self.0.join(COSIGNED)
    }

    pub(super) fn keep(&self, note: &str) -> io::Result<()> {
        replace(&self.0, COSIGNED, note.as_bytes())
    }

    /// Notes that were kept as evidence. What can't be read is passed over: it proves nothing.
    pub(super) fn evidence(&self) -> Vec<(PathBuf, String)> {
        let entries = fs::read_dir(self.0.join(EVIDENCE)).into_iter().flatten().flatten();
        entries.filter_map(|entry| read(&entry.path()).ok().map(|note| (entry.path(), note))).collect()
    }

    /// Keeps a note that contradicts this log, and the log's own beside it; where.
    pub(super) fn keep_evidence(&self, checkpoint: &Checkpoint, note: &str, ours: &str) -> io::Result<PathBuf> {
        let directory = self.0.join(EVIDENCE);
        match DirBuilder::new().mode(0o700).create(&directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let name = format!("{:020}-{}", checkpoint.size, hex::encode(&checkpoint.root[..8]));
        let path = directory.join(format!("{name}.shown"));
        if !path.exists() {
            replace(&directory, &format!("{name}.own"), ours.as_bytes())?;
            replace(&directory, &format!("{name}.shown"), note.as_bytes())?;
        }
        Ok(path)
    }
}
