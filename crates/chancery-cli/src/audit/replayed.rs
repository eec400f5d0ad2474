//! Snapshots beside a log whose records are all read: each must be what the records say.
//!
//! **Invariant**: nothing is gathered where no snapshot is to be compared.

use super::directory::Contents;
use crate::failure::CliError;
use chancery_audit::{segment::Frames, snapshot::Replay};
use std::{fs, path::PathBuf};

/// See the module.
#[derive(Clone)]
pub(super) struct Replayed {
    replay: Replay,
    /// What is still to be compared: of how many records, and where it lies, the last first.
    snapshots: Vec<(u64, PathBuf)>,
}

impl Replayed {
    /// Before the first record.
    pub(super) fn new(contents: &Contents) -> Self {
        let snapshots = if contents.first == 0 { contents.snapshots.clone() } else { Default::default() };
        Self { replay: Replay::default(), snapshots: snapshots.into_iter().rev().collect() }
    }

    /// Takes in the records of the next segment, which was proved, and compares the snapshot that ends with it.
    ///
    /// # Errors
    /// [`CliError::NoLog`] when it says something else.
    pub(super) fn segment(&mut self, bytes: &[u8]) -> Result<(), CliError> {
        if self.snapshots.is_empty() {
            return Ok(());
        }
        let no_log = |problem: String| CliError::NoLog(problem);
        let (_, frames) = Frames::new(bytes).map_err(|error| no_log(error.to_string()))?;
        for frame in frames.map_while(Result::ok) {
            self.replay.add(frame.record).map_err(|error| no_log(error.to_string()))?;
        }
        let size = self.replay.tree().size();
        let Some((_, path)) = self.snapshots.pop_if(|(records, _)| *records == size) else { return Ok(()) };
        let replayed = self.replay.snapshot().map_err(|error| no_log(error.to_string()))?;
        if fs::read(&path).map_err(CliError::read(&path))? == replayed.encode() {
            return Ok(());
        }
        Err(no_log(format!("{} is not what the records before it say: it was changed", path.display())))
    }
}
