//! What other officers do with an approval that was asked for: give it, or call it off.

use super::{Approvals, is_open};
use crate::{
    access::{Caller, Peer, Target, now, written},
    audit::{Draft, unavailable},
    changes::Begun,
    error::Error,
    model::{Action, Approval, OrganizationName, RequestId, Role},
    policy::Context,
    store::Row,
};
use chancery_api::reasons;
use chancery_audit::record::ResourceState;
use prost::Message;
use std::sync::Arc;

/// Which approval, as a request names it.
#[derive(Debug, Clone)]
pub struct ApprovalName {
    /// Whose.
    pub organization: OrganizationName,
    /// The last part of its name.
    pub id: String,
}

/// What is to be listed.
#[derive(Debug, Clone)]
pub struct Listing {
    /// Whose approvals.
    pub organization: OrganizationName,
    /// Closed and expired ones, too.
    pub all: bool,
    /// Those after this id.
    pub after: Option<String>,
    /// At most so many.
    pub limit: usize,
}

impl Approvals {
    /// Approves what another officer asked for.
    ///
    /// # Errors
    /// [`Error`]; `APPROVAL_NEEDED` for whoever asked for it, under this or another name.
    pub async fn approve(&self, peer: Arc<Peer>, name: ApprovalName, request: RequestId) -> Result<Approval, Error> {
        self.decide(peer, Action::ApproveOperation, name, request, |found, caller| {
            require_second(&found, caller)?;
            if let Some((approver, at)) = &found.approved {
                return Err(closed(format!("{} was approved by {approver} at {}", found.name(), written(*at))));
            }
            Ok(Approval { approved: Some((caller.principal().name.clone(), now())), ..found })
        })
        .await
    }

    /// Calls off what was asked for, approved or not.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn cancel(&self, peer: Arc<Peer>, name: ApprovalName, request: RequestId) -> Result<Approval, Error> {
        let edit = |found, _: &Caller| Ok(Approval { closed: true, ..found });
        self.decide(peer, Action::CancelApproval, name, request, edit).await
    }

    /// An organization's approvals, oldest first: those after the id `after`, at most `limit`; without `all` those alone
    /// that may still be used.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn list(&self, peer: &Arc<Peer>, listing: Listing) -> Result<Vec<Approval>, Error> {
        let Listing { organization, all, after, limit } = listing;
        let target = Target::Organization(organization.clone());
        let _granted = self.admission.admit(peer, Action::ListApprovals, target).await?;
        let (mut found, now) = (self.changes.directory().approvals(&organization), now());
        found.retain(|row| (all || is_open(row, now)) && after.as_ref().is_none_or(|after| row.id > *after));
        found.truncate(limit);
        Ok(found)
    }

    async fn decide(
        &self,
        peer: Arc<Peer>,
        action: Action,
        name: ApprovalName,
        request: RequestId,
        edit: impl FnOnce(Approval, &Caller) -> Result<Approval, Error>,
    ) -> Result<Approval, Error> {
        let ApprovalName { organization, id } = name;
        let caller = self.admission.identify(&peer, action).await?;
        let target = Target::Organization(organization.clone());
        let grant = self.admission.authorize(&caller, action, target, Context::new(), &request).await?;
        let change = match self.changes.begin(&caller.principal().name, action.as_str(), &request).await? {
            Begun::New(change) => change,
            Begun::Answered(answer) => {
                let replayed = self.admission.audit().append(Draft::replayed(&grant, &request)).await;
                replayed.map_err(|error| unavailable(&error))?;
                return first_answer(&answer);
            }
        };
        let _one = self.one.lock().await;
        let decided = || {
            // Another officer's registration may have changed while this waited.
            self.admission.access().recheck(&grant, None)?;
            let found = self.changes.directory().approval(&organization, &id);
            let found = found.ok_or_else(|| Error::NotFound(format!("{organization}/approvals/{id}")))?;
            if found.closed {
                return Err(closed(format!("{} was used or called off", found.name())));
            }
            if !is_open(&found, now()) {
                return Err(closed(format!("{} expired at {}", found.name(), written(found.expire_time))));
            }
            edit(found, &caller)
        };
        let row = match decided() {
            Ok(row) => row,
            Err(error) => {
                self.changes.abandon(change).await;
                return Err(error);
            }
        };
        let rows = vec![Row::Approval(row.clone())];
        let draft = Draft::outcome(&grant, &request).resource(&row.name()).states(&rows);
        let answer = rows[0].state().encode_to_vec();
        self.changes.finish(change, Some(draft), rows, answer).await?;
        tracing::info!(approval = row.name(), action = action.as_str(), "an approval was decided on");
        Ok(row)
    }
}

/// Four eyes: neither who asked, nor the same key under another name; and an officer, whatever the policies permit.
fn require_second(approval: &Approval, caller: &Caller) -> Result<(), Error> {
    let name = approval.name();
    let message = if caller.principal().name == approval.requester {
        format!("you asked for {name} yourself; another security officer approves it")
    } else if *caller.public_key_sha256() == approval.requester_key {
        format!("{name} was asked for with your public key; an officer with another one approves it")
    } else if caller.principal().role != Role::SecurityOfficer {
        format!("only a security officer approves {name}")
    } else {
        return Ok(());
    };
    Err(Error::Precondition { reason: reasons::APPROVAL_NEEDED, message })
}

fn closed(message: String) -> Error {
    Error::Precondition { reason: reasons::WRONG_STATE, message }
}

fn first_answer(answer: &[u8]) -> Result<Approval, Error> {
    let state = ResourceState::decode(answer).map_err(Error::internal)?;
    match Row::parse(&state).map_err(Error::internal)? {
        Row::Approval(row) => Ok(row),
        other => Err(Error::internal(format!("{} answers an approval", other.name()))),
    }
}
