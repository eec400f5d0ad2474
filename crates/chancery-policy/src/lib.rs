//! May this principal do this to that resource? Cedar policies and their schema → [`Permit`] or [`Denial`].
//!
//! **Invariants**
//! * Nothing is permitted but by a policy that says so; one forbid, or one policy that could not be evaluated, denies.
//! * A [`Permit`] comes from [`Policies::authorize`], or from a [`Standing`] that one left behind; it answers one request,
//!   and is moved, never copied.
//! * A policy set is whole: every file parsed and validated against the schema of this version, or none used.
//! * An organization's own policies are asked about its own members and resources alone, with the base set, whose forbids
//!   hold whatever they permit.
//! * A request is described in the schema's words or denied; the same steps are taken whether a key exists or not.
//!
//! **Not here**: who the principal is, whether the key's state, algorithm and length allow the operation, budgets and
//! quotas, recording: all the service's. The policies themselves are in policies/, with the decision tables that hold
//! them.
#![forbid(unsafe_code)]

mod circumstances;
mod covering;
mod decision;
mod error;
mod evaluate;
mod labels;
mod nesting;
mod organization;
mod parse;
mod policies;
mod reads;
mod recorded;
mod request;
mod session;
mod set;
mod source;
mod translate;
mod vocabulary;

pub use circumstances::{ContextError, parse_context};
pub use decision::{Decision, Denial, Explanation, Permit, Standing};
pub use error::{Finding, PolicyError};
pub use evaluate::Verdict;
pub use labels::LabelsRead;
pub use organization::OrganizationSet;
pub use policies::{Asked, Policies};
pub use recorded::{RecordedSet, RecordedSetError};
pub use request::{AccessRequest, Context, ContextValue, KeyFacts, Resource};
pub use session::Session;
pub use set::PolicySet;
pub use vocabulary::ResourceKind;

use reads::ContextRead;

#[cfg(test)]
mod mutations;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tables;
#[cfg(test)]
mod tests;
