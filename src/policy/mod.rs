//! May this principal do this to that resource? Cedar policies and their schema → [`Permit`] or [`Denial`].
//!
//! **Invariants**
//! * Nothing is permitted but by a policy that says so; one forbid, or one policy that could not be evaluated, denies.
//! * A [`Permit`] comes from [`PolicySet::authorize`] alone, answers one request, and is moved, never copied.
//! * A policy set is whole: every file parsed and validated against the schema of this version, or none used.
//! * A request is described in the schema's words or denied; the same steps are taken whether a key exists or not.
//!
//! **Not here**: who the principal is (`grpc`), whether the key's state, algorithm and length allow the operation
//! (`signing`), budgets and quotas, recording (`audit`). The policies themselves are in policies/, with the decision
//! tables that hold them.

mod decision;
mod error;
mod labels;
mod memo;
mod parse;
mod request;
mod set;
mod source;
mod translate;
mod vocabulary;

pub use decision::{Denial, Permit};
pub use error::{Finding, PolicyError};
pub use labels::LabelsRead;
pub use request::{AccessRequest, Context, ContextValue, KeyFacts, Resource};
pub use set::PolicySet;

#[cfg(test)]
mod mutations;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tables;
#[cfg(test)]
mod tests;
