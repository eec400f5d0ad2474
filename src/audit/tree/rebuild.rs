//! The tree as it is read from the log at start: tiles that are missing or wrong are written again.

use super::{Tree, files::TileFiles};
use chancery_audit::{
    merkle::Hash,
    tiles::{Edge, Tile},
};
use std::{io, path::Path};

/// See the module.
pub(in crate::audit) struct Rebuild {
    edge: Edge,
    files: TileFiles,
    /// The log's first records, which it no longer has: their tiles are durable.
    archived: u64,
    missing: u64,
    wrong: u64,
    /// The first failure; nothing is written after it.
    failed: Option<io::Error>,
}

impl Rebuild {
    /// Goes on after the log's first `size` records, which have this root: 0 and the empty tree's, unless they were
    /// archived after [`Tree::sync_through`].
    ///
    /// # Errors
    /// The tiles of those records are not there, or not of that root; or the directory can't be made.
    pub(in crate::audit) fn after(directory: &Path, size: u64, root: &Hash) -> io::Result<Self> {
        let files = TileFiles::open(directory)?;
        let edge = Edge::from_tiles(size, |tile| {
            files.read(tile).map(|hashes| hashes.to_vec()).map_err(|error| {
                let problem = format!("tile {tile}: {error}; restore it, its records are archived");
                io::Error::new(error.kind(), problem)
            })
        })?;
        let edge = edge.filter(|edge| edge.root() == *root).ok_or_else(|| {
            io::Error::other(format!("the tiles are not those of the log's first {size} records; restore them"))
        })?;
        Ok(Self { archived: size, edge, files, missing: 0, wrong: 0, failed: None })
    }

    /// Appends the hash of the next record.
    pub(in crate::audit) fn push(&mut self, leaf: Hash) {
        let Self { edge, files, missing, wrong, failed, .. } = self;
        edge.push(leaf, |tile, hashes| {
            if failed.is_none() {
                *failed = settle(files, tile, &hashes, missing, wrong).err();
            }
        });
    }

    /// The tree of all records that were pushed.
    ///
    /// # Errors
    /// A tile that was missing or wrong can't be written.
    pub(in crate::audit) fn finish(self) -> io::Result<Tree> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if self.wrong > 0 {
            tracing::warn!(tiles = self.wrong, "tiles that disagreed with the log were made again from it");
        }
        if self.missing > 0 {
            tracing::info!(tiles = self.missing, "tiles that were missing were made from the log");
        }
        Ok(Tree::new(self.edge, self.files, self.archived))
    }
}

/// Sees to it that a tile's file holds these hashes.
fn settle(files: &TileFiles, tile: Tile, hashes: &[Hash], missing: &mut u64, wrong: &mut u64) -> io::Result<()> {
    match files.read(tile) {
        Ok(found) if *found == *hashes => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => *missing += 1,
        _ => {
            tracing::warn!(%tile, "a tile disagrees with the log; it is made again");
            *wrong += 1;
        }
    }
    files.write(tile, hashes)
}
