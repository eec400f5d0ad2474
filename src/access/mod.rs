//! Who may do what, decided once and rechecked: identity, policy and the key's place in the directory together.
//!
//! **Invariants**: a [`Grant`] exists only for a verified identity and a policy's permit. [`Access::recheck`] tells
//! whether it still holds; that is nearly free while nothing changed.
//!
//! **Not here**: recording denials and counting them (`admission`), the key's state as an operation needs it
//! (`signing`, `keys`).

mod peer;
mod usable;

pub use peer::{Peer, STREAMS_PER_CONNECTION};
pub use usable::require_active;
pub(crate) use usable::{now, written};

use crate::{
    directory::{Directory, KeyEntry, Version},
    error::Error,
    identity::IdentityError,
    model::{Action, KeyOrVersionName, KeyVersionName, OrganizationName, Principal, Purpose},
    policy::{AccessRequest, Context, Denial, KeyFacts, Permit, PolicySet, Resource},
};
use arc_swap::ArcSwap;
use chancery_api::reasons;
use std::sync::Arc;

/// What an action is done to, as the request names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An organization.
    Organization(OrganizationName),
    /// A key, or one of its versions.
    Key(KeyOrVersionName),
    /// An organization's records.
    Log(OrganizationName),
}

/// Who asks: identified, and as of when.
#[derive(Debug, Clone)]
pub struct Caller {
    peer: Arc<Peer>,
    principal: Principal,
    /// The directory's identity epoch that the judgement is of.
    identity_epoch: u64,
}

impl Caller {
    /// Who it is.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }
}

/// Decides. See the module.
pub struct Access {
    directory: Arc<Directory>,
    policies: ArcSwap<PolicySet>,
}

/// A permit, and what it was decided on.
#[must_use]
pub struct Grant {
    permit: Permit,
    caller: Caller,
    target: Target,
    entry: Option<Arc<KeyEntry>>,
    policies: Arc<PolicySet>,
}

impl Grant {
    /// The policies' permit.
    pub fn permit(&self) -> &Permit {
        &self.permit
    }

    /// Who asks, for a decision about another resource.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// What was asked for.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The key.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it does not exist, which the caller may know; `STATE_MISMATCH` when store and log
    /// disagree about it.
    pub fn key(&self) -> Result<&Arc<KeyEntry>, Error> {
        let entry = self.entry.as_ref().ok_or_else(|| Error::NotFound(self.target.to_string()))?;
        match &entry.mismatch {
            Some(why) => Err(mismatch(&entry.key.name.to_string(), why)),
            None => Ok(entry),
        }
    }

    /// The version named, or the primary one.
    ///
    /// # Errors
    /// As [`Grant::key`].
    pub fn version(&self) -> Result<&Arc<Version>, Error> {
        let number = match &self.target {
            Target::Key(KeyOrVersionName::Version(name)) => Some(name.number()),
            _ => None,
        };
        let version = self.key()?.version(number).ok_or_else(|| Error::NotFound(self.target.to_string()))?;
        match &version.mismatch {
            Some(why) => Err(mismatch(&version.row.name.to_string(), why)),
            None => Ok(version),
        }
    }
}

fn mismatch(name: &str, why: &str) -> Error {
    Error::Precondition { reason: reasons::STATE_MISMATCH, message: format!("{name} is not used: {why}") }
}

impl Access {
    /// Over this directory, by these policies.
    pub fn new(directory: Arc<Directory>, policies: PolicySet) -> Self {
        Self { directory, policies: ArcSwap::from_pointee(policies) }
    }

    /// What exists.
    pub fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    /// The policies in force.
    pub fn policies(&self) -> Arc<PolicySet> {
        self.policies.load_full()
    }

    /// Who the peer is, now.
    ///
    /// # Errors
    /// [`IdentityError`]: its certificate makes nobody of it.
    pub fn identify(&self, peer: &Arc<Peer>) -> Result<Caller, IdentityError> {
        // Read first: a change in between makes the judgement older than it says, never newer.
        let identity_epoch = self.directory.identity_epoch();
        let identity = peer.identify(&self.directory, identity_epoch)?;
        Ok(Caller { peer: Arc::clone(peer), principal: identity.principal, identity_epoch })
    }

    /// Whose trust anchor vouches for a peer that is nobody.
    pub fn vouching(&self, peer: &Peer) -> Option<OrganizationName> {
        peer.vouching(&self.directory)
    }

    /// Decides by the policies.
    ///
    /// # Errors
    /// [`Denial`], which must be recorded.
    pub fn authorize(
        &self,
        caller: &Caller,
        action: Action,
        target: Target,
        context: Context,
    ) -> Result<Grant, Box<Denial>> {
        let principal = caller.principal.clone();
        let (resource, entry) = self.resource(&target);
        let policies = self.policies.load_full();
        let permit = policies.authorize(AccessRequest { principal, action, resource, context }).map_err(Box::new)?;
        Ok(Grant { permit, caller: caller.clone(), target, entry, policies })
    }

