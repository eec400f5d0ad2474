//! The end of the log on disk: batches go in, segments are closed and begun.
//!
//! **Invariants**: [`Tail::append`] returns after an fdatasync. After a failed one, nothing is written before
//! [`Tail::repair`] has read back what was durable and cut away the rest. What lies past the last frame is zero. A segment
//! that has a successor ends with its last frame, whatever failed in between.

use super::{durable::DurableSize, index::Index, tree::Grower};
use chancery_audit::{
    merkle::{Frontier, leaf_hash},
    segment::{Frames, Header, TEMPORARY_SUFFIX, append_frame, file_name},
};
use rustix::fs::{FallocateFlags, fallocate};
use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Space is reserved in steps, so that a sync has no new file size to write.
const ALLOCATION: u64 = 4 << 20;

/// See the module.
pub struct Tail {
    pub(super) tree: Frontier,
    pub(super) index: Arc<Index>,
    /// The tree that proofs are made from.
    pub(super) grower: Grower,
    pub(super) directory: PathBuf,
    pub(super) origin_hash: [u8; 32],
    pub(super) segment_bytes: u64,
    pub(super) durable: DurableSize,
    pub(super) segment: Segment,
}

/// The segment being written.
pub(super) struct Segment {
    pub(super) file: File,
    pub(super) first_index: u64,
    /// The tree of all records before it.
    pub(super) tree: Frontier,
    /// Where its last frame ends.
    pub(super) end: u64,
    /// Up to where zeros are reserved.
    pub(super) allocated: u64,
}

/// Makes the entries of a directory durable.
pub(super) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Puts a file in place as a whole: write, fsync, rename, fsync the directory.
pub(crate) fn replace(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let temporary = directory.join(format!("{name}{TEMPORARY_SUFFIX}"));
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(temporary, directory.join(name))?;
    sync_directory(directory)
}

impl Segment {
    /// Begins a segment after the records of `tree`.
    pub(super) fn create(directory: &Path, origin_hash: [u8; 32], tree: &Frontier) -> io::Result<Self> {
        let header = Header { first_index: tree.size(), origin_hash, tree_root: tree.root() };
        let name = file_name(tree.size());
        replace(directory, &name, &header.encode())?;
        let file = File::options().read(true).write(true).open(directory.join(name))?;
        let end = Header::LENGTH as u64;
        Ok(Self { file, first_index: tree.size(), tree: tree.clone(), end, allocated: end })
    }

    fn reserve(&mut self, bytes: u64, step: u64) -> io::Result<()> {
        if self.end + bytes > self.allocated {
            let length = bytes.max(step);
            fallocate(&self.file, FallocateFlags::empty(), self.end, length)?;
            self.allocated = self.end + length;
        }
        Ok(())
    }

    /// Cuts away what lies past the last frame.
    fn cut(&mut self) -> io::Result<()> {
        self.shorten()?;
        self.file.sync_all()
    }

    fn shorten(&mut self) -> io::Result<()> {
        self.file.set_len(self.end)?;
        self.allocated = self.end;
        Ok(())
    }
}

impl Tail {
    /// The segment that was written last: its first record, and the tree before it.
    pub(super) fn segment(&self) -> (u64, &Frontier) {
        (self.segment.first_index, &self.segment.tree)
    }

    /// Appends records, which have the next indexes, and makes them durable together: where their frames begin in the
    /// segment.
    pub(super) fn append(&mut self, records: &[Vec<u8>]) -> io::Result<Vec<u64>> {
        let mut buffer = Vec::new();
        let mut offsets = Vec::with_capacity(records.len());
        if self.segment.end >= self.segment_bytes {
            self.roll()?;
        }
        self.in_place()?;
        for record in records {
            offsets.push(self.segment.end + buffer.len() as u64);
            append_frame(&mut buffer, record);
        }
        self.segment.reserve(buffer.len() as u64, self.step())?;
        self.segment.file.write_all_at(&buffer, self.segment.end)?;
        self.segment.file.sync_data()?;
        self.segment.end += buffer.len() as u64;
        let leaves: Vec<_> = records.iter().map(|record| leaf_hash(record)).collect();
        leaves.iter().for_each(|leaf| self.tree.push(*leaf));
        self.grower.append(leaves);
        // The records are durable; that this number can't be noted takes nothing from them.
        if let Err(error) = self.durable.set(self.tree.size()) {
            tracing::error!(%error, "the log's durable size can't be noted");
        }
        Ok(offsets)
    }

    fn step(&self) -> u64 {
        self.segment_bytes.min(ALLOCATION)
    }

    /// Closes the segment at its last frame and begins the next.
    fn roll(&mut self) -> io::Result<()> {
        self.segment.cut()?;
        self.segment = Segment::create(&self.directory, self.origin_hash, &self.tree)?;
        Ok(())
    }

    /// A file that was removed or renamed takes writes that nobody will find again.
    fn in_place(&self) -> io::Result<()> {
        let name = file_name(self.segment.first_index);
        let (here, there) = (self.segment.file.metadata()?, fs::metadata(self.directory.join(&name))?);
        if (here.dev(), here.ino()) == (there.dev(), there.ino()) {
            Ok(())
        } else {
            Err(io::Error::other(format!("segment {name} was replaced by another file")))
        }
    }

    /// After a failed append: takes away what of it came to stand in the segment, so that a service that ends now does
    /// not find it at its next start. Only tried: [`Tail::repair`] makes sure.
    pub(super) fn take_back(&mut self) {
        if let Err(error) = self.segment.shorten() {
            tracing::warn!(%error, "what was not appended may still stand in the segment until it is repaired");
        }
    }

    /// After a failed append: reads back what was durable, cuts away the rest, and makes sure that there is room to go on.
    /// Durable records are never written again, so that an fsync which once failed has nothing to hide: what it may have
    /// dropped lies past them, and is cut.
    pub(super) fn repair(&mut self) -> io::Result<()> {
        let path = self.directory.join(file_name(self.segment.first_index));
        let file = File::options().read(true).write(true).open(&path)?;
        let bytes = fs::read(&path)?;
        let damaged = |what: &str| io::Error::other(format!("{}: {what}", path.display()));
        let (_, frames) = Frames::new(&bytes).map_err(|error| damaged(&error.to_string()))?;
        let mut tree = self.segment.tree.clone();
        for frame in frames {
            if tree.size() == self.tree.size() {
                break;
            }
            let frame = frame.map_err(|error| damaged(&error.to_string()))?;
            tree.push(leaf_hash(frame.record));
        }
        if (tree.size(), tree.root()) != (self.tree.size(), self.tree.root()) {
            return Err(damaged("durable records are missing or changed; restore it from a mirror or backup"));
        }
        self.segment.file = file;
        self.segment.cut()?;
        // The successor of a full segment may have come into being: nothing may be reserved before it.
        if self.segment.end >= self.segment_bytes {
            self.roll()?;
        }
        self.segment.reserve(1, self.step())?;
        sync_directory(&self.directory)
    }
}
