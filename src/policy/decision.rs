//! The two answers: proofs that a request was, or was not, permitted.

use super::AccessRequest;
use std::sync::Arc;

/// What both answers carry. Boxed in them: they are moved through the whole path of a request.
#[derive(Debug)]
pub(super) struct Decided {
    pub(super) request: AccessRequest,
    pub(super) policy_ids: Arc<[String]>,
    pub(super) policy_set_hash: [u8; 32],
    pub(super) evaluation_errors: Vec<String>,
}

/// Proof that the policies permitted one request. It can't be made, copied or kept outside this module: whoever holds
/// one was permitted exactly what [`Permit::request`] says.
#[must_use = "a permit is for one operation: perform it or give it up"]
#[derive(Debug)]
pub struct Permit(Box<Decided>);

/// Proof that the policies denied one request, to be recorded.
#[must_use = "a denial is recorded"]
#[derive(Debug)]
pub struct Denial(Box<Decided>);

impl Permit {
    pub(super) fn new(decided: Decided) -> Self {
        Self(Box::new(decided))
    }

    /// What was permitted.
    pub fn request(&self) -> &AccessRequest {
        &self.0.request
    }

    /// `@id` of every permit that matched, sorted; at least one.
    pub fn policy_ids(&self) -> &[String] {
        &self.0.policy_ids
    }

    /// [`super::PolicySet::hash`] of the set that decided.
    pub fn policy_set_hash(&self) -> &[u8; 32] {
        &self.0.policy_set_hash
    }
}

impl Denial {
    pub(super) fn new(decided: Decided) -> Self {
        Self(Box::new(decided))
    }

    /// What was denied.
    pub fn request(&self) -> &AccessRequest {
        &self.0.request
    }

    /// `@id` of every forbid that matched and of every policy that could not be evaluated, sorted; none when merely
    /// nothing permitted the request.
    pub fn policy_ids(&self) -> &[String] {
        &self.0.policy_ids
    }

    /// [`super::PolicySet::hash`] of the set that decided.
    pub fn policy_set_hash(&self) -> &[u8; 32] {
        &self.0.policy_set_hash
    }

    /// Why policies could not be evaluated: a defect of a policy, or of the service where it did not describe the
    /// request in the schema's words. For operators, not for the caller.
    pub fn evaluation_errors(&self) -> &[String] {
        &self.0.evaluation_errors
    }
}
