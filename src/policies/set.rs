//! An organization's own policies, set by its officers.

use super::{PolicyDesk, parse};
use crate::{
    access::{Grant, Peer, Target, now},
    audit::{Draft, unavailable},
    changes::Begun,
    error::Error,
    model::{Action, OrganizationName, OrganizationPolicies, Registration, RequestId, Role},
    policy::{Context, OrganizationSet},
    store::Row,
};
use chancery_api::reasons;
use chancery_audit::record::ResourceState;
use prost::Message;
use std::sync::Arc;

/// A request to set an organization's own policies.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Whose.
    pub organization: OrganizationName,
    /// Cedar; empty: none.
    pub text: String,
    /// The organization's id once more.
    pub confirm: String,
}

/// Policies as a request left them.
#[derive(Debug, Clone)]
pub struct Set {
    /// The organization's own.
    pub own: OrganizationPolicies,
    /// Their hash; `None` without any.
    pub hash: Option<[u8; 32]>,
    /// The base set's hash.
    pub base_hash: [u8; 32],
}

/// What to do about policies that nobody could take back.
const WAY_BACK: &str = "leave SetPolicies and ApproveOperation out, e.g. with `unless { [Chancery::Action::\"SetPolicies\", \
                        Chancery::Action::\"ApproveOperation\"].contains(action) }`";

impl PolicyDesk {
    /// Only checks a text; what it would be.
    ///
    /// # Errors
    /// [`Error`]; `INVALID_POLICY` names each thing to correct.
    pub async fn check(&self, peer: &Arc<Peer>, setting: Setting) -> Result<Set, Error> {
        let Setting { organization, text, .. } = setting;
        let grant = self.admission.admit(peer, Action::SetPolicies, Target::Organization(organization.clone())).await?;
        let set = self.parse(grant.caller(), &organization, &text).await?;
        self.require_way_back(&grant, &set)?;
        Ok(self.answered(OrganizationPolicies { organization, text, update_time: 0 }, &set))
    }

    /// Puts an organization's own policies in the place of those before, at once.
    ///
    /// # Errors
    /// [`Error`]; `INVALID_POLICY` names each thing to correct, and those before stay.
    pub async fn set(&self, peer: Arc<Peer>, setting: Setting, request: RequestId) -> Result<Set, Error> {
        let Setting { organization, text, confirm } = setting;
        let action = Action::SetPolicies;
        let caller = self.admission.identify(&peer, action).await?;
        let target = Target::Organization(organization.clone());
        let grant = self.admission.authorize(&caller, action, target, Context::new(), &request).await?;
        let row = OrganizationPolicies { organization, text, update_time: now() };
        let set = self.parse(&caller, &row.organization, &row.text).await?;
        require_confirmed(&confirm, row.organization.id())?;
        let change = match self.changes.begin(&caller.principal().name, action.as_str(), &request).await? {
            Begun::New(change) => change,
            Begun::Answered(answer) => {
                let replayed = self.admission.audit().append(Draft::replayed(&grant, &request)).await;
                replayed.map_err(|error| unavailable(&error))?;
                let row = first_answer(&answer)?;
                let set = parse(row.organization.clone(), row.text.clone()).await?;
                return Ok(self.answered(row, &set));
            }
        };
        let _held = self.changes.hold_organizations().await;
        let prepared = async {
            // Decided once more while nobody else changes them: another change may just have ended.
            self.access().recheck(&grant, None)?;
            self.require_way_back(&grant, &set)?;
            let approval = self.approvals.require(&grant, &request, summary(&set)).await?;
            // Before it decides anything, its text stands in the log.
            let known = self.admission.audit().append(Draft::organization_policy_set(&set)).await;
            known.map_err(|error| unavailable(&error))?;
            Ok::<_, Error>(approval)
        };
        let approval = match prepared.await {
            Ok(approval) => approval,
            Err(error) => {
                self.changes.abandon(change).await;
                return Err(error);
            }
        };
        let rows: Vec<_> = std::iter::once(Row::Policies(row.clone())).chain(approval).collect();
        let answer = rows[0].state().encode_to_vec();
        let outcome = Draft::outcome(&grant, &request).resource(&row.name()).states(&rows);
        self.changes.finish(change, Some(outcome), rows, answer).await?;
        tracing::info!(organization = %row.organization, hash = hex::encode(set.hash()), "an organization's policies were set");
        self.access().set_organization(Arc::clone(&set));
        Ok(self.answered(row, &set))
    }

    /// Refuses what would deny its own officer to set policies again: nobody could take it back.
    fn require_way_back(&self, grant: &Grant, set: &Arc<OrganizationSet>) -> Result<(), Error> {
        let explained = self.access().policies().with_organization(Arc::clone(set)).explain(grant.permit().request());
        if explained.permitted() {
            return self.require_approver(grant, set);
        }
        let by = explained.policies.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>().join(", ");
        let finding = format!("under these you could not set policies again ({by}: {}); {WAY_BACK}", explained.verdict);
        Err(Error::InvalidPolicies { field: "text", findings: vec![finding] })
    }

    /// Refuses what would deny every other security officer to approve: with two needed, nobody could take it back.
    fn require_approver(&self, grant: &Grant, set: &Arc<OrganizationSet>) -> Result<(), Error> {
        let (policies, directory) =
            (self.access().policies().with_organization(Arc::clone(set)), self.access().directory());
        let asked = grant.permit().request();
        let mut others = directory.bearers(set.organization(), Role::SecurityOfficer);
        others.retain(|other| other.name != asked.principal.name && !directory.member(&other.name).suspended);
        let approves = |other: &Registration| {
            let mut request = asked.clone();
            request.groups = directory.groups_of(&other.name);
            request.principal.name = other.name.clone();
            request.principal.role = other.role;
            request.action = Action::ApproveOperation;
            policies.explain(&request).permitted()
        };
        if others.is_empty() || others.iter().any(approves) {
            return Ok(());
        }
        let finding =
            format!("under these no other security officer could approve that policies are set again; {WAY_BACK}");
        Err(Error::InvalidPolicies { field: "text", findings: vec![finding] })
    }

    /// With the hashes of what is in force.
    fn answered(&self, own: OrganizationPolicies, set: &OrganizationSet) -> Set {
        let hash = (!own.text.is_empty()).then(|| set.hash());
        Set { own, hash, base_hash: self.access().policies().base().hash() }
    }
}

fn require_confirmed(given: &str, id: &str) -> Result<(), Error> {
    match given {
        "" => Err(Error::Precondition {
            reason: reasons::CONFIRMATION_NEEDED,
            message: format!("this may stop members or let them do more, at once: repeat `{id}` in `confirm`"),
        }),
        given if given != id => Err(Error::invalid("confirm", format!("`{id}` is to be changed; name that"))),
        _ => Ok(()),
    }
}

fn summary(set: &OrganizationSet) -> String {
    let organization = set.organization();
    match set.text().len() {
        0 => format!("leave {organization} without policies of its own"),
        bytes => format!("set the policies of {organization}: {bytes} bytes, hash {}", hex::encode(set.hash())),
    }
}

fn first_answer(answer: &[u8]) -> Result<OrganizationPolicies, Error> {
    let state = ResourceState::decode(answer).map_err(Error::internal)?;
    match Row::parse(&state).map_err(Error::internal)? {
        Row::Policies(row) => Ok(row),
        other => Err(Error::internal(format!("{} answers policies", other.name()))),
    }
}
