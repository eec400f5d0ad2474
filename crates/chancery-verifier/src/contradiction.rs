//! A record that contradicts those before it.

use chancery_model::{LifecycleEvent, Stage};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// A resource's state can't be read.
    #[error("the state of {name} can't be read: {problem}")]
    State {
        /// The resource.
        name: String,
        /// Why.
        problem: String,
    },
    /// A version of a key that no record made.
    #[error("{version} has a state, and no record made its key")]
    KeylessVersion {
        /// The version.
        version: String,
    },
    /// A key or version whose state is empty.
    #[error("the record says that {name} is gone: a destroyed key keeps its state for good")]
    Gone {
        /// The key or version.
        name: String,
    },
    /// What a key is made of changed.
    #[error("{name} has another {what} than before: that never changes")]
    Changed {
        /// The key or version.
        name: String,
        /// What changed.
        what: &'static str,
    },
    /// A step that the life cycle does not have.
    #[error("{version} was {from} and is {to} here: no event leads from one to the other")]
    Step {
        /// The version.
        version: String,
        /// Where it was.
        from: Stage,
        /// Where the record says that it is.
        to: Stage,
    },

    /// A use of something that is no key version of the log.
    #[error("a key was used that no record made: {resource:?}")]
    UnknownVersion {
        /// What the record names.
        resource: String,
    },
    /// A use that the version's state does not allow.
    #[error("{version} was used while it was {stage}; {}", possible(*.stage))]
    StateForbids {
        /// The version.
        version: String,
        /// Its state, as recorded before.
        stage: Stage,
    },
    /// The user is of another organization than the key.
    #[error("{version} was used by a member of {organization:?}, which does not own it")]
    OtherOrganization {
        /// The version.
        version: String,
        /// The user's organization.
        organization: String,
    },
    /// The user was suspended.
    #[error("{principal} used {version} while it was suspended")]
    Suspended {
        /// Who.
        principal: String,
        /// The version.
        version: String,
    },
    /// The record names another algorithm than the key's.
    #[error("the record names the algorithm {found:?}, and the key is of {expected}")]
    Algorithm {
        /// What the record says.
        found: String,
        /// What the key is.
        expected: String,
    },

    /// A policy set's hash is not its text's.
    #[error("the policy set's text does not have the hash that the record gives: one of them was changed")]
    PolicySetHash,
    /// A policy set that can't be read.
    #[error("the policy set can't be read: {0}")]
    PolicySet(String),
    /// A decision by policies whose text stands in no earlier record.
    #[error("the policy set that decided, {hash}, stands in no earlier record")]
    UnknownPolicySet {
        /// Its hash, in hex.
        hash: String,
    },
    /// The policies of an organization that is not asked.
    #[error("the policies of {found} decided about a member of {organization:?}")]
    OtherPolicies {
        /// Whose policies they are.
        found: String,
        /// The member's organization.
        organization: String,
    },
    /// A policy that the set does not have.
    #[error("the policy {id:?} that decided stands in none of the recorded sets that were asked")]
    UnknownPolicy {
        /// Its id.
        id: String,
    },
    /// A use without a decision.
    #[error("a key was used, and the record names no policy that permitted it")]
    Undecided,

    /// A use by nobody.
    #[error("{version} was used, and the record does not say by whom")]
    Nobody {
        /// The version.
        version: String,
    },
    /// A use of which nothing is said to have been released, where all must have been.
    #[error(
        "the enclave used {version}, and the log says that nothing of it was released; only the service's word stands for \
         that. Verify without --strict to have such uses counted"
    )]
    Withheld {
        /// The version.
        version: String,
    },

    /// A signature that was released and is not there.
    #[error("the record says that a signature was made and released, and does not have it")]
    NoSignature,
    /// The digest or the mechanism of a signature makes no sense.
    #[error("the record's signature can't be what it says: {0}")]
    Malformed(&'static str),
    /// The enclave committed to another signature.
    #[error("the enclave committed to another signature or digest than the record has")]
    Commitment,
    /// A signature that is none.
    #[error("the signature does not verify under the public key of {version} and the recorded digest")]
    Signature {
        /// The version.
        version: String,
    },
}

fn possible(stage: Stage) -> &'static str {
    let ever = [LifecycleEvent::Activate, LifecycleEvent::Restore].iter().any(|event| stage.after(*event).is_some());
    if ever { "it could not be used until that changed" } else { "it could not be used any more" }
}
