//! The right edge of a growing tree: its partial tiles, from which every full tile comes.

use super::{HEIGHT, Tile, WIDTH, hashes_at, place, subtree};
use crate::merkle::{Frontier, Hash, proof::Nodes};
use std::convert::Infallible;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Edge {
    size: u64,
    /// By level: the hashes of the tile that is not full yet.
    partial: Vec<Vec<Hash>>,
}

impl Edge {
    /// The edge of a tree of `size` leaves whose partial tiles `read` gives; `None` if one does not have its width.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn from_tiles<E>(size: u64, mut read: impl FnMut(Tile) -> Result<Vec<Hash>, E>) -> Result<Option<Self>, E> {
        let mut partial = Vec::new();
        for tile in Tile::partial_at(size) {
            let hashes = read(tile)?;
            if hashes.len() != tile.width() {
                return Ok(None);
            }
            partial.resize(tile.level() as usize, Vec::new());
            partial.push(hashes);
        }
        Ok(Some(Self { size, partial }))
    }

    /// Appends a leaf's hash; `full` takes each tile that it completes, lowest first.
    pub fn push(&mut self, leaf: Hash, mut full: impl FnMut(Tile, Vec<Hash>)) {
        let mut hash = leaf;
        self.size += 1;
        for level in 0.. {
            if self.partial.len() == level {
                self.partial.push(Vec::with_capacity(WIDTH));
            }
            let tile = &mut self.partial[level];
            tile.push(hash);
            if tile.len() < WIDTH {
                return;
            }
            hash = subtree(tile);
            let level = level as u32;
            let index = hashes_at(level, self.size) / WIDTH as u64 - 1;
            full(Tile::full(level, index), std::mem::replace(tile, Vec::with_capacity(WIDTH)));
        }
    }

    /// How many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The hashes of a tile that is not full yet, as far as there are any; `None` for every other tile.
    pub fn tile(&self, level: u32, index: u64) -> Option<&[Hash]> {
        let current = hashes_at(level, self.size) >> HEIGHT;
        let hashes = self.partial.get(level as usize)?;
        (index == current).then_some(hashes)
    }

    /// The tree's root.
    pub fn root(&self) -> Hash {
        self.frontier().root()
    }

    /// What the tree grows from, without its tiles.
    pub fn frontier(&self) -> Frontier {
        struct Inside<'a>(&'a [Vec<Hash>]);
        impl Nodes for Inside<'_> {
            type Error = Infallible;
            // The complete subtrees that a tree ends with all stand in its partial tiles.
            fn node(&mut self, level: u32, index: u64) -> Result<Hash, Infallible> {
                let place = place(level, index);
                Ok(subtree(&self.0[place.level as usize][place.first..][..place.count]))
            }
        }
        let Ok(frontier) = Frontier::read(self.size, &mut Inside(&self.partial));
        frontier
    }
}
