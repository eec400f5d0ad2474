//! The two answers: proofs that a request was, or was not, permitted.

use super::{AccessRequest, Context, ContextRead, Session, Verdict, circumstances};
use chancery_model::Principal;
use std::{fmt, ops::Deref, sync::Arc};

/// What was decided, and how. Boxed in both answers: they are moved through the whole path of a request.
#[derive(Debug)]
pub struct Decision {
    pub(super) request: AccessRequest,
    pub(super) policy_ids: Arc<[String]>,
    pub(super) base_hash: [u8; 32],
    pub(super) organization_hash: Option<[u8; 32]>,
    pub(super) evaluation_errors: Vec<String>,
    pub(super) reads: ContextRead,
}

impl Decision {
    /// What was asked.
    pub fn request(&self) -> &AccessRequest {
        &self.request
    }

    /// `@id` of every policy that decided, sorted. Of a permit: every permit that matched, at least one. Of a denial:
    /// every forbid that matched and every policy that could not be evaluated; none when merely nothing permitted the
    /// request. Of an organization's own policies they are `{organization id}/{id}`.
    pub fn policy_ids(&self) -> &[String] {
        &self.policy_ids
    }

    /// [`super::PolicySet::hash`] of the base set that decided.
    pub fn policy_set_hash(&self) -> &[u8; 32] {
        &self.base_hash
    }

    /// [`super::OrganizationSet::hash`] of the organization's own policies that were asked, if there were any.
    pub fn organization_policy_set_hash(&self) -> Option<&[u8; 32]> {
        self.organization_hash.as_ref()
    }

    /// Names and values for the record: the action's circumstances, and of the session what the policies that were
    /// asked can read.
    pub fn recorded_context(&self) -> impl Iterator<Item = (&'static str, String)> {
        let AccessRequest { context, session, .. } = &self.request;
        let read = self.reads.attributes().map(|attribute| (attribute.name(), session.text(attribute)));
        context.iter().chain(read)
    }

    /// Whether another session, such as one a moment later, could be decided otherwise by the same policies.
    pub fn reads_session(&self) -> bool {
        self.reads.reads_session()
    }

    /// Why policies could not be evaluated: a defect of a policy, or of the service where it did not describe the
    /// request in the schema's words. For operators, not for the caller.
    pub fn evaluation_errors(&self) -> &[String] {
        &self.evaluation_errors
    }

    /// The same of another context.
    fn again(&self, context: Context, session: Session) -> Self {
        let AccessRequest { principal, groups, action, resource, .. } = &self.request;
        Self {
            request: AccessRequest {
                principal: principal.clone(),
                groups: groups.clone(),
                action: *action,
                resource: resource.clone(),
                context,
                session,
            },
            policy_ids: Arc::clone(&self.policy_ids),
            base_hash: self.base_hash,
            organization_hash: self.organization_hash,
            evaluation_errors: Vec::new(),
            reads: self.reads,
        }
    }
}

/// Proof that the policies permitted one request. It can't be made, copied or kept outside this module: whoever holds
/// one was permitted exactly what [`Decision::request`] says.
#[must_use = "a permit is for one operation: perform it or give it up"]
#[derive(Debug)]
pub struct Permit(Box<Decision>);

/// Proof that the policies denied one request, to be recorded.
#[must_use = "a denial is recorded"]
#[derive(Debug)]
pub struct Denial(Box<Decision>);

/// What was permitted whatever the circumstances: no policy that was asked reads them. It holds while principal,
/// resource and policies are the same, which is for its keeper to see.
#[derive(Debug)]
pub struct Standing(Decision);

/// An answer with its reasons, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// What was decided, and on what grounds.
    pub verdict: Verdict,
    /// `@id` and text of every policy that decided, by id: as [`Decision::policy_ids`].
    pub policies: Vec<(String, String)>,
    /// As [`Decision::evaluation_errors`].
    pub evaluation_errors: Vec<String>,
    /// As [`Decision::policy_set_hash`].
    pub policy_set_hash: [u8; 32],
    /// As [`Decision::organization_policy_set_hash`].
    pub organization_policy_set_hash: Option<[u8; 32]>,
}

impl Permit {
    pub(super) fn new(decision: Decision) -> Self {
        Self(Box::new(decision))
    }

    /// What can be permitted again without asking; `None` where a policy reads the context.
    pub fn standing(&self) -> Option<Standing> {
        self.0.reads.is_nothing().then(|| Standing(self.0.again(Context::new(), self.0.request.session)))
    }
}

impl Standing {
    /// Permits it under these circumstances.
    ///
    /// # Errors
    /// The circumstances, where they are not described in the schema's words.
    pub fn permit(&self, context: Context, session: Session) -> Result<Permit, Context> {
        match circumstances::check(self.0.request.action, &context) {
            Ok(()) => Ok(Permit::new(self.0.again(context, session))),
            Err(_) => Err(context),
        }
    }

    /// Who was permitted.
    pub fn principal(&self) -> &Principal {
        &self.0.request.principal
    }
}

impl Denial {
    pub(super) fn new(decision: Decision) -> Self {
        Self(Box::new(decision))
    }
}

impl Deref for Permit {
    type Target = Decision;

    fn deref(&self) -> &Decision {
        &self.0
    }
}

impl Deref for Denial {
    type Target = Decision;

    fn deref(&self) -> &Decision {
        &self.0
    }
}

impl Explanation {
    /// Whether it is permitted.
    pub fn permitted(&self) -> bool {
        self.verdict == Verdict::Permitted
    }
}

/// As people read it.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Permitted => "permitted",
            Self::Forbidden => "forbidden",
            Self::Default => "nothing permits it",
            Self::Error => "a policy can't be evaluated",
        })
    }
}
