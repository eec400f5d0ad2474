//! Keys as PKCS#11 clients see them: objects that bear ids and labels, and keys that do not stay.
//!
//! **Invariants**: a key's standing changes only by a record. A key that is NAMED never becomes anything else, keeps its
//! last object of each class, and is destroyed by nothing here. What a request changes was asked of the policies with the
//! key as it is while it is held. A request that was answered gets its answer again as long as the caller sees the key.
//!
//! **Not here**: who sees which objects, certificates (the service's `objects`), the first use of a key (`admission`),
//! when keys that do not stay are destroyed (`schedule`).

mod copy;
mod delete;
mod leases;
mod new;
mod passing;
mod rules;
mod update;

pub use new::NewObjects;
pub use rules::{require_attribute, require_free_id};
pub use update::ObjectEdit;

pub(super) use leases::Leases;
pub(super) use passing::{PassingPlace, PassingPlaces};

use super::{Answered, Asked, Keys};
use crate::{
    access::{Grant, Peer, Target},
    audit::Draft,
    directory::{KeyEntry, KeyObject, Version},
    error::Error,
    model::{Action, KeyOrVersionName, KeyStanding, ObjectId, ObjectName, OrganizationName, RequestId},
    policy::Context,
};
use chancery_api::reasons;
use std::{sync::Arc, time::Duration};

/// A key, and which of its objects was asked for.
pub type Changed = (Arc<KeyEntry>, ObjectName);

/// What policies are told of an object that is to change.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Facts {
    standing: KeyStanding,
    /// The id that its version implies, and the one that it bears or is to bear.
    ids: [Vec<u8>; 2],
    /// Whether it is renamed, or the last with its id.
    flag: bool,
}

impl Facts {
    /// Those of an object that the caller can't see, or that there isn't: nothing is told apart.
    fn unknown() -> Self {
        Self { standing: KeyStanding::Named, ids: [Vec::new(), Vec::new()], flag: true }
    }

    fn context(&self, object: ObjectId, flag: &'static str) -> Context {
        Context::new()
            .text("standing", self.standing.as_str())
            .text("object", object.to_string())
            .text("ski", hex::encode(&self.ids[0]))
            .text("id", hex::encode(&self.ids[1]))
            .flag(flag, self.flag)
    }
}

/// One object of a key as it is now.
struct Current<'e> {
    entry: &'e KeyEntry,
    version: &'e Version,
    object: KeyObject,
}

impl<'e> Current<'e> {
    fn of(entry: &'e KeyEntry, name: &ObjectName) -> Result<Self, Error> {
        let missing = || Error::NotFound(name.to_string());
        let version = entry.version(Some(name.version.number())).ok_or_else(missing)?;
        let object = entry.object(version, name.object).ok_or_else(missing)?;
        Ok(Self { entry, version, object })
    }
}

/// A request to change an object: which one, how policies call what decides, and what that is of the key as it is.
struct ObjectRequest<F> {
    action: Action,
    name: ObjectName,
    flag: &'static str,
    facts: F,
    id: RequestId,
}

fn changed(entry: Arc<KeyEntry>, name: ObjectName, object: &str) -> Result<Changed, Error> {
    let object = object.parse().map_err(Error::internal)?;
    Ok((entry, ObjectName { version: name.version, object }))
}

/// The key as the first request left it, whatever became of it since.
fn answered(answer: &[u8], name: ObjectName) -> Result<Changed, Error> {
    let (entry, object) = KeyEntry::from_answer_of(answer).map_err(Error::internal)?;
    changed(Arc::new(entry), name, &object)
}

impl Keys {
    /// One change of a key's objects. `edit` is given the key while nobody else changes it.
    async fn alter_objects<F, E>(&self, peer: &Arc<Peer>, asked: ObjectRequest<F>, edit: E) -> Result<Changed, Error>
    where
        F: Fn(&Current<'_>) -> Facts + Send + Sync,
        E: FnOnce(&Current<'_>, &Grant) -> Result<Answered, Error> + Send,
    {
        let ObjectRequest { action, name, flag, facts, id } = asked;
        let caller = self.admission.identify(peer, action).await?;
        let access = self.admission.access();
        let key = || Target::Key(KeyOrVersionName::Key(name.version.key().clone()));
        // Nothing of a key is told to whoever does not see it, not even in its own records.
        let seen = access.authorize(&caller, Action::GetKey, key(), Context::new()).ok();
        let entry = seen.as_ref().and_then(|grant| grant.key().ok());
        let current = entry.and_then(|entry| Current::of(entry, &name).ok());
        let before = current.as_ref().map_or_else(Facts::unknown, &facts);
        // After the facts: what the first request changed would deny its repetition.
        if let Some(seen) = &seen
            && let Some(answer) = self.changes.answered(&caller.principal().name, action.as_str(), &id).await?
        {
            self.replayed(Draft::replayed_as(action, seen, &id).resource(&name.version)).await?;
            return answered(&answer, name);
        }
        let asked = Asked {
            action,
            target: KeyOrVersionName::Version(name.version.clone()),
            context: before.context(name.object, flag),
            request: id,
        };
        let edit = |entry: &KeyEntry, grant: &Grant| {
            let current = Current::of(entry, &name)?;
            if facts(&current) != before {
                return Err(Error::Precondition {
                    reason: reasons::BUSY,
                    message: format!("{name} was changed by another request meanwhile; try again"),
                });
            }
            edit(&current, grant)
        };
        let (entry, object) = self.alter_answered(caller, asked, edit).await?;
        changed(entry, name, &object)
    }

    /// Notes that a process is there still; how long its SESSION keys stay without hearing of it again.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn renew_session(
        &self,
        peer: &Arc<Peer>,
        organization: OrganizationName,
        process: &str,
    ) -> Result<Duration, Error> {
        let action = Action::RenewSessionObjects;
        let grant = self.admission.admit(peer, action, Target::Organization(organization)).await?;
        let caller = grant.caller();
        match self.leases.renew(&caller.principal().name, process) {
            Ok(lease) => Ok(lease),
            Err(error) => Err(self.admission.rejected(caller, error).await),
        }
    }
}