    /// What a denied caller is told: that it was denied; only a key's owner learns that nothing but the key's purpose
    /// stands in its way. For whoever is not the owner, the same steps are taken whether the key exists or not.
    pub fn told(&self, denial: &Denial) -> Error {
        let request = denial.request();
        let Resource::Key { name, facts: Some(facts) } = &request.resource else { return Error::Denied };
        if facts.owner != request.principal.name {
            return Error::Denied;
        }
        let (wanted, what) = match request.action {
            Action::Sign => (Purpose::Sign, "signing"),
            Action::IssueCertificate => (Purpose::Certify, "issuing certificates"),
            Action::Encrypt | Action::Decrypt => (Purpose::Encrypt, "encryption"),
            Action::DeriveSharedSecret => (Purpose::Agree, "key agreement"),
            Action::GenerateMac | Action::VerifyMac => (Purpose::Mac, "message authentication codes"),
            Action::WrapKey | Action::UnwrapKey => (Purpose::Wrap, "wrapping keys"),
            _ => return Error::Denied,
        };
        let fitting = KeyFacts { purpose: wanted, ..facts.clone() };
        let resource = Resource::Key { name: name.clone(), facts: Some(fitting) };
        match self.policies.load().authorize(AccessRequest { resource, ..request.clone() }) {
            Ok(_) if facts.purpose != wanted => Error::Precondition {
                reason: reasons::WRONG_PURPOSE,
                message: format!("{name} is for {}, not for {what}", facts.purpose),
            },
            _ => Error::Denied,
        }
    }

    /// Whether a grant still holds, and, where a key is used, whether `version` may still be.
    ///
    /// # Errors
    /// [`Error::Unidentified`], [`Error::Denied`] or [`Error::Precondition`]: something changed meanwhile.
    pub fn recheck(&self, grant: &Grant, version: Option<&KeyVersionName>) -> Result<(), Error> {
        let (resource, entry) = match &grant.target {
            Target::Key(name) => {
                let entry = self.directory.key(name.key());
                let same = match (&entry, &grant.entry) {
                    (Some(now), Some(then)) => Arc::ptr_eq(now, then),
                    (None, None) => true,
                    _ => false,
                };
                if same && self.is_current(grant) {
                    return grant.recheck_version(entry.as_deref(), version);
                }
                self.resource(&grant.target)
            }
            _ if self.is_current(grant) => return Ok(()),
            _ => self.resource(&grant.target),
        };
        let caller = self.identify(&grant.caller.peer).map_err(|error| unidentified(&error))?;
        let request = grant.permit.request();
        if caller.principal != request.principal {
            return Err(Error::Denied);
        }
        let again = AccessRequest {
            principal: caller.principal,
            action: request.action,
            resource,
            context: request.context.clone(),
        };
        let _still = self.policies.load().authorize(again).map_err(|_| Error::Denied)?;
        grant.recheck_version(entry.as_deref(), version)
    }

    fn is_current(&self, grant: &Grant) -> bool {
        self.directory.identity_epoch() == grant.caller.identity_epoch
            && Arc::ptr_eq(&self.policies.load(), &grant.policies)
            && !grant.caller.peer.has_expired()
    }

    /// The resource as policies see it. The same look-up is made whether it exists or not.
    fn resource(&self, target: &Target) -> (Resource, Option<Arc<KeyEntry>>) {
        match target {
            Target::Organization(name) => {
                let enrolling_roles =
                    self.directory.organization(name).map(|found| found.enrolling_roles).unwrap_or_default();
                (Resource::Organization { name: name.clone(), enrolling_roles }, None)
            }
            Target::Log(organization) => (Resource::Log { organization: organization.clone() }, None),
            Target::Key(name) => {
                let entry = self.directory.key(name.key());
                let number = match name {
                    KeyOrVersionName::Version(version) => Some(version.number()),
                    KeyOrVersionName::Key(_) => None,
                };
                let facts = entry.as_ref().and_then(|entry| {
                    let version = entry.version(number)?;
                    Some(KeyFacts {
                        owner: entry.key.owner.clone(),
                        purpose: entry.key.purpose,
                        algorithm: entry.key.algorithm,
                        protection: entry.key.protection,
                        state: version.row.state,
                        labels: entry.key.labels.clone(),
                    })
                });
                (Resource::Key { name: name.key().clone(), facts }, entry)
            }
        }
    }
}

/// An identity error as the caller is told it.
pub fn unidentified(error: &IdentityError) -> Error {
    Error::Unidentified { reason: error.reason(), message: error.to_string() }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Organization(name) | Self::Log(name) => name.fmt(f),
            Self::Key(name) => name.fmt(f),
        }
    }
}
