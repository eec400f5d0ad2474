//! The log's directory: made by `init`, read whole at start.
//!
//! **Invariants**: [`read`] verifies as `chancery audit verify` does, against the newest checkpoint and the audit key.
//! Only a torn end of the last segment is repaired, by cutting, and never below the last durable size or the checkpoint.

use super::{
    durable::DurableSize,
    files::{Segment, Tail, replace, sync_directory},
    index::{Folders, Index, Memory, ReadSegment},
    tree::Rebuild,
};
use chancery_audit::{
    checkpoint::{Checkpoint, VerifierKey},
    merkle::{Frontier, leaf_hash},
    record::Record,
    segment::{CHECKPOINT_FILE, Frames, Header, SegmentError, TEMPORARY_SUFFIX, append_frame, parse_file_name},
    snapshot::{self, Archived, Snapshot, SnapshotError},
    verify::{Missing, Verifier, VerifyError},
};
use prost::Message;
use sha2::{Digest, Sha256};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Where a log's parts lie.
#[derive(Debug, Clone)]
pub struct Places {
    /// The log's directory.
    pub directory: PathBuf,
    /// The file with its last durable size, outside the directory.
    pub durable: PathBuf,
    /// The folder of its index, outside the directory.
    pub index: PathBuf,
    /// The directory with its tree's tiles, outside the directory, too.
    pub tiles: PathBuf,
}

/// A new log can't be made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// There is one already.
    #[error("{} is not empty: it may hold another deployment's audit log", .0.display())]
    NotEmpty(PathBuf),
    /// The disk does not take it.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no randomness.
    #[error("no random bytes: {0}")]
    Random(String),
}

/// The log can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No log is there.
    #[error("no audit log in {}: run `chanceryd init` for a new deployment, or restore the directory", .0.display())]
    Missing(PathBuf),
    /// A file that does not belong there.
    #[error("{} does not belong into the audit log's directory; move it away", .0.display())]
    Stray(PathBuf),
    /// Neither the first records nor their snapshot are there.
    #[error(
        "the audit log in {} begins with record {record}, and no snapshot of the records before it is there; put the \
             archived segments back into that directory, or restore it from a mirror or backup", directory.display()
    )]
    Beheaded {
        /// The log's directory.
        directory: PathBuf,
        /// The first record that is there.
        record: u64,
    },
    /// A snapshot can't be read.
    #[error(
        "{}: {problem}; restore it, or put the archived segments back beside it: a log that begins with record 0 needs \
             no snapshot", path.display()
    )]
    Snapshot {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        problem: SnapshotError,
    },
    /// The disk does not give it.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The end of the log is damaged below what was durable.
    #[error("{}: record {record} was durable and is damaged now ({problem}); restore the log from a mirror or backup", path.display())]
    Damaged {
        /// Which segment.
        path: PathBuf,
        /// Which record.
        record: u64,
        /// What is wrong.
        problem: String,
    },
    /// Verification failed.
    #[error(
        "the audit log does not verify: {0}; if it is another deployment's, correct `audit` and `origin` in the \
             configuration, else restore it from a mirror or backup"
    )]
    Unverified(#[from] VerifyError),
    /// Whoever reads the records along can't go on.
    #[error("{0}")]
    Content(String),
}

/// Refuses a directory that holds anything.
///
/// # Errors
/// [`CreateError`].
pub fn require_empty(directory: &Path) -> Result<(), CreateError> {
    let io = |source| CreateError::Io { path: directory.to_owned(), source };
    match fs::read_dir(directory).map(|mut entries| entries.next().is_some()) {
        Ok(true) => Err(CreateError::NotEmpty(directory.to_owned())),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io(error)),
        _ => Ok(()),
    }
}

/// Writes the log of a new deployment: its first records, and a checkpoint signed by `sign`.
///
/// # Errors
/// [`CreateError`]; a log that exists is never touched.
pub fn create(places: &Places, key: &VerifierKey, drafts: Vec<super::Draft>) -> Result<Checkpoint, CreateError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| CreateError::Io { path, source }
    };
    let directory = &places.directory;
    require_empty(directory)?;
    fs::create_dir_all(directory).map_err(io(directory))?;
    if let Some(parent) = directory.parent() {
        sync_directory(parent).map_err(io(parent))?;
    }
    let mut tree = Frontier::default();
    let header = Header { first_index: 0, origin_hash: Sha256::digest(key.name()).into(), tree_root: tree.root() };
    let mut bytes = header.encode().to_vec();
    for (index, draft) in (0..).zip(drafts) {
        let (mut record, _) = draft.into_parts();
        record.index = index;
        record.time_unix_nanos = jiff::Timestamp::now().as_nanosecond().try_into().unwrap_or(i64::MAX);
        record.salt = vec![0; 16];
        getrandom::fill(&mut record.salt).map_err(|error| CreateError::Random(error.to_string()))?;
        let record = record.encode_to_vec();
        append_frame(&mut bytes, &record);
        tree.push(leaf_hash(&record));
    }
    replace(directory, &chancery_audit::segment::file_name(0), &bytes).map_err(io(directory))?;
    DurableSize::create(&places.durable).map_err(io(&places.durable))?;
    Ok(Checkpoint { origin: key.name().to_owned(), size: tree.size(), root: tree.root() })
}

