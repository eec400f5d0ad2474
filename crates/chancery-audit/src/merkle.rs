//! RFC 6962 §2.1 Merkle tree hashing over stored records.
//!
//! **Invariants**
//! * Leaves and nodes hash under different prefixes (0x00, 0x01), so neither can pass for the other.
//! * A [`Frontier`] holds one hash per set bit of its size: memory is O(log n) for a log of any length.
//!
//! **Not here**: inclusion and consistency proofs, which need stored hashes (the service's `audit` module).

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
