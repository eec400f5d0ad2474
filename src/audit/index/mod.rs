//! Finding records without reading the log: by key, principal, organization, action, outcome, request id and time.
//!
//! **Invariants**: the index decides how fast an answer is, never what it is: each record found is checked, and a file
//! that is missing, of other records or damaged anywhere is made again from its segment. Only durable records are in it.
//! A closed segment's index is a file, an open one's is in memory. A query does a bounded amount of work.
//!
//! **Not here**: who may read (`admission`); proofs of what is read (`tree`).

mod builder;
mod file;
mod memory;
mod pages;
mod postings;
mod query;
mod segment;
mod terms;
#[cfg(test)]
mod tests;

pub(super) use memory::Memory;
pub use query::{Page, Query, concerns};

use chancery_audit::{
    merkle::{Frontier, Hash},
    record::Record,
    segment::file_name,
};
use file::{Identity, IndexFile};
use std::{
    fs, io,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        mpsc::{Sender, channel},
    },
};
use tokio::sync::watch;

/// Where a log and its index lie.
#[derive(Debug, Clone)]
pub(super) struct Folders {
    pub(super) log: PathBuf,
    pub(super) index: PathBuf,
}

/// A closed segment of a log that was read.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReadSegment {
    pub(super) first_index: u64,
    pub(super) records: u64,
    /// The root of the tree after its last record.
    pub(super) root: Hash,
}

/// A segment that nothing is added to any more.
struct Closed {
    identity: Identity,
    /// Until its file is written.
    memory: Mutex<Option<Arc<RwLock<Memory>>>>,
}

/// The segment that is written.
#[derive(Clone)]
struct Open {
    first_index: u64,
    memory: Arc<RwLock<Memory>>,
}

#[derive(Clone)]
struct Segments {
    /// Oldest first; replaced as a whole when a segment closes.
    closed: Arc<Vec<Arc<Closed>>>,
    open: Open,
}

/// See the module.
pub(super) struct Index {
    folders: Folders,
    segments: Mutex<Segments>,
    /// How many records are durable.
    end: watch::Sender<u64>,
    /// To the thread that writes files.
    unwritten: Sender<Arc<Closed>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Closed {
    fn new(first_index: u64, records: u64, root: Hash) -> Self {
        // A segment has 4 GiB at most, and a frame more than one byte.
        let records = u32::try_from(records).unwrap_or(u32::MAX);
        Self { identity: Identity { first_index, records, root }, memory: Mutex::new(None) }
    }

    /// The index of its records in memory, from its segment if it is not there.
    fn in_memory(&self, folders: &Folders) -> Result<Arc<RwLock<Memory>>, String> {
        // Whoever wants it meanwhile waits for it.
        let mut memory = locked(&self.memory);
        if let Some(memory) = &*memory {
            return Ok(Arc::clone(memory));
        }
        let Identity { first_index, records, .. } = self.identity;
        let read = Memory::read(&folders.log.join(file_name(first_index)), first_index, records.into())?;
        Ok(Arc::clone(memory.insert(Arc::new(RwLock::new(read)))))
    }
}

impl Index {
    /// Over the closed segments that were read, and the open one, which begins with record `first_index`. Their files
    /// are looked after from now on by a thread of its own.
    pub(super) fn start(folders: Folders, closed: &[ReadSegment], first_index: u64, open: Memory) -> Self {
        let closed = closed.iter().map(|of| Arc::new(Closed::new(of.first_index, of.records, of.root)));
        let closed: Arc<Vec<_>> = Arc::new(closed.collect());
        let (unwritten, work) = channel();
        closed.iter().for_each(|segment| drop(unwritten.send(Arc::clone(segment))));
        builder::spawn(folders.clone(), work);
        let end = watch::Sender::new(first_index + u64::from(open.records()));
        let open = Open { first_index, memory: Arc::new(RwLock::new(open)) };
        Self { folders, segments: Mutex::new(Segments { closed, open }), end, unwritten }
    }

    /// Takes in records that are durable now, in the segment `segment`, before which the tree was `before`. Each comes
    /// with where its frame begins.
    pub(super) fn extend<'r>(&self, segment: u64, before: &Frontier, records: impl Iterator<Item = (&'r Record, u64)>) {
        let open = {
            let mut segments = locked(&self.segments);
            if segments.open.first_index != segment {
                self.close(&mut segments, before);
            }
            segments.open.clone()
        };
        let mut memory = open.memory.write().unwrap_or_else(PoisonError::into_inner);
        records.for_each(|(record, offset)| memory.add(record, offset));
        let end = segment + u64::from(memory.records());
        drop(memory);
        self.end.send_replace(end);
    }

    /// The open segment is closed, and another begun after the records of `tree`.
    fn close(&self, segments: &mut Segments, tree: &Frontier) {
        let next = Open { first_index: tree.size(), memory: Arc::default() };
        let Open { first_index, memory } = std::mem::replace(&mut segments.open, next);
        let mut closed = Closed::new(first_index, tree.size() - first_index, tree.root());
        closed.memory = Mutex::new(Some(memory));
        let closed = Arc::new(closed);
        Arc::make_mut(&mut segments.closed).push(Arc::clone(&closed));
        // Without the thread it stays in memory.
        let _ = self.unwritten.send(closed);
    }

    /// Nobody looks any more for records before `record`, with which a segment begins.
    ///
    /// # Errors
    /// What was written about them can't be removed.
    pub(super) fn forget_before(&self, record: u64) -> io::Result<()> {
        Arc::make_mut(&mut locked(&self.segments).closed).retain(|closed| closed.identity.first_index >= record);
        for entry in fs::read_dir(&self.folders.index)? {
            let entry = entry?;
            if file::parse_file_name(&entry.file_name().to_string_lossy()).is_some_and(|first| first < record) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// How many records are durable, now and whenever more are.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.end.subscribe()
    }

    /// One page of records.
    ///
    /// # Errors
    /// The I/O error as text.
    pub(super) fn page(&self, query: &Query) -> Result<Page, String> {
        query::page(self, query)
    }

    /// The bytes of a record as they are stored; `None` if it is not in the log.
    ///
    /// # Errors
    /// The I/O error as text.
    pub(super) fn stored(&self, record: u64) -> Result<Option<Vec<u8>>, String> {
        query::stored(self, record)
    }

    /// What there is now.
    fn segments(&self) -> Segments {
        locked(&self.segments).clone()
    }
}
