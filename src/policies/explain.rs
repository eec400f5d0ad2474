//! What the policies say of one request, and which of them: with the facts of key, organization and groups as they are.
//!
//! **Not here**: a permit. Nothing can be done with an explanation.

use super::PolicyDesk;
use crate::{
    access::{Peer, Target},
    error::Error,
    model::{Action, KeyOrVersionName, OrganizationName, Principal, PrincipalName, Role},
    policy::{Explanation, ResourceKind, parse_context},
};
use std::{collections::BTreeMap, sync::Arc};

/// What might be asked for.
#[derive(Debug, Clone)]
pub struct Question {
    /// By whom. Nobody of that name need exist.
    pub principal: PrincipalName,
    /// As what; `None`: as it is registered.
    pub role: Option<Role>,
    /// What for.
    pub action: Action,
    /// An organization, key or key version, by its full name.
    pub resource: String,
    /// Circumstances by their names in the schema, as text.
    pub context: BTreeMap<String, String>,
}

impl PolicyDesk {
    /// Explains what would be decided, to who may know: the policies asked are those of the resource's organization.
    ///
    /// # Errors
    /// [`Error`]; for missing circumstances it says which the action needs.
    pub async fn explain(&self, peer: &Arc<Peer>, question: Question) -> Result<Explanation, Error> {
        let Question { principal, role, action, resource, context } = question;
        let target = target(action, &resource)?;
        let organization = match &target {
            Target::Organization(name) | Target::Log(name) => name.clone(),
            Target::Key(name) => name.key().organization().clone(),
            Target::Deployment => parse_organization(&resource)?,
        };
        let asked = Target::Organization(organization.clone());
        let grant = self.admission.admit(peer, Action::ExplainDecision, asked).await?;
        if matches!(target, Target::Deployment) && self.changes.directory().operator().as_ref() != Some(&organization) {
            return Err(Error::invalid("resource", format!("{organization} does not run the service")));
        }
        let role = match role {
            Some(role) => role,
            None => self.registered_role(&principal, &organization)?,
        };
        let texts = context.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        let described = parse_context(action, texts, grant.caller().session());
        let (context, session) = described.map_err(|error| Error::invalid("context", error))?;
        let principal = Principal { name: principal, role, certificate_fingerprint: [0; 32] };
        let request = self.access().describe(principal, action, &target, context, session);
        Ok(self.access().policies().explain(&request))
    }

    /// The role that a member is registered with. Of other organizations' members nothing is looked up.
    fn registered_role(&self, principal: &PrincipalName, of: &OrganizationName) -> Result<Role, Error> {
        let registered = (principal.organization() == of).then(|| self.changes.directory().registration(principal));
        let role = registered.flatten().filter(|row| !row.public_keys_sha256.is_empty()).map(|row| row.role);
        role.ok_or_else(|| Error::invalid("role", format!("{principal} is not registered in {of}: name its role")))
    }
}

/// What `action` is asked on, by its name.
fn target(action: Action, resource: &str) -> Result<Target, Error> {
    Ok(match ResourceKind::of(action) {
        ResourceKind::Organization => Target::Organization(parse_organization(resource)?),
        ResourceKind::Log => Target::Log(parse_organization(resource)?),
        ResourceKind::Deployment => Target::Deployment,
        ResourceKind::Key => Target::Key(
            resource
                .parse::<KeyOrVersionName>()
                .map_err(|error| Error::invalid("resource", format!("{action}: {error}")))?,
        ),
    })
}

fn parse_organization(resource: &str) -> Result<OrganizationName, Error> {
    resource.parse().map_err(|error| Error::invalid("resource", error))
}
