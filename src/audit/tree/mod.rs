//! The tree over all durable records: full tiles in files, the right edge in memory.
//!
//! **Invariants**: whatever is in the log and not archived, its tiles can be made again from; so nothing waits for their
//! disk but [`Tree::sync_through`], after which they stand for themselves. A full tile is in memory until its file is.
//!
//! **Not here**: the tree's shape and its proofs (chancery-audit), serving tiles (`mirror`).

mod files;
mod rebuild;
#[cfg(test)]
mod tests;

pub(super) use rebuild::Rebuild;

use chancery_audit::{
    merkle::{
        Hash,
        proof::{self, Nodes},
    },
    tiles::{self, Edge, Tile},
};
use files::TileFiles;
use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How long after a failure the tiles' disk is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Why there is no proof.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// The log is not that long.
    #[error("the log has {durable} records, not {size}")]
    Beyond {
        /// The size that was asked for.
        size: u64,
        /// The log's.
        durable: u64,
    },
    /// The record is not in a tree of that size.
    #[error("record {index} is not among the first {size}")]
    NotIn {
        /// The record.
        index: u64,
        /// The size that was asked for.
        size: u64,
    },
    /// A tree does not shrink.
    #[error("a log of {old} records can't have grown to {new}")]
    Shrunk {
        /// The older size.
        old: u64,
        /// The newer size.
        new: u64,
    },
    /// A tile's file can't be read.
    #[error("tile {tile}: {problem}; restart the service, which makes it again from the log")]
    Tile {
        /// Its path.
        tile: String,
        /// What is wrong.
        problem: String,
    },
    /// Tiles can't be read or written.
    #[error("the tree's tiles: {0}")]
    Files(String),
}

/// See the module.
pub(super) struct Tree {
    growing: Mutex<Growing>,
    files: TileFiles,
    /// Whoever writes files, one at a time: for how many records they are known to be durable.
    durable: Mutex<u64>,
    /// There are tiles to write, or no more will come.
    changed: Condvar,
}

struct Growing {
    edge: Edge,
    /// Full tiles without a file.
    unwritten: BTreeMap<Tile, Arc<[Hash]>>,
    closed: bool,
}

/// The one that appends; once it is gone, the tree does not grow any more.
pub(super) struct Grower(Arc<Tree>);

impl Drop for Grower {
    fn drop(&mut self) {
        self.0.growing().closed = true;
        self.0.changed.notify_all();
    }
}

impl Grower {
    /// Appends the hashes of durable records.
    pub(super) fn append(&self, leaves: impl IntoIterator<Item = Hash>) {
        let mut growing = self.0.growing();
        let Growing { edge, unwritten, .. } = &mut *growing;
        for leaf in leaves {
            edge.push(leaf, |tile, hashes| drop(unwritten.insert(tile, hashes.into())));
        }
        if !unwritten.is_empty() {
            self.0.changed.notify_all();
        }
    }

    /// The tree, for whoever reads.
    pub(super) fn tree(&self) -> Arc<Tree> {
        Arc::clone(&self.0)
    }
}

impl Tree {
    /// The tree of `edge`, all of whose full tiles have a file; those of the first `durable` records are durable.
    fn new(edge: Edge, files: TileFiles, durable: u64) -> Self {
        let growing = Mutex::new(Growing { edge, unwritten: BTreeMap::new(), closed: false });
        Self { growing, files, durable: Mutex::new(durable), changed: Condvar::new() }
    }

    /// Lets it grow: starts the thread that writes full tiles.
    pub(super) fn grow(self) -> Grower {
        let tree = Arc::new(self);
        let writer = Arc::clone(&tree);
        // Without its thread, full tiles stay in memory until the next start.
        if let Err(error) = std::thread::Builder::new().name("audit-tiles".into()).spawn(move || writer.write()) {
            tracing::error!(%error, "the thread that writes the tree's tiles can't be started");
        }
        Grower(tree)
    }

    fn growing(&self) -> MutexGuard<'_, Growing> {
        self.growing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn durable(&self) -> MutexGuard<'_, u64> {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes full tiles until no more come.
    fn write(&self) {
        loop {
            let mut growing = self.growing();
            while growing.unwritten.is_empty() && !growing.closed {
                growing = self.changed.wait(growing).unwrap_or_else(PoisonError::into_inner);
            }
            let closed = growing.closed;
            drop(growing);
            let written = self.write_full(&mut self.durable());
            if let Err(error) = &written {
                tracing::warn!(%error, "a tile of the log's tree can't be written; it stays in memory");
            }
            if closed {
                return;
            }
            if written.is_err() {
                std::thread::sleep(RETRY);
            }
        }
    }

