//! The log's last durable size, kept outside the log directory: a torn tail is never cut below it.
//!
//! **Invariant**: the file never says more than was synced. It is written after each sync and not synced itself: after a
//! crash of the process it is exact, after a loss of power it may say less.

use super::files::sync_directory;
use std::{fs::File, io, os::unix::fs::FileExt, path::Path};

/// See the module.
pub(super) struct DurableSize(File);

impl DurableSize {
    /// Makes the file for an empty log.
    pub(super) fn create(path: &Path) -> io::Result<()> {
        let file = File::options().write(true).create_new(true).open(path)?;
        file.write_all_at(&0u64.to_le_bytes(), 0)?;
        file.sync_all()?;
        path.parent().map_or(Ok(()), sync_directory)
    }

    /// Opens the file that `create` made.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        File::options().read(true).write(true).open(path).map(Self)
    }

    /// Records that were durable when it was written last.
    pub(super) fn size(&self) -> io::Result<u64> {
        let mut bytes = [0; 8];
        self.0.read_exact_at(&mut bytes, 0)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// Notes that `size` records are durable.
    pub(super) fn set(&self, size: u64) -> io::Result<()> {
        self.0.write_all_at(&size.to_le_bytes(), 0)
    }
}
