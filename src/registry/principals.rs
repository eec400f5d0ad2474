//! Principals whose public keys are registered.
//!
//! **Invariants**: a name has one role while it has a key, and a key is one principal's. An organization that has a
//! security officer keeps one that is not suspended.

use super::{Asked, Edit, NewPrincipal, Registrar, require_confirmed};
use crate::{
    access::{Peer, Target},
    directory::{Directory, Member},
    error::Error,
    model::{Action, OrganizationName, PrincipalName, Registration, RequestId, Role},
    policy::Context,
    store::Row,
};
use chancery_api::reasons;
use std::sync::Arc;

/// Public keys of a principal: enough for one to follow another on several machines.
const KEYS_PER_PRINCIPAL: usize = 4;

/// Whom to take a registration from.
#[derive(Debug, Clone)]
pub struct Unregistration {
    /// Whom.
    pub name: PrincipalName,
    /// SHA-256 of the SubjectPublicKeyInfo that is taken away; `None`: all of them.
    pub public_key_sha256: Option<[u8; 32]>,
    /// The last part of the name once more.
    pub confirm: String,
}

/// What to list of an organization.
#[derive(Debug, Clone)]
pub struct Listing {
    /// Whose.
    pub organization: OrganizationName,
    /// Those after this one: the last part of its name.
    pub after: Option<String>,
    /// The most on a page.
    pub limit: usize,
}

impl Registrar {
    /// Gives the name in a certificate a role, by pinning the certificate's public key.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn register_principal(
        &self,
        peer: &Arc<Peer>,
        organization: OrganizationName,
        given: NewPrincipal,
        confirm: String,
        request: RequestId,
    ) -> Result<Member, Error> {
        let (new, _) = given.of(&organization, "principal.certificate")?;
        let context = Context::new().text("name", new.name.id()).text("role", new.role.as_str());
        let asked = Asked {
            action: Action::RegisterPrincipal,
            target: Target::Organization(organization),
            request,
            field: "principal.certificate",
        };
        let edit = move |_: &_| {
            require_confirmed(&confirm, new.name.id())?;
            registered(self.directory(), new)
        };
        self.change_in(peer, asked, context, edit).await.and_then(|row| self.as_member(row))
    }

    /// Takes one public key, or all, from a registration.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn unregister_principal(
        &self,
        peer: &Arc<Peer>,
        given: Unregistration,
        request: RequestId,
    ) -> Result<Member, Error> {
        let asked = Asked {
            action: Action::UnregisterPrincipal,
            target: Target::Organization(given.name.organization().clone()),
            request,
            field: "name",
        };
        let edit = move |_: &_| {
            require_confirmed(&given.confirm, given.name.id())?;
            unregistered(self.directory(), &given)
        };
        self.change(peer, asked, edit).await.and_then(|row| self.as_member(row))
    }

    /// Registered principals and nodes that were seen, by name; and where to go on.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn principals(&self, peer: &Arc<Peer>, listing: Listing) -> Result<(Vec<Member>, Option<String>), Error> {
        let Listing { organization, after, limit } = listing;
        let after = after.map(|id| organization.principal(&id)).transpose();
        let after = after.map_err(|_| Error::invalid("page_token", "not one that was given"))?;
        let target = Target::Organization(organization.clone());
        let _permitted = self.admit(peer, Action::ListPrincipals, target).await?;
        let found = self.directory().members(&organization, after.as_ref(), limit + 1);
        Ok(page(found, limit, |member| member.name.id().to_owned()))
    }

    /// A registration or a node that changed, with what else is known of it.
    pub(super) fn as_member(&self, row: Row) -> Result<Member, Error> {
        let of = |name: &PrincipalName| {
            let suspended = self.directory().member(name).suspended;
            Member { name: name.clone(), registration: None, node: None, suspended }
        };
        match row {
            Row::Registration(row) => Ok(Member { registration: Some(row.clone()), ..of(&row.name) }),
            Row::Node(row) => Ok(Member { node: Some(row.clone()), ..of(&row.principal) }),
            other => Err(Error::internal(format!("{} is no member", other.name()))),
        }
    }
}

/// The first `limit` of what was found, and the id of the last if there are more.
pub(super) fn page<T>(mut found: Vec<T>, limit: usize, id: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(id);
    (found, next)
}

fn wrong_state(message: String) -> Error {
    Error::Precondition { reason: reasons::WRONG_STATE, message }
}

fn registered(directory: &Directory, new: Registration) -> Result<Edit, Error> {
    let Registration { name, role, public_keys_sha256: new_keys } = new;
    if role == Role::PlatformOperator && directory.operator().as_ref() != Some(name.organization()) {
        let why = "only the organization that runs the service has platform operators";
        return Err(Error::invalid("principal.role", why));
    }
    if new_keys.iter().any(|key| directory.holds(key)) {
        return Err(Error::Precondition {
            reason: reasons::KEY_HELD_HERE,
            message: "the certificate's public key is kept by this service, whose callers could log in as its holder; \
                      register a key of the principal's own"
                .into(),
        });
    }
    let before = directory.registration(&name).filter(|before| !before.public_keys_sha256.is_empty());
    let mut keys = match before {
        Some(before) if before.role != role => {
            let why = format!("{name} is registered as {}, and a principal has one role", before.role);
            return Err(Error::invalid("principal.role", why));
        }
        Some(before) => before.public_keys_sha256,
        None => Vec::new(),
    };
    let known = keys.len();
    keys.extend(new_keys.iter().filter(|key| !keys.contains(key)).copied().collect::<Vec<_>>());
    let changed = keys.len() > known;
    if changed && keys.len() > KEYS_PER_PRINCIPAL {
        return Err(wrong_state(format!("{name} has {known} public keys; unregister one first")));
    }
    let new_keys: Vec<_> = new_keys.iter().map(hex::encode).collect();
    let dangerous = changed.then(|| format!("register {name} as {role} with public key {}", new_keys.join(", ")));
    let row = Row::Registration(Registration { name, role, public_keys_sha256: keys });
    Ok(Edit { rows: changed.then(|| row.clone()).into_iter().collect(), answer: row, dangerous })
}

fn unregistered(directory: &Directory, given: &Unregistration) -> Result<Edit, Error> {
    let name = &given.name;
    let before = directory.registration(name).filter(|before| !before.public_keys_sha256.is_empty());
    let before = before.ok_or_else(|| Error::NotFound(format!("a registration of {name}")))?;
    let mut left = before.public_keys_sha256.clone();
    left.retain(|key| given.public_key_sha256.is_some_and(|gone| gone != *key));
    if left.len() == before.public_keys_sha256.len() {
        return Err(Error::NotFound(format!("a registration of {name} with this public key")));
    }
    if left.is_empty() && before.role == Role::SecurityOfficer {
        let officers = directory.bearers(name.organization(), Role::SecurityOfficer);
        if !officers.iter().any(|other| other.name != *name && !directory.member(&other.name).suspended) {
            let message = format!("{name} is the last security officer; register another one first");
            return Err(wrong_state(message));
        }
    }
    let dangerous = Some(match given.public_key_sha256 {
        Some(key) => format!("unregister public key {} of {name}, {}", hex::encode(key), before.role),
        None => format!("unregister {name}, {}", before.role),
    });
    let row = Row::Registration(Registration { public_keys_sha256: left, ..before });
    Ok(Edit { rows: vec![row.clone()], answer: row, dangerous })
}