/// Puts a signed checkpoint in place.
pub(super) fn write_checkpoint(directory: &Path, note: &str) -> io::Result<()> {
    replace(directory, CHECKPOINT_FILE, note.as_bytes())
}

/// Puts the first checkpoint of a new log in place.
///
/// # Errors
/// [`CreateError::Io`].
pub fn write_first_checkpoint(places: &Places, note: &str) -> Result<(), CreateError> {
    write_checkpoint(&places.directory, note)
        .map_err(|source| CreateError::Io { path: places.directory.clone(), source })
}

/// A log that was read and verified.
pub struct ReadLog {
    /// Where to go on.
    pub tail: Tail,
    /// The newest checkpoint.
    pub checkpoint: Checkpoint,
    /// Its signed note.
    pub note: String,
    /// Bytes of a torn tail that were cut.
    pub cut_bytes: u64,
    /// What its first records left, where they are archived.
    pub archived: Option<Archived>,
}

/// Reads the snapshot that the log goes on after; `None`: all its records are there. It counts once [`read`] proved it.
///
/// # Errors
/// [`OpenError`]: the service must not start.
pub fn read_snapshot(directory: &Path) -> Result<Option<Snapshot>, OpenError> {
    match Listing::read(directory)?.first(directory)? {
        0 => Ok(None),
        records => {
            let path = directory.join(snapshot::file_name(records));
            let bytes = fs::read(&path).map_err(|source| OpenError::Io { path: path.clone(), source })?;
            Snapshot::decode(&bytes).map(Some).map_err(|problem| OpenError::Snapshot { path, problem })
        }
    }
}

/// Reads and verifies the log after `snapshot`, or the whole log, showing each record, and cuts a torn tail.
///
/// # Errors
/// [`OpenError`]: the service must not start.
pub fn read(
    places: &Places,
    key: &VerifierKey,
    segment_bytes: u64,
    snapshot: Option<&Snapshot>,
    mut visit: impl FnMut(&Record),
) -> Result<ReadLog, OpenError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| OpenError::Io { path, source }
    };
    let directory = &places.directory;
    let first = snapshot.map_or(0, Snapshot::records);
    let listing = Listing::read(directory)?;
    let segments: Vec<u64> = listing.segments.iter().copied().filter(|segment| *segment >= first).collect();
    let durable = DurableSize::open(&places.durable).map_err(io(&places.durable))?;
    let durable_size = durable.size().map_err(io(&places.durable))?;
    let checkpoint_path = directory.join(CHECKPOINT_FILE);
    let note = fs::read_to_string(&checkpoint_path).map_err(io(&checkpoint_path))?;
    // Operations without a record are for auditors to find: no start can bring those records back.
    let verifier = match snapshot {
        Some(snapshot) => Verifier::after(key.clone(), &note, snapshot)?,
        None => Verifier::new(key.clone(), &note)?,
    };
    let mut verifier = verifier.missing(Missing::Reported);
    let checkpoint = key.open_note(&note).map_err(|error| OpenError::Content(error.to_string()))?;
    let floor = durable_size.max(checkpoint.size);

    let origin_hash = Sha256::digest(key.name()).into();
    let before = snapshot.map(|snapshot| snapshot.tree().clone()).unwrap_or_default();
    let (mut tree, mut closed, mut open) = (before, Vec::new(), Memory::default());
    let mut tiles = Rebuild::after(&places.tiles, tree.size(), &tree.root()).map_err(io(&places.tiles))?;
    let mut cut_bytes = 0;
    let mut last = None;
    for (at, first_index) in segments.iter().enumerate() {
        let name = chancery_audit::segment::file_name(*first_index);
        let path = directory.join(&name);
        let mut bytes = fs::read(&path).map_err(io(&path))?;
        if at + 1 == segments.len() {
            cut_bytes = cut(&path, &mut bytes, floor)?;
        }
        let before = tree.clone();
        let mut end = Header::LENGTH;
        verifier.segment_batches(&name, &bytes, |entries| {
            for entry in entries {
                visit(&entry.record);
                tree.push(entry.leaf);
                tiles.push(entry.leaf);
                if at + 1 == segments.len() {
                    open.add(&entry.record, entry.offset as u64);
                }
                end = entry.end();
            }
            Ok(())
        })?;
        if at + 1 < segments.len() {
            let records = tree.size() - first_index;
            closed.push(ReadSegment { first_index: *first_index, records, root: tree.root() });
        }
        last = Some((path, *first_index, before, end as u64, bytes.len() as u64));
    }
    let report = verifier.finish()?;
    if report.operation_holes > 0 {
        let operations = report.operation_holes;
        tracing::warn!(
            operations,
            "the enclave made operations that have no record; `chancery audit verify` lists them"
        );
    }
    if tree.size() < durable_size {
        let path = directory.clone();
        let problem = format!("the log ends before it, and {durable_size} records were durable");
        return Err(OpenError::Damaged { path, record: tree.size(), problem });
    }
    // A new log has noted none yet.
    if durable_size > 0 && tree.size() > durable_size {
        let (from, to) = (durable_size, tree.size() - 1);
        tracing::info!(from, to, "these records were on disk when the log ended, and may not have been answered for");
    }
    listing.remove_snapshots_but(directory, first).map_err(io(directory))?;
    let (path, first_index, before, end, allocated) = last.ok_or_else(|| OpenError::Missing(directory.clone()))?;
    let file = fs::File::options().read(true).write(true).open(&path).map_err(io(&path))?;
    // A process that was killed may have left records, and a segment's name, in memory only. From here on others build
    // on them: the store, which must never be ahead of the log.
    file.sync_all().map_err(io(&path))?;
    sync_directory(directory).map_err(io(directory))?;
    let folders = Folders { log: directory.clone(), index: places.index.clone() };
    let index = Arc::new(Index::start(folders, &closed, first_index, open));
    let segment = Segment { file, first_index, tree: before, end, allocated };
    let grower = tiles.finish().map_err(io(&places.tiles))?.grow();
    let directory = directory.clone();
    let tail = Tail { tree, index, grower, directory, origin_hash, segment_bytes, durable, segment };
    let archived = snapshot.map(|snapshot| Archived { records: first, snapshot: *snapshot.sha256() });
    Ok(ReadLog { tail, checkpoint, note, cut_bytes, archived })
}

