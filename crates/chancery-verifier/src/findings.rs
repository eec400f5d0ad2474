//! What was found in a log that holds.

use chancery_audit::verify::Report;
use std::collections::BTreeMap;

/// A log in which nothing contradicts anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings {
    /// Of its bytes, tree and enclave processes.
    pub report: Report,
    /// Key versions whose life was followed.
    pub key_versions: u64,
    /// Policy sets whose text the log keeps.
    pub policy_sets: u64,
    /// Decisions that those explain.
    pub decisions: u64,
    /// Uses of keys that were held against the key's state, its organization and its user's suspensions.
    pub uses: u64,
    /// Signatures that are those which the enclave committed to.
    pub committed_signatures: u64,
    /// Signatures that verify under the recorded public key and digest, by the key's algorithm; `None`: not asked for.
    pub signatures: Option<BTreeMap<&'static str, u64>>,
    /// Signatures over messages, of which the log has SHA-256 only: they can't be verified from it.
    pub message_not_in_log: u64,
    /// Uses of keys that were not released, if the log is right about that.
    pub withheld: Withheld,
}

/// Uses that the enclave counted and of which the log says that nothing was released: they failed, or nobody waited any
/// more. What the enclave made stands nowhere, so that nothing but the service's word says that nobody has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Withheld {
    /// How many.
    pub uses: u64,
    /// How many of them by version, of those that could not be used by their last state, or that no record made.
    pub of_unusable: BTreeMap<String, u64>,
}
