//! Tiles: the tree's hashes in files of 256 (C2SP tlog-tiles), and where in them a node is found.
//!
//! **Invariants**
//! * A tile has one path, and anything but a tile's path is refused: level without leading zeroes, index in groups of
//!   three digits, width 1 to 255 if it is partial.
//! * A full tile never changes. A partial one is the beginning of the full one.
//!
//! **Not here**: reading and writing files (the service's `audit` module), entry bundles (records are never published).

mod edge;

pub use edge::Edge;

use crate::merkle::{Hash, node_hash};
use std::fmt;

/// How many tree levels a tile spans.
pub const HEIGHT: u32 = 8;

/// How many hashes a full tile holds.
pub const WIDTH: usize = 1 << HEIGHT;

/// The highest level that a tile can have: 2^64 leaves have no more.
const MAX_LEVEL: u32 = u64::BITS / HEIGHT - 1;

/// Which tile: hashes of complete subtrees of 256^level leaves, the first that of subtree index × 256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    level: u32,
    index: u64,
    width: usize,
}

/// Where the root of a complete subtree comes from: `count` hashes of a tile, from `first` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The tile's level.
    pub level: u32,
    /// The tile's index.
    pub index: u64,
    /// The first hash's position in the tile.
    pub first: usize,
    /// How many hashes, a power of two.
    pub count: usize,
}

impl Tile {
    /// A full tile.
    pub fn full(level: u32, index: u64) -> Self {
        Self { level, index, width: WIDTH }
    }

    /// The tile as far as it exists in a tree of `size` leaves; `None` if nothing of it does.
    pub fn at_size(level: u32, index: u64, size: u64) -> Option<Self> {
        let hashes = hashes_at(level, size).checked_sub(index.checked_mul(WIDTH as u64)?)?;
        let width = hashes.min(WIDTH as u64) as usize;
        (width > 0).then_some(Self { level, index, width })
    }

    /// The partial tiles of a tree of `size` leaves, lowest first.
    pub fn partial_at(size: u64) -> impl Iterator<Item = Self> {
        let tile = move |level| Self::at_size(level, hashes_at(level, size) >> HEIGHT, size);
        (0..=MAX_LEVEL).filter_map(tile)
    }

    /// The full tiles that a tree has once it has grown from `from` to `size` leaves, and had not before.
    pub fn completed(from: u64, size: u64) -> impl Iterator<Item = Self> {
        let full = |level, size| hashes_at(level, size) >> HEIGHT;
        (0..=MAX_LEVEL)
            .flat_map(move |level| (full(level, from)..full(level, size)).map(move |index| Self::full(level, index)))
    }

    /// The level, 0 for leaves.
    pub fn level(&self) -> u32 {
        self.level
    }

    /// The index within the level.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// How many hashes it holds, 1 to 256.
    pub fn width(&self) -> usize {
        self.width
    }

    /// How many leaves a tree must have to have it; `u64::MAX` for what no tree has.
    pub fn end(&self) -> u64 {
        let hashes = self.index.checked_mul(WIDTH as u64).and_then(|before| before.checked_add(self.width as u64));
        hashes.and_then(|hashes| hashes.checked_mul(1 << (self.level * HEIGHT))).unwrap_or(u64::MAX)
    }

    /// Whether it holds 256 hashes, and so never changes.
    pub fn is_full(&self) -> bool {
        self.width == WIDTH
    }

    /// The tile with this path below `tile/`, e.g. `0/x001/x234/067` or `1/000.p/17`; `None` if no tile has it.
    pub fn parse(path: &str) -> Option<Self> {
        let (level, rest) = path.split_once('/')?;
        let level = number(level).filter(|level| *level <= u64::from(MAX_LEVEL))? as u32;
        let (index, width) = match rest.split_once(".p/") {
            None => (rest, WIDTH),
            Some((index, width)) => {
                let width = number(width).filter(|width| (1..WIDTH as u64).contains(width))?;
                (index, width as usize)
            }
        };
        let tile = Self { level, index: parse_index(index)?, width };
        // What reads as an index and is not written so, e.g. `x000/001`, is no path.
        (tile.to_string() == path).then_some(tile)
    }
}

/// The path below `tile/`.
impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/", self.level)?;
        let mut groups = vec![self.index % 1000];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        for group in groups[1..].iter().rev() {
            write!(f, "x{group:03}/")?;
        }
        write!(f, "{:03}", groups[0])?;
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

/// Where the root of the complete subtree `index` of height `level` is found, as [`crate::merkle::proof::Nodes`] has them.
pub fn place(level: u32, index: u64) -> Place {
    let inside = level % HEIGHT;
    let first = index << inside;
    Place { level: level / HEIGHT, index: first >> HEIGHT, first: (first % WIDTH as u64) as usize, count: 1 << inside }
}

/// The root over a complete subtree's hashes.
///
/// # Panics
/// If their number is no power of two.
pub fn subtree(hashes: &[Hash]) -> Hash {
    assert!(hashes.len().is_power_of_two(), "the subtree is complete");
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        row = row.chunks_exact(2).map(|pair| node_hash(&pair[0], &pair[1])).collect();
    }
    row[0]
}

/// A tile's bytes: its hashes, one after the other.
pub fn encode(hashes: &[Hash]) -> Vec<u8> {
    hashes.concat()
}

/// The hashes in a tile's bytes; `None` if they are not `width` hashes.
pub fn decode(bytes: &[u8], width: usize) -> Option<Vec<Hash>> {
    let (hashes, rest) = bytes.as_chunks();
    (rest.is_empty() && hashes.len() == width).then(|| hashes.to_vec())
}

/// How many hashes a tree of `size` leaves has at a tile level.
fn hashes_at(level: u32, size: u64) -> u64 {
    size.checked_shr(level * HEIGHT).unwrap_or(0)
}

/// Decimal digits without sign or leading zeroes.
fn number(text: &str) -> Option<u64> {
    let canonical = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if canonical { text.parse().ok() } else { None }
}

fn parse_index(path: &str) -> Option<u64> {
    path.split('/').try_fold(0u64, |index, group| {
        let digits = group.strip_prefix('x').unwrap_or(group);
        let three = digits.len() == 3 && digits.bytes().all(|b| b.is_ascii_digit());
        let group = if three { digits.parse::<u64>().ok()? } else { return None };
        index.checked_mul(1000)?.checked_add(group)
    })
}
