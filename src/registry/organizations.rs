//! Organizations: made by the platform operator, and from then on their officers' own.

use super::{Asked, Edit, NewAnchor, NewPrincipal, Registrar, anchors::MOST_ANCHORS, refused, require_confirmed};
use crate::{
    access::{Peer, Target, now},
    error::Error,
    identity::{CertificateDer, Registry, UnixTime},
    model::{Action, Organization, OrganizationName, PrincipalName, Registration, RequestId, Role},
    store::Row,
};
use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};

/// Principals that an organization may begin with.
const MOST_PRINCIPALS: usize = 100;

/// An organization to be made.
#[derive(Debug, Clone)]
pub struct NewOrganization {
    /// Its name.
    pub name: OrganizationName,
    /// Roles whose holders may create signing keys that they own.
    pub enrolling_roles: Vec<Role>,
    /// Its first trust anchors.
    pub anchors: Vec<NewAnchor>,
    /// Its first officers, and whom else it begins with.
    pub principals: Vec<NewPrincipal>,
}

/// What is to change of an organization; what is `None` stays.
#[derive(Debug, Clone)]
pub struct OrganizationUpdate {
    /// Of which.
    pub name: OrganizationName,
    /// Roles whose holders may create signing keys that they own.
    pub enrolling_roles: Option<Vec<Role>>,
    /// A new public key under a known node's name waits for an officer.
    pub pin_strict: Option<bool>,
    /// A revocation list past its next update still lets its anchor's other certificates in.
    pub accept_expired_crl: Option<bool>,
    /// The organization's id once more.
    pub confirm: String,
}

impl Registrar {
    /// Makes an organization whose officers can log in at once. One that exists is not touched.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn create_organization(
        &self,
        peer: Arc<Peer>,
        new: NewOrganization,
        request: RequestId,
    ) -> Result<Organization, Error> {
        let asked = Asked { action: Action::CreateOrganization, target: Target::Deployment, request, field: "anchors" };
        let row = self.change(&peer, asked, |_| {
            if self.directory().organization(&new.name).is_some() {
                return Err(Error::AlreadyExists(new.name.to_string()));
            }
            self.created(new)
        });
        organization(row.await?)
    }

    fn created(&self, new: NewOrganization) -> Result<Edit, Error> {
        let NewOrganization { name, enrolling_roles, anchors, principals } = new;
        if anchors.is_empty() || anchors.len() > MOST_ANCHORS {
            return Err(Error::invalid("anchors", format!("1 to {MOST_ANCHORS} expected")));
        }
        if principals.len() > MOST_PRINCIPALS {
            return Err(Error::invalid("principals", format!("at most {MOST_PRINCIPALS}; register the others later")));
        }
        require_roles(&principals)?;
        let organization = Row::Organization(Organization::new(name.clone(), distinct(enrolling_roles), now()));
        let mut rows = vec![organization.clone()];
        for anchor in anchors {
            rows.push(Row::Anchor(anchor.of(&name, "anchors.certificate")?));
        }
        let (mut registrations, mut certificates) = (BTreeMap::<PrincipalName, Registration>::new(), Vec::new());
        for principal in &principals {
            let (row, certificate) = principal.of(&name, "principals.certificate")?;
            certificates.push((row.name.clone(), row.role, certificate));
            match registrations.entry(row.name.clone()) {
                Entry::Vacant(free) => _ = free.insert(row),
                Entry::Occupied(mut known) if known.get().role == row.role => {
                    known.get_mut().public_keys_sha256.extend(row.public_keys_sha256);
                }
                Entry::Occupied(_) => {
                    let why = format!("{} has two roles; a principal has one", row.name);
                    return Err(Error::invalid("principals.role", why));
                }
            }
        }
        rows.extend(registrations.into_values().map(Row::Registration));
        let registry = self.directory().with(&rows).map_err(|error| refused("anchors", &error))?;
        for (name, role, certificate) in certificates {
            self.require_let_in(&registry, &name, role, certificate)?;
        }
        Ok(Edit { answer: organization, rows, dangerous: None })
    }

    /// Refuses a principal that could not log in as what it is to be: nobody else could help the organization then.
    fn require_let_in(
        &self,
        registry: &Registry,
        name: &PrincipalName,
        role: Role,
        certificate: Vec<u8>,
    ) -> Result<(), Error> {
        let chain = [CertificateDer::from(certificate)];
        match registry.identify(&chain, UnixTime::now(), &|key| self.directory().holds(key)) {
            Ok(found) if found.principal.name == *name && found.principal.role == role => Ok(()),
            Ok(_) => Err(Error::invalid("principals", format!("{name} would be let in as someone else"))),
            Err(error) => Err(Error::invalid("principals", format!("{name} could not log in: {error}"))),
        }
    }

    /// One organization.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn organization(&self, peer: &Arc<Peer>, name: &OrganizationName) -> Result<Organization, Error> {
        let _grant = self.admit(peer, Action::GetOrganization, Target::Organization(name.clone())).await?;
        self.directory().organization(name).ok_or_else(|| Error::NotFound(name.to_string()))
    }

    /// The next organizations' names after `after`, for the platform operator, and whether there are more.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn organizations(
        &self,
        peer: &Arc<Peer>,
        after: Option<&OrganizationName>,
        limit: usize,
    ) -> Result<(Vec<OrganizationName>, bool), Error> {
        let _grant = self.admit(peer, Action::ListOrganizations, Target::Deployment).await?;
        let all = self.directory().organizations().into_iter().map(|found| found.name);
        let mut names: Vec<_> = all.filter(|name| after.is_none_or(|after| name > after)).take(limit + 1).collect();
        let more = names.len() > limit;
        names.truncate(limit);
        Ok((names, more))
    }

    /// Changes what an organization's officers say of it as a whole.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn update_organization(
        &self,
        peer: Arc<Peer>,
        update: OrganizationUpdate,
        request: RequestId,
    ) -> Result<Organization, Error> {
        let target = Target::Organization(update.name.clone());
        let asked = Asked { action: Action::UpdateOrganization, target, request, field: "name" };
        let row = self.change(&peer, asked, |grant| {
            let OrganizationUpdate { name, enrolling_roles, pin_strict, accept_expired_crl, confirm } = update;
            let before = self.directory().organization(&name).ok_or_else(|| Error::NotFound(name.to_string()))?;
            require_confirmed(&confirm, name.id())?;
            let after = Organization {
                enrolling_roles: enrolling_roles.map_or_else(|| before.enrolling_roles.clone(), distinct),
                pin_strict: pin_strict.unwrap_or(before.pin_strict),
                accept_expired_crl: accept_expired_crl.unwrap_or(before.accept_expired_crl),
                ..before.clone()
            };
            if after == before {
                return Ok(Edit { answer: Row::Organization(after), rows: Vec::new(), dangerous: None });
            }
            let summary = summary(&before, &after);
            let answer = Row::Organization(after);
            self.require_caller_stays(grant, "accept_expired_crl", std::slice::from_ref(&answer))?;
            Ok(Edit { rows: vec![answer.clone()], answer, dangerous: Some(summary) })
        });
        organization(row.await?)
    }
}