    /// Writes the full tiles that have no file yet; `_` is the writer's turn.
    fn write_full(&self, _: &mut u64) -> io::Result<()> {
        loop {
            let next = self.growing().unwritten.first_key_value().map(|(tile, hashes)| (*tile, Arc::clone(hashes)));
            let Some((tile, hashes)) = next else { return Ok(()) };
            self.files.write(tile, &hashes)?;
            self.growing().unwritten.remove(&tile);
        }
    }

    /// Durable records.
    pub(super) fn size(&self) -> u64 {
        self.growing().edge.size()
    }

    /// Durable records, and the root over them.
    pub(super) fn size_and_root(&self) -> (u64, Hash) {
        let growing = self.growing();
        (growing.edge.size(), growing.edge.root())
    }

    /// The root over the first `size` records.
    pub(super) fn root_at(&self, size: u64) -> Result<Hash, TreeError> {
        self.covers(size)?;
        proof::root(size, &mut Reader::new(self))
    }

    /// The audit path of a record in the tree of `size` records.
    pub(super) fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, TreeError> {
        self.covers(size)?;
        if index >= size {
            return Err(TreeError::NotIn { index, size });
        }
        proof::inclusion(index, size, &mut Reader::new(self))
    }

    /// That the tree of `new` records extends the one of `old`.
    pub(super) fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, TreeError> {
        self.covers(new)?;
        if old > new {
            return Err(TreeError::Shrunk { old, new });
        }
        proof::consistency(old, new, &mut Reader::new(self))
    }

    /// The hashes of a tile.
    pub(super) fn tile(&self, tile: Tile) -> Result<Vec<Hash>, TreeError> {
        self.covers(tile.end())?;
        Ok(self.hashes(tile.level(), tile.index())?[..tile.width()].to_vec())
    }

    /// Makes every tile durable that holds something of the first `size` records, and the partial ones of that size:
    /// [`Rebuild::after`] goes on from them without those records.
    pub(super) fn sync_through(&self, size: u64) -> io::Result<()> {
        let tiles = Tile::partial_at(size).map(|tile| Ok((tile, self.tile(tile)?)));
        let partial: Vec<_> = tiles.collect::<Result<_, TreeError>>().map_err(io::Error::other)?;
        let mut durable = self.durable();
        self.write_full(&mut durable)?;
        partial.iter().try_for_each(|(tile, hashes)| self.files.write(*tile, hashes))?;
        self.files.sync(*durable, size)?;
        *durable = size.max(*durable);
        Ok(())
    }

    fn covers(&self, size: u64) -> Result<(), TreeError> {
        let durable = self.size();
        if size > durable { Err(TreeError::Beyond { size, durable }) } else { Ok(()) }
    }

    /// All there is of a tile: from the edge, from what is unwritten, or from its file.
    fn hashes(&self, level: u32, index: u64) -> Result<Arc<[Hash]>, TreeError> {
        let tile = Tile::full(level, index);
        let growing = self.growing();
        if let Some(hashes) = growing.edge.tile(level, index) {
            return Ok(hashes.into());
        }
        if let Some(hashes) = growing.unwritten.get(&tile) {
            return Ok(Arc::clone(hashes));
        }
        drop(growing);
        // A tile leaves `unwritten` only once its file is there.
        self.files.read(tile).map_err(|error| TreeError::Tile { tile: tile.to_string(), problem: error.to_string() })
    }
}

/// The nodes of the tree, each tile taken once.
struct Reader<'a> {
    tree: &'a Tree,
    seen: HashMap<(u32, u64), Arc<[Hash]>>,
}

impl<'a> Reader<'a> {
    fn new(tree: &'a Tree) -> Self {
        Self { tree, seen: HashMap::new() }
    }
}

impl Nodes for Reader<'_> {
    type Error = TreeError;

    fn node(&mut self, level: u32, index: u64) -> Result<Hash, TreeError> {
        let place = tiles::place(level, index);
        let hashes = match self.seen.entry((place.level, place.index)) {
            Entry::Occupied(seen) => seen.into_mut(),
            Entry::Vacant(new) => new.insert(self.tree.hashes(place.level, place.index)?),
        };
        // Proofs ask only for nodes that exist, and the sizes were compared with the tree's.
        Ok(tiles::subtree(&hashes[place.first..][..place.count]))
    }
}
