//! Old segments leave the log's directory for an archive; the tree stays whole.
//!
//! **Invariants**
//! * A segment is removed only after its copy was synced and read back, the copy's records led to the tree of the running
//!   log, the tree's tiles are durable, and a signed checkpoint covers the record that names the snapshot of all of them.
//! * The snapshot follows from the copies and the snapshot before it alone. Nothing in it comes from the store.
//! * What is old is told by a clock that nobody doubts and that agrees with the log's newest record.
//! * Each step can be the last: what a crash leaves is a log that opens, and the next turn goes on.
//!
//! **Not here**: what a snapshot holds (chancery-audit), starting after one (`directory`, `service`).

mod segments;

use super::{AuditError, AuditLog, CheckpointError, Checkpoints, Draft, TreeError, files::replace};
use crate::config::ArchiveOptions;
use chancery_audit::{
    merkle::proof::{ProofError, verify_consistency},
    record::Record,
    snapshot::{self, Archived, ReplayError, SnapshotError},
};
use prost::Message;
use segments::Segments;
use std::{io, path::PathBuf, sync::Arc, time::Duration};
use tokio::time::MissedTickBehavior;

/// How often old segments are looked for.
const INTERVAL: Duration = Duration::from_secs(3600);

/// Beyond the newest record by more, the time is none to go by.
const LEAD: i64 = 24 * 3600 * 1_000_000_000;

/// Tells the time, nanoseconds since the Unix epoch, unless the clock is in doubt.
pub type TrustedTime = Box<dyn Fn() -> Option<i64> + Send + Sync>;

/// Why nothing was archived; the next turn tries again.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A file.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The archive holds something else under a segment's name.
    #[error("{} is not this log's segment of that name; move it away", .0.display())]
    Other(PathBuf),
    /// A segment or its copy.
    #[error("{}: {problem}", path.display())]
    Segment {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// Its records.
    #[error("{0}")]
    Replay(#[from] ReplayError),
    /// The snapshot that the log goes on after.
    #[error("{}: {problem}; it was changed while the service ran. Restore it", path.display())]
    Snapshot {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        problem: SnapshotError,
    },
    /// The segments are not those of the log that runs.
    #[error("the segments on disk are not what was recorded ({0}); restore them from a mirror or backup")]
    Changed(ProofError),
    /// The tree.
    #[error("{0}")]
    Tree(#[from] TreeError),
    /// The log.
    #[error("{0}")]
    Append(#[from] AuditError),
    /// The checkpoint.
    #[error("{0}")]
    Checkpoint(#[from] CheckpointError),
    /// The newest checkpoint is too old.
    #[error("no checkpoint covers the record of it yet")]
    Unsigned,
    /// The clock.
    #[error("the clock is in doubt, or more than a day ahead of the newest record")]
    Clock,
    /// A thread.
    #[error("internal error: {0}")]
    Internal(String),
}

/// See the module.
pub struct Archiver {
    log: Arc<AuditLog>,
    checkpoints: Arc<Checkpoints>,
    segments: Segments,
    after: Duration,
    time: TrustedTime,
}

impl Archiver {
    /// Archives the log in `directory`, which these write.
    pub fn new(
        log: Arc<AuditLog>,
        checkpoints: Arc<Checkpoints>,
        directory: PathBuf,
        options: &ArchiveOptions,
        time: TrustedTime,
    ) -> Self {
        let segments = Segments { log: directory, archive: options.directory.clone() };
        Self { log, checkpoints, segments, after: options.after, time }
    }

    /// Archives at once and each hour, for as long as the service runs.
    pub async fn run(self) {
        let mut tick = tokio::time::interval(INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tick.tick().await;
            if let Err(error) = self.archive().await {
                tracing::warn!(%error, "nothing was archived; trying again in an hour");
            }
        }
    }

    /// Archives what is old enough; all records before the one it returns are archived.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub async fn archive(&self) -> Result<u64, ArchiveError> {
        let archived = self.log.archived();
        let first = self.log.first();
        self.log.forget_before(first).await;
        self.beside(move |segments| segments.remove_before(first)).await?;
        let signed = self.checkpoints.newest().0.size;
        let now = agreed((self.time)(), self.newest_time().await?).ok_or(ArchiveError::Clock)?;
        let old = now.saturating_sub(i64::try_from(self.after.as_nanos()).unwrap_or(i64::MAX));
        let copied = self.beside(move |segments| segments.copy(archived.as_ref(), old, signed)).await?;
        let Some(snapshot) = copied else { return Ok(first) };
        let records = snapshot.records();

        self.log.sync_tiles(records).await?;
        let (size, root) = self.log.tree();
        let path = self.log.consistency(records, size).await?;
        verify_consistency(records, &snapshot.tree().root(), size, &root, &path).map_err(ArchiveError::Changed)?;

        let archived = Archived { records, snapshot: *snapshot.sha256() };
        self.beside(move |segments| segments.write_snapshot(&snapshot)).await?;
        let record = self.log.append(Draft::archive(&archived)).await?;
        self.checkpoints.make().await?;
        if self.checkpoints.newest().0.size <= record {
            return Err(ArchiveError::Unsigned);
        }
        self.log.set_archived(archived);
        self.log.forget_before(records).await;
        self.beside(move |segments| segments.remove_before(records)).await?;
        tracing::info!(records, archive = %self.segments.archive.display(), "old segments of the log were archived");
        Ok(records)
    }

    /// The time of the newest record.
    async fn newest_time(&self) -> Result<i64, ArchiveError> {
        let newest = self.log.tree().0.saturating_sub(1);
        let stored = self.log.stored(newest).await.map_err(ArchiveError::Internal)?.unwrap_or_default();
        let record = Record::decode(stored.as_slice()).map_err(|error| ArchiveError::Internal(error.to_string()))?;
        Ok(record.time_unix_nanos)
    }

    /// Works on files beside the runtime.
    async fn beside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Segments) -> Result<T, ArchiveError> + Send + 'static,
    ) -> Result<T, ArchiveError> {
        let segments = self.segments.clone();
        let done = tokio::task::spawn_blocking(move || work(&segments)).await;
        done.unwrap_or_else(|error| Err(ArchiveError::Internal(error.to_string())))
    }
}

/// What time it is at most, by the clock and the newest record; `None` where they contradict each other.
fn agreed(now: Option<i64>, newest: i64) -> Option<i64> {
    now.filter(|now| now.saturating_sub(newest) <= LEAD).map(|now| now.min(newest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_runs_ahead_makes_nothing_old() {
        let newest = 1_795_176_000_000_000_000;
        assert_eq!(agreed(Some(newest + LEAD), newest), Some(newest));
        assert_eq!(
            agreed(Some(newest - 1), newest),
            Some(newest - 1),
            "the newest record is from a clock that was wrong"
        );
        for doubtful in [None, Some(newest + LEAD + 1), Some(i64::MAX)] {
            assert_eq!(agreed(doubtful, newest), None, "{doubtful:?}");
        }
    }
}