fn organization(row: Row) -> Result<Organization, Error> {
    match row {
        Row::Organization(row) => Ok(row),
        other => Err(Error::internal(format!("{} is no organization", other.name()))),
    }
}

/// Refuses an organization without an officer, and roles that no organization but the operator's has.
fn require_roles(principals: &[NewPrincipal]) -> Result<(), Error> {
    let role = |wanted| principals.iter().any(|principal| principal.role == wanted);
    if role(Role::PlatformOperator) {
        let why = "platform-operator is a role of the organization that runs the service alone";
        return Err(Error::invalid("principals.role", why));
    }
    if !role(Role::SecurityOfficer) {
        let why = "at least one security-officer: without, nobody could change the organization any more";
        return Err(Error::invalid("principals", why));
    }
    Ok(())
}

fn distinct(mut roles: Vec<Role>) -> Vec<Role> {
    roles.sort();
    roles.dedup();
    roles
}

/// What an update changes, for the officer who approves it.
fn summary(before: &Organization, after: &Organization) -> String {
    let roles = |of: &Organization| of.enrolling_roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(", ");
    let mut changes = Vec::new();
    if before.enrolling_roles != after.enrolling_roles {
        changes.push(format!("enrolling_roles from [{}] to [{}]", roles(before), roles(after)));
    }
    for (what, before, after) in [
        ("pin_strict", before.pin_strict, after.pin_strict),
        ("accept_expired_crl", before.accept_expired_crl, after.accept_expired_crl),
    ] {
        if before != after {
            changes.push(format!("{what} from {before} to {after}"));
        }
    }
    format!("changes {}: {}", after.name, changes.join("; "))
}
