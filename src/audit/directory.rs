//! The log's directory: made by `init`, read whole at start.
//!
//! **Invariants**: [`read`] verifies as `chancery audit verify` does, against the newest checkpoint and the audit key.
//! Only a torn end of the last segment is repaired, by cutting, and never below the last durable size or the checkpoint.

use super::{
    durable::DurableSize,
    files::{Segment, Tail, replace, sync_directory},
    query::Index,
};
use chancery_audit::{
    checkpoint::{Checkpoint, VerifierKey},
    merkle::{Frontier, leaf_hash},
    record::Record,
    segment::{CHECKPOINT_FILE, Frames, Header, SegmentError, TEMPORARY_SUFFIX, append_frame, parse_file_name},
    verify::{Verifier, VerifyError},
};
use prost::Message;
use sha2::{Digest, Sha256};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Where a log's parts lie.
#[derive(Debug, Clone)]
pub struct Places {
    /// The log's directory.
    pub directory: PathBuf,
    /// The file with its last durable size, outside the directory.
    pub durable: PathBuf,
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
    let mut tree = Frontier::default();
    let header = Header { first_index: 0, origin_hash: Sha256::digest(key.name()).into(), tree_root: tree.root() };
    let mut bytes = header.encode().to_vec();
    for (index, draft) in (0..).zip(drafts) {
        let mut record = draft.into_record();
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
}

/// Reads and verifies the whole log, showing each record, and cuts a torn tail.
///
/// # Errors
/// [`OpenError`]: the service must not start.
pub fn read(
    places: &Places,
    key: &VerifierKey,
    segment_bytes: u64,
    mut visit: impl FnMut(&Record),
) -> Result<ReadLog, OpenError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| OpenError::Io { path, source }
    };
    let directory = &places.directory;
    let segments = list(directory)?;
    let durable = DurableSize::open(&places.durable).map_err(io(&places.durable))?;
    let durable_size = durable.size().map_err(io(&places.durable))?;
    let checkpoint_path = directory.join(CHECKPOINT_FILE);
    let note = fs::read_to_string(&checkpoint_path).map_err(io(&checkpoint_path))?;
    let mut verifier = Verifier::new(key.clone(), &note)?;
    let checkpoint = key.open_note(&note).map_err(|error| OpenError::Content(error.to_string()))?;
    let floor = durable_size.max(checkpoint.size);

    let origin_hash = Sha256::digest(key.name()).into();
    let (mut tree, mut index) = (Frontier::default(), Index::default());
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
        verifier.segment_visiting(&name, &bytes, |record, stored| {
            visit(record);
            tree.push(leaf_hash(stored));
        })?;
        let (_, mut frames) = Frames::new(&bytes).map_err(|error| OpenError::Content(error.to_string()))?;
        for frame in frames.by_ref().map_while(Result::ok) {
            index.add(frame.index, *first_index, frame.offset as u64);
        }
        last = Some((path, *first_index, before, frames.end_offset() as u64, bytes.len() as u64));
    }
    verifier.finish()?;
    index.end = tree.size();
    if tree.size() < durable_size {
        let path = directory.clone();
        let problem = format!("the log ends before it, and {durable_size} records were durable");
        return Err(OpenError::Damaged { path, record: tree.size(), problem });
    }
    let (path, first_index, before, end, allocated) = last.ok_or_else(|| OpenError::Missing(directory.clone()))?;
    let file = fs::File::options().read(true).write(true).open(&path).map_err(io(&path))?;
    let segment = Segment { file, first_index, tree: before, end, allocated };
    let tail = Tail::new(directory.clone(), origin_hash, segment_bytes, durable, segment, tree, index);
    Ok(ReadLog { tail, checkpoint, note, cut_bytes })
}

/// First indexes of the segments, in order; removes what a crash left half written.
fn list(directory: &Path) -> Result<Vec<u64>, OpenError> {
    let io = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => OpenError::Missing(directory.to_owned()),
        _ => OpenError::Io { path: directory.to_owned(), source },
    };
    let mut segments = Vec::new();
    for entry in fs::read_dir(directory).map_err(io)? {
        let entry = entry.map_err(io)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.ends_with(TEMPORARY_SUFFIX) {
            fs::remove_file(entry.path()).map_err(|source| OpenError::Io { path: entry.path(), source })?;
        } else if let Some(first) = parse_file_name(&name) {
            segments.push(first);
        } else if name != CHECKPOINT_FILE {
            return Err(OpenError::Stray(entry.path()));
        }
    }
    segments.sort_unstable();
    if segments.is_empty() { Err(OpenError::Missing(directory.to_owned())) } else { Ok(segments) }
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
