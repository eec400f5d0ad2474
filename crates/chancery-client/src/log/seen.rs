//! The largest checkpoint seen, in a file that processes share.
//!
//! **Invariants**
//! * The file is replaced as a whole, and never by a smaller checkpoint: who writes holds a lock and looks again first.
//! * It holds the note as the log signed it, and is believed only if it verifies under the log's key.

use chancery_audit::checkpoint::{Checkpoint, MAX_NOTE, VerifierKey};
use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

/// A checkpoint and the note that it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) checkpoint: Checkpoint,
    pub(crate) note: String,
}

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct SeenFile {
    path: PathBuf,
    key: VerifierKey,
}

impl SeenFile {
    pub(crate) fn new(path: PathBuf, key: VerifierKey) -> Self {
        Self { path, key }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What was seen; `None`: nothing yet.
    ///
    /// # Errors
    /// In words, with the file's name.
    pub(crate) fn read(&self) -> Result<Option<Seen>, String> {
        let problem = |problem: &dyn std::fmt::Display| format!("{}: {problem}", self.path.display());
        let mut note = String::new();
        let read = File::open(&self.path).and_then(|file| file.take(MAX_NOTE as u64 + 1).read_to_string(&mut note));
        match read {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(|error| problem(&error))?,
        };
        match self.key.open_note(&note) {
            Ok(checkpoint) => Ok(Some(Seen { checkpoint, note })),
            Err(error) => Err(problem(&format!(
                "{error}; it was changed or is another log's: find out which, and only then move it away"
            ))),
        }
    }

    /// Keeps a checkpoint unless a larger one is kept; what is kept now.
    ///
    /// # Errors
    /// In words, with the file's name.
    pub(crate) fn keep(&self, new: Seen) -> Result<Seen, String> {
        let problem = |error: io::Error| format!("{}: {error}", self.path.display());
        let lock = File::options().create(true).append(true).open(self.beside(".lock")).map_err(problem)?;
        lock.lock().map_err(problem)?;
        if let Some(known) = self.read()?.filter(|known| known.checkpoint.size >= new.checkpoint.size) {
            return Ok(known);
        }
        let temporary = self.beside(".tmp");
        let write = || {
            let mut file = File::create(&temporary)?;
            file.write_all(new.note.as_bytes())?;
            file.sync_all()?;
            fs::rename(&temporary, &self.path)
        };
        write().map_err(problem)?;
        Ok(new)
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(suffix);
        name.into()
    }
}
