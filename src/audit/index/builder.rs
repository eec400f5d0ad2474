//! The thread that writes closed segments' index files, and makes missing ones again.
//!
//! **Invariant**: it only ever adds what is missing; without it, and without a disk that takes files, queries are slower
//! and their answers the same.

use super::{Closed, Folders, IndexFile, file, locked};
use chancery_audit::segment::TEMPORARY_SUFFIX;
use std::{
    fs, io,
    sync::{Arc, PoisonError, mpsc::Receiver},
};

pub(super) fn spawn(folders: Folders, work: Receiver<Arc<Closed>>) {
    let run = move || {
        if let Err(error) = tidy(&folders) {
            tracing::warn!(%error, "the folder of the log's index can't be used; queries are slower");
        }
        for segment in work {
            if let Err(problem) = segment.ensure_written(&folders) {
                let segment = segment.identity.first_index;
                tracing::warn!(segment, problem, "a segment of the log has no index; queries are slower");
            }
        }
    };
    if let Err(error) = std::thread::Builder::new().name("audit-index".into()).spawn(run) {
        tracing::warn!(%error, "the thread of the log's index can't be started; queries are slower");
    }
}

/// Makes the folder, and removes what a crash left half written.
fn tidy(folders: &Folders) -> io::Result<()> {
    fs::create_dir_all(&folders.index)?;
    for entry in fs::read_dir(&folders.index)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().ends_with(TEMPORARY_SUFFIX) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

impl Closed {
    /// Writes the file from what is in memory; where nothing is, only if it is missing.
    fn ensure_written(&self, folders: &Folders) -> Result<(), String> {
        if locked(&self.memory).is_none() && IndexFile::open(&folders.index, &self.identity).is_ok() {
            return Ok(());
        }
        let memory = self.in_memory(folders)?;
        let memory = memory.read().unwrap_or_else(PoisonError::into_inner);
        let written = file::write(&folders.index, &self.identity, &memory);
        // A disk that takes no files must not fill the memory instead.
        *locked(&self.memory) = None;
        written.map_err(|error| error.to_string())
    }
}
