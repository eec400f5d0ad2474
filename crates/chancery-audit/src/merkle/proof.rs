//! Inclusion and consistency proofs (RFC 6962 §2.1.1, §2.1.2): made from stored hashes, checked without.
//!
//! **Invariants**
//! * A proof has one length for its sizes: one that is longer or shorter is refused, so no hash in it is left unproven.
//! * Checking never panics, whatever sizes and hashes a stranger sends.
//!
//! **Not here**: where hashes are stored (the service's tiles), who signed the roots.

use thiserror::Error;

use super::{Hash, node_hash};

/// Where a proof's hashes come from. `node(level, index)` is the root of the complete subtree over leaves
/// `index * 2^level` to `(index + 1) * 2^level - 1`, all of which exist; level 0 holds the leaves' own hashes.
pub trait Nodes {
    /// Why a hash can't be had.
    type Error;

    /// See the trait.
    fn node(&mut self, level: u32, index: u64) -> Result<Hash, Self::Error>;
}

/// Why a proof proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ProofError {
    /// The record is not in a tree of that size.
    #[error("record {index} is not among the {size} records of the tree")]
    Beyond {
        /// The record's index.
        index: u64,
        /// The tree's size.
        size: u64,
    },
    /// The older tree is larger than the newer one.
    #[error("a tree of {old} records can't have grown to {new}")]
    Shrunk {
        /// The older tree's size.
        old: u64,
        /// The newer tree's size.
        new: u64,
    },
    /// Too many hashes, or too few.
    #[error("the proof has {found} hashes where it must have {expected}")]
    Length {
        /// How many it has.
        found: usize,
        /// How many it must have.
        expected: usize,
    },
    /// The hashes lead to another root.
    #[error("the proof's hashes do not lead to the tree's root")]
    Root,
    /// The hashes lead to another root of the older tree.
    #[error("the proof's hashes do not lead to the older tree's root: the history was rewritten")]
    OldRoot,
}

/// The root of the tree over the first `size` leaves (RFC 6962 §2.1).
///
/// # Errors
/// Those of `nodes`.
pub fn root<N: Nodes>(size: u64, nodes: &mut N) -> Result<Hash, N::Error> {
    match size {
        0 => Ok(super::Frontier::default().root()),
        _ => range(0, size, nodes),
    }
}

/// The audit path of leaf `index` in the tree over the first `size` leaves, leaf's sibling first (RFC 6962 §2.1.1).
///
/// # Errors
/// Those of `nodes`.
///
/// # Panics
/// If `index` is not below `size`.
pub fn inclusion<N: Nodes>(index: u64, size: u64, nodes: &mut N) -> Result<Vec<Hash>, N::Error> {
    assert!(index < size, "the leaf is in the tree");
    let (mut first, mut end) = (0, size);
    let mut path = Vec::new();
    while end - first > 1 {
        let middle = first + split(end - first);
        if index < middle {
            path.push(range(middle, end, nodes)?);
            end = middle;
        } else {
            path.push(range(first, middle, nodes)?);
            first = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// That the tree over the first `new` leaves extends the one over the first `old` (RFC 6962 §2.1.2). Empty for equal sizes
/// and for an empty older tree.
///
/// # Errors
/// Those of `nodes`.
///
/// # Panics
/// If `old` is above `new`.
pub fn consistency<N: Nodes>(old: u64, new: u64, nodes: &mut N) -> Result<Vec<Hash>, N::Error> {
    assert!(old <= new, "the newer tree is no smaller");
    let mut path = Vec::new();
    if old == 0 || old == new {
        return Ok(path);
    }
    let (mut first, mut end) = (0, new);
    // Down to the subtree that ends where the older tree ends.
    while end != old {
        let middle = first + split(end - first);
        if old <= middle {
            path.push(range(middle, end, nodes)?);
            end = middle;
        } else {
            path.push(range(first, middle, nodes)?);
            first = middle;
        }
    }
    // The older tree itself is known to whoever checks.
    if first != 0 {
        path.push(range(first, end, nodes)?);
    }
    path.reverse();
    Ok(path)
}

/// Checks an audit path.
///
/// # Errors
/// [`ProofError`].
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::Beyond { index, size });
    }
    let (mut first, mut end) = (0, size);
    // Whether the sibling stands on the left, root's children first.
    let mut left = Vec::new();
    while end - first > 1 {
        let middle = first + split(end - first);
        left.push(index >= middle);
        if index < middle { end = middle } else { first = middle }
    }
    if path.len() != left.len() {
        return Err(ProofError::Length { found: path.len(), expected: left.len() });
    }
    let siblings = path.iter().zip(left.iter().rev());
    let found = siblings.fold(
        *leaf,
        |node, (sibling, left)| {
            if *left { node_hash(sibling, &node) } else { node_hash(&node, sibling) }
        },
    );
    if found == *root { Ok(()) } else { Err(ProofError::Root) }
}

/// Checks that the tree of `new` leaves with `new_root` extends the one of `old` leaves with `old_root`.
///
/// # Errors
/// [`ProofError`].
pub fn verify_consistency(
    old: u64,
    old_root: &Hash,
    new: u64,
    new_root: &Hash,
    path: &[Hash],
) -> Result<(), ProofError> {
    if old > new {
        return Err(ProofError::Shrunk { old, new });
    }
    if old == 0 || old == new {
        // The empty tree has one root; equal sizes have equal ones.
        let known = if old == 0 { super::Frontier::default().root() } else { *new_root };
        return match path.len() {
            0 if *old_root == known => Ok(()),
            0 => Err(ProofError::OldRoot),
            found => Err(ProofError::Length { found, expected: 0 }),
        };
    }
    let (mut first, mut end) = (0, new);
    // Whether the older tree goes on beyond the sibling, root's children first.
    let mut left = Vec::new();
    while end != old {
        let middle = first + split(end - first);
        left.push(old > middle);
        if old <= middle { end = middle } else { first = middle }
    }
    let expected = left.len() + usize::from(first != 0);
    if path.len() != expected {
        return Err(ProofError::Length { found: path.len(), expected });
    }
    let (start, siblings) = if first == 0 { (old_root, path) } else { (&path[0], &path[1..]) };
    let (mut older, mut newer) = (*start, *start);
    for (sibling, left) in siblings.iter().zip(left.iter().rev()) {
        if *left {
            older = node_hash(sibling, &older);
            newer = node_hash(sibling, &newer);
        } else {
            newer = node_hash(&newer, sibling);
        }
    }
    match (older == *old_root, newer == *new_root) {
        (true, true) => Ok(()),
        (false, _) => Err(ProofError::OldRoot),
        (true, false) => Err(ProofError::Root),
    }
}

/// The largest power of two below `size`, which is at least 2.
fn split(size: u64) -> u64 {
    1 << (u64::BITS - 1 - (size - 1).leading_zeros())
}

/// The root over leaves `first` to `end` - 1, at least one, where `first` is a multiple of the largest power of two that is
/// no more than their number.
fn range<N: Nodes>(first: u64, end: u64, nodes: &mut N) -> Result<Hash, N::Error> {
    let size = end - first;
    if size.is_power_of_two() {
        let level = size.trailing_zeros();
        return nodes.node(level, first >> level);
    }
    let middle = first + split(size);
    let (left, right) = (range(first, middle, nodes)?, range(middle, end, nodes)?);
    Ok(node_hash(&left, &right))
}
