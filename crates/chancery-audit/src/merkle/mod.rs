//! RFC 6962 §2.1 Merkle tree hashing over stored records.
//!
//! **Invariants**
//! * Leaves and nodes hash under different prefixes (0x00, 0x01), so neither can pass for the other.
//! * A [`Frontier`] holds one hash per set bit of its size: memory is O(log n) for a log of any length.
//!
//! **Not here**: where a growing tree's hashes are kept (the service's `audit` module).

pub mod proof;

use proof::Nodes;
use sha2::{Digest, Sha256};

/// A SHA-256 hash: of a leaf, a node or a root.
pub type Hash = [u8; 32];

/// The Merkle leaf of a record's stored bytes: SHA-256(0x00 ‖ record) (RFC 6962 §2.1).
pub fn leaf_hash(record: &[u8]) -> Hash {
    Sha256::new().chain_update([0x00]).chain_update(record).finalize().into()
}

/// The hash of an inner node: SHA-256(0x01 ‖ left ‖ right) (RFC 6962 §2.1).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([0x01]).chain_update(left).chain_update(right).finalize().into()
}

/// The right edge of a growing tree: just enough of it to append leaves and to tell the root.
#[derive(Clone, Debug, Default)]
pub struct Frontier {
    /// Roots of the complete subtrees from left to right, largest first: one per set bit of `size`.
    subtrees: Vec<Hash>,
    size: u64,
}

impl Frontier {
    /// The right edge of the tree over the first `size` leaves.
    ///
    /// # Errors
    /// Those of `nodes`.
    pub fn read<N: Nodes>(size: u64, nodes: &mut N) -> Result<Self, N::Error> {
        let complete = (0..u64::BITS).rev().filter(|level| size >> level & 1 == 1);
        let subtrees = complete.map(|level| nodes.node(level, (size >> level) - 1)).collect::<Result<_, _>>()?;
        Ok(Self { subtrees, size })
    }

    /// Appends a leaf, as hashed by [`leaf_hash`].
    pub fn push(&mut self, leaf: Hash) {
        let mut node = leaf;
        // Each trailing one bit is a complete subtree of the same height as `node`: they join into one a level higher.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.subtrees.pop() {
                node = node_hash(&left, &node);
            }
        }
        self.subtrees.push(node);
        self.size += 1;
    }

    /// Goes on after a tree of `size` leaves whose complete subtrees have these roots, from left to right; `None` if it
    /// has another number of them.
    pub fn from_subtrees(size: u64, subtrees: Vec<Hash>) -> Option<Self> {
        (subtrees.len() == size.count_ones() as usize).then_some(Self { subtrees, size })
    }

    /// The roots of its complete subtrees from left to right, largest first.
    pub fn subtrees(&self) -> &[Hash] {
        &self.subtrees
    }

    /// How many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The tree's root; SHA-256 of nothing for the empty tree (RFC 6962 §2.1).
    pub fn root(&self) -> Hash {
        let mut smaller = self.subtrees.iter().rev();
        match smaller.next() {
            None => Sha256::digest([]).into(),
            Some(last) => smaller.fold(*last, |right, left| node_hash(left, &right)),
        }
    }
}
