//! Asking Cedar, and what its answers come to.
//!
//! **Invariant**: base and own policies are one to the decision: any forbid of either denies, and so does any policy
//! that could not be evaluated. Cedar would skip such a policy, so that a forbid which errs would allow.

use super::{AccessRequest, covering::Covering, translate::translate};
use cedar_policy::{AuthorizationError, Authorizer, Decision};

/// Why a request was permitted or denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// A policy permits it, and none forbids it.
    Permitted,
    /// A policy forbids it.
    Forbidden,
    /// No policy permits it.
    Default,
    /// A policy could not be evaluated, or the request is not described in the schema's words.
    Error,
}

/// An answer before it is bound to its request.
pub(super) struct Answer {
    pub(super) verdict: Verdict,
    /// Of the policies that decided, sorted.
    pub(super) policy_ids: Vec<String>,
    pub(super) evaluation_errors: Vec<String>,
}

/// Asks every policy of these that may cover the request. The same steps are taken whether a key exists or not.
pub(super) fn evaluate<'a>(request: &AccessRequest, policies: impl IntoIterator<Item = &'a Covering>) -> Answer {
    let (cedar_request, entities) = match translate(request) {
        Ok(translated) => translated,
        Err(error) => {
            let evaluation_errors = vec![error.to_string()];
            return Answer { verdict: Verdict::Error, policy_ids: vec![], evaluation_errors };
        }
    };
    let authorizer = Authorizer::new();
    let (mut permits, mut decided) = (Vec::new(), Vec::new());
    let (mut forbidden, mut evaluation_errors) = (false, Vec::new());
    let sets = policies.into_iter().flat_map(|covering| covering.of(request.action));
    for set in sets.filter(|set| !set.is_empty()) {
        let response = authorizer.is_authorized(&cedar_request, set, &entities);
        for error in response.diagnostics().errors() {
            let AuthorizationError::PolicyEvaluationError(inner) = error;
            decided.push(inner.policy_id().to_string());
            evaluation_errors.push(error.to_string());
        }
        let reasons = response.diagnostics().reason().map(ToString::to_string);
        match response.decision() {
            Decision::Allow => permits.extend(reasons),
            Decision::Deny => {
                let before = decided.len();
                decided.extend(reasons);
                forbidden |= decided.len() > before;
            }
        }
    }
    let verdict = match () {
        () if !evaluation_errors.is_empty() => Verdict::Error,
        () if forbidden => Verdict::Forbidden,
        // What permits did not decide where something denies.
        () if permits.is_empty() => Verdict::Default,
        () => {
            decided = permits;
            Verdict::Permitted
        }
    };
    decided.sort_unstable();
    Answer { verdict, policy_ids: decided, evaluation_errors }
}
