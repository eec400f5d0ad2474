//! What officers say that their organization, its members and its keys may use.
//!
//! **Invariant**: a limit is in force from its record on. One may be set for a key or a principal that does not exist.
//!
//! **Not here**: keeping to them (`limits`).

use crate::{
    access::{Peer, Target},
    admission::Admission,
    audit::{Draft, unavailable},
    changes::{Begun, Changes},
    error::Error,
    limits::Uses,
    model::{Action, Limit, LimitSubject, OrganizationName, RequestId},
    policy::Context,
    store::Row,
};
use chancery_audit::record::ResourceState;
use prost::Message;
use std::sync::Arc;

/// See the module.
pub struct Limiting {
    admission: Arc<Admission>,
    changes: Arc<Changes>,
}

/// Which limits to list.
#[derive(Debug, Clone)]
pub struct Listing {
    /// Whose.
    pub organization: OrganizationName,
    /// Those after this subject's.
    pub after: Option<LimitSubject>,
    /// At most so many.
    pub limit: usize,
}

impl Limiting {
    /// Over the admitted and the changes.
    pub fn new(admission: Arc<Admission>, changes: Arc<Changes>) -> Self {
        Self { admission, changes }
    }

    /// Puts a limit in the place of the subject's last one.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn set(&self, peer: Arc<Peer>, limit: Limit, request: RequestId) -> Result<(Limit, Uses), Error> {
        let action = Action::SetLimit;
        let caller = self.admission.identify(&peer, action).await?;
        let target = Target::Organization(limit.subject.organization().clone());
        let grant = self.admission.authorize(&caller, action, target, Context::new(), &request).await?;
        let change = match self.changes.begin(&caller.principal().name, action.as_str(), &request).await? {
            Begun::New(change) => change,
            Begun::Answered(answer) => {
                let draft = Draft::replayed(&grant, &request).resource(&limit.subject);
                self.admission.audit().append(draft).await.map_err(|error| unavailable(&error))?;
                return first_answer(&answer).map(|first| self.with_uses(first));
            }
        };
        let row = Row::Limit(limit.clone());
        let answer = row.state().encode_to_vec();
        let rows = vec![row];
        let outcome = Draft::outcome(&grant, &request).resource(&limit.subject).states(&rows);
        self.changes.finish(change, Some(outcome), rows, answer).await?;
        Ok(self.with_uses(limit))
    }

    /// An organization's limits, by subject, and what was used of them; and the subject to go on after, if there are more.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn list(
        &self,
        peer: &Arc<Peer>,
        listing: Listing,
    ) -> Result<(Vec<(Limit, Uses)>, Option<LimitSubject>), Error> {
        let Listing { organization, after, limit: most } = listing;
        let target = Target::Organization(organization.clone());
        let _granted = self.admission.admit(peer, Action::ListLimits, target).await?;
        let mut found = self.changes.directory().limits(&organization, after.as_ref(), most + 1);
        let more = found.len() > most;
        found.truncate(most);
        let next = found.last().filter(|_| more).map(|limit| limit.subject.clone());
        Ok((found.into_iter().map(|limit| self.with_uses(limit)).collect(), next))
    }

    fn with_uses(&self, limit: Limit) -> (Limit, Uses) {
        let uses = self.admission.limits().uses(&limit.subject);
        (limit, uses)
    }
}

/// The limit as the request set it, whatever became of it since.
fn first_answer(answer: &[u8]) -> Result<Limit, Error> {
    let state = ResourceState::decode(answer).map_err(Error::internal)?;
    match Row::parse(&state).map_err(Error::internal)? {
        Row::Limit(limit) => Ok(limit),
        _ => Err(Error::internal("the answer of another method")),
    }
}
