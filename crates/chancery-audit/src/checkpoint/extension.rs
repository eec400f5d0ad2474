//! Whether one checkpoint extends another: what witnesses and clients ask before they believe the newer one.
//!
//! **Invariant**: two checkpoints of one log either agree, or the pair of signed notes is evidence against whoever holds
//! the log's key.
//!
//! **Not here**: fetching notes and proofs, keeping evidence (chancery-client).

use thiserror::Error;

use super::Checkpoint;
use crate::merkle::{
    Hash,
    proof::{ProofError, verify_consistency},
};

/// How two checkpoints that one key signed contradict each other.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Contradiction {
    /// The log has fewer records than it had: it was rolled back.
    #[error("the log had {old} records and now signs {new}: it was rolled back, or this is another copy of it")]
    Shrunk {
        /// The size seen before.
        old: u64,
        /// The size shown now.
        new: u64,
    },
    /// One size has two roots: two histories are shown.
    #[error("the log signs two histories of {size} records: different ones are shown to different parties")]
    OtherRoot {
        /// The size of both.
        size: u64,
    },
    /// The newer tree does not hold the older one, or it is not shown to.
    #[error("the log of {new} records is not shown to extend that of {old} seen before: {problem}")]
    NotExtended {
        /// The size seen before.
        old: u64,
        /// The size shown now.
        new: u64,
        /// What is wrong with the proof.
        problem: ProofError,
    },
}

impl Checkpoint {
    /// Whether this checkpoint of the same log, got later, extends `older`. `proof` is from `older`'s size to this one's;
    /// it is empty where both are equal or `older` is empty.
    ///
    /// # Errors
    /// [`Contradiction`].
    pub fn extends(&self, older: &Self, proof: &[Hash]) -> Result<(), Contradiction> {
        let (old, new) = (older.size, self.size);
        if new < old {
            return Err(Contradiction::Shrunk { old, new });
        }
        if new == old && self.root != older.root {
            return Err(Contradiction::OtherRoot { size: new });
        }
        verify_consistency(old, &older.root, new, &self.root, proof).map_err(|problem| Contradiction::NotExtended {
            old,
            new,
            problem,
        })
    }

    /// Whether a consistency proof is needed to tell if this checkpoint extends `older`.
    pub fn needs_proof_from(&self, older: &Self) -> bool {
        older.size > 0 && self.size > older.size
    }
}