/// What a log's directory holds, in order.
pub(super) struct Listing {
    /// First indexes of the segments.
    pub(super) segments: Vec<u64>,
    /// How many records the snapshots are of.
    pub(super) snapshots: Vec<u64>,
}

impl Listing {
    /// Lists the directory; removes what a crash left half written.
    fn read(directory: &Path) -> Result<Self, OpenError> {
        let io = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => OpenError::Missing(directory.to_owned()),
            _ => OpenError::Io { path: directory.to_owned(), source },
        };
        let mut stray = None;
        let listing = Self::of(directory, |path, name| {
            if name.ends_with(TEMPORARY_SUFFIX) {
                return fs::remove_file(path);
            } else if name != CHECKPOINT_FILE {
                stray = Some(path.to_owned());
            }
            Ok(())
        });
        match (listing.map_err(io)?, stray) {
            (_, Some(stray)) => Err(OpenError::Stray(stray)),
            (listing, None) if listing.segments.is_empty() => Err(OpenError::Missing(directory.to_owned())),
            (listing, None) => Ok(listing),
        }
    }

    /// Lists the directory; other files go to `others`.
    pub(super) fn of(directory: &Path, mut others: impl FnMut(&Path, &str) -> io::Result<()>) -> io::Result<Self> {
        let (mut segments, mut snapshots) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if let Some(first) = parse_file_name(&name) {
                segments.push(first);
            } else if let Some(records) = snapshot::parse_file_name(&name) {
                snapshots.push(records);
            } else {
                others(&entry.path(), &name)?;
            }
        }
        segments.sort_unstable();
        snapshots.sort_unstable();
        Ok(Self { segments, snapshots })
    }

    /// The log's first record that is not archived.
    fn first(&self, directory: &Path) -> Result<u64, OpenError> {
        let record = self.segments.first().copied().unwrap_or_default();
        snapshot::first_record(&self.segments, &self.snapshots)
            .ok_or_else(|| OpenError::Beheaded { directory: directory.to_owned(), record })
    }

    /// Removes snapshots that are not in force: superseded ones, and those of a removal that did not come about.
    pub(super) fn remove_snapshots_but(&self, directory: &Path, records: u64) -> io::Result<()> {
        let mut old = self.snapshots.iter().filter(|found| **found != records);
        old.try_for_each(|found| fs::remove_file(directory.join(snapshot::file_name(*found))))
    }
}

/// Cuts a torn end off the last segment; how many bytes.
fn cut(path: &Path, bytes: &mut Vec<u8>, floor: u64) -> Result<u64, OpenError> {
    let Ok((_, mut frames)) = Frames::new(bytes) else {
        // A damaged header: the verifier says what is wrong.
        return Ok(0);
    };
    let Some(Err(error)) = frames.by_ref().find(Result::is_err) else { return Ok(0) };
    let (record, end) = (frames.next_index(), frames.end_offset());
    if record < floor {
        let problem = match error {
            SegmentError::DirtyTail { .. } => "bytes after it are not zero".to_owned(),
            error => error.to_string(),
        };
        return Err(OpenError::Damaged { path: path.into(), record, problem });
    }
    let io = |source| OpenError::Io { path: path.into(), source };
    let file = fs::File::options().write(true).open(path).map_err(io)?;
    file.set_len(end as u64).map_err(io)?;
    file.sync_all().map_err(io)?;
    if let Some(directory) = path.parent() {
        sync_directory(directory).map_err(io)?;
    }
    let cut = (bytes.len() - end) as u64;
    bytes.truncate(end);
    tracing::warn!(record, bytes = cut, "the log ended in a torn record, which was never released; it was cut");
    Ok(cut)
}
